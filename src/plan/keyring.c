#include "plan/keyring.h"

#include <jansson.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/lock.h"
#include "plan/home.h"
#include "spec/spec.h"

enum { UID = 16, KEY_FILE_BYTES = 64 << 10, SEALED = SEAL_KEY + SEAL_MORE, VERSION = 1 };

static const struct {
    const char *what;
    enum home_place place;
} KINDS[] = {{"undo", HOME_KEY_UNDO}, {"quarantine", HOME_KEY_QUARANTINE}, {"reports", HOME_KEY_REPORTS}};

/* One that was found. */
struct known {
    uint8_t uid[UID];
    size_t kind;
    struct seal_key key;
};

/* A spec's key that was told. */
struct told {
    char *text, *dir;
    struct seal_key key;
};

struct keyring {
    const struct world *world;
    char *home;
    pthread_mutex_t lock; /* guards what follows; nothing else is taken under it. Reading a key's file and asking for a
                           * secret happen under it: once a run, and the others would have to wait for it anyway */
    GArray *known;        /* of struct known */
    GArray *told;         /* of struct told */
};

struct keyring *keyring_new(const struct world *world, const char *home)
{
    struct keyring *keyring = g_new0(struct keyring, 1);
    keyring->world = world;
    keyring->home = g_strdup(home);
    keyring->known = g_array_new(FALSE, TRUE, sizeof(struct known));
    keyring->told = g_array_new(FALSE, TRUE, sizeof(struct told));
    pthread_mutex_init(&keyring->lock, NULL);
    return keyring;
}

void keyring_free(struct keyring *keyring)
{
    if (!keyring)
        return;
    for (guint i = 0; i < keyring->known->len; i++)
        seal_forget(&g_array_index(keyring->known, struct known, i).key);
    for (guint i = 0; i < keyring->told->len; i++) {
        struct told *told = &g_array_index(keyring->told, struct told, i);
        seal_forget(&told->key);
        g_free(told->text);
        g_free(told->dir);
    }
    g_array_unref(keyring->known);
    g_array_unref(keyring->told);
    pthread_mutex_destroy(&keyring->lock);
    g_free(keyring->home);
    g_free(keyring);
}

/* --- the spec's key ----------------------------------------------------------------------------------------------- */

static bool from_base64(const char *text, struct seal_key *ret)
{
    gsize len;
    g_autofree uint8_t *bytes = g_base64_decode(text, &len);
    g_autofree char *again = g_base64_encode(bytes, len);
    bool ok = len == SEAL_KEY && strcmp(again, text) == 0; /* GLib passes over what is no base64 */
    if (ok)
        memcpy(ret->bytes, bytes, SEAL_KEY);
    return ok;
}

bool keyring_secret_read(const struct world *world, const struct keyring_secret *secret, struct seal_key *ret,
                         GError **error)
{
    g_autofree char *text = NULL;
    if (!spec_secret_expand(world, secret->dir, secret->text, &text, error))
        return error_add(error, "retain.key");
    g_strstrip(text);
    return hex_parse(slice_of_text(text), ret->bytes, SEAL_KEY) || from_base64(text, ret) ||
           error_set(
               error, SLUICE_ERROR_SPEC,
               "retain.key: %s is not a key: 32 bytes as base64 or as hex are expected; `head -c 32 /dev/urandom | "
               "base64` makes one",
               secret->text);
}

/* --- a key's file ------------------------------------------------------------------------------------------------- */

/* What the sealed key belongs to. */
static char *about_text(const char *uid, const char *what)
{
    return g_strdup_printf("sluice key %d %s %s", VERSION, uid, what);
}

/* Of a run that is being planned. */
struct drawing {
    const struct world *world;
    const char *home, *secret, *uid;
    char *dir;
    struct seal_key by;
};

static bool draw(const struct drawing *drawing, size_t kind, GError **error)
{
    uint8_t sealed[SEALED];
    char hex[HEX_TEXT(SEALED)];
    const char *what = KINDS[kind].what;
    g_autofree char *path = home_path(drawing->home, KINDS[kind].place, drawing->uid);
    g_autofree char *about = about_text(drawing->uid, what);
    world_random(drawing->world, sealed + SEAL_NONCE, SEAL_KEY);
    seal_put(&drawing->by, drawing->world, slice_of_text(about), sealed, SEAL_KEY);
    json_t *root =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "key", VERSION, "run", drawing->uid, "what", what, "secret",
                  drawing->secret, "dir", drawing->dir, "sealed", hex_text(sealed, sizeof sealed, hex));
    g_autofree char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return (text || error_set(error, SLUICE_ERROR_SPEC, "retain.key: %s is not UTF-8", drawing->dir)) &&
           file_replace_durable(drawing->world, path, slice_of_text(text), error);
}

bool keyring_make_durable(const struct world *world, const char *home, const uint8_t uid[UID],
                          const struct keyring_secret *secret, GError **error)
{
    char name[HEX_TEXT(UID)];
    struct drawing drawing = {.world = world, .home = home, .secret = secret->text, .uid = hex_text(uid, UID, name)};
    if (!secret->text)
        return true;
    g_autofree char *keys = home_path(home, HOME_KEYS, NULL);
    bool ok = keyring_secret_read(world, secret, &drawing.by, error) && file_make_dirs(world, keys, error);
    drawing.dir = g_canonicalize_filename(secret->dir, NULL);
    for (size_t i = 0; ok && i < G_N_ELEMENTS(KINDS); i++)
        ok = draw(&drawing, i, error);
    g_free(drawing.dir);
    seal_forget(&drawing.by);
    return ok;
}

void keyring_discard(const struct world *world, const char *home, const uint8_t uid[UID])
{
    char name[HEX_TEXT(UID)];
    hex_text(uid, UID, name);
    for (size_t i = 0; i < G_N_ELEMENTS(KINDS); i++) {
        g_autofree char *path = home_path(home, KINDS[i].place, name);
        file_unlink(world, path, NULL);
    }
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static const struct seal_key *told_key(struct keyring *keyring, const struct keyring_secret *secret, GError **error)
{
    for (guint i = 0; i < keyring->told->len; i++) {
        const struct told *told = &g_array_index(keyring->told, struct told, i);
        if (strcmp(told->text, secret->text) == 0 && strcmp(told->dir, secret->dir) == 0)
            return &told->key;
    }
    struct told told = {0};
    if (!keyring_secret_read(keyring->world, secret, &told.key, error))
        return NULL;
    told.text = g_strdup(secret->text);
    told.dir = g_strdup(secret->dir);
    g_array_append_val(keyring->told, told);
    seal_forget(&told.key);
    return &g_array_index(keyring->told, struct told, keyring->told->len - 1).key;
}

static bool open_key(struct keyring *keyring, const char *path, json_t *root, struct known *io, GError **error)
{
    int version;
    uint8_t sealed[SEALED];
    char uid[HEX_TEXT(UID)];
    const char *run, *what, *hex;
    struct keyring_secret secret;
    hex_text(io->uid, UID, uid);
    if (json_unpack(root, "{s:i, s:s, s:s, s:s, s:s, s:s}", "key", &version, "run", &run, "what", &what, "secret",
                    &secret.text, "dir", &secret.dir, "sealed", &hex) != 0 ||
        version != VERSION || strcmp(run, uid) != 0 || strcmp(what, KINDS[io->kind].what) != 0 ||
        !hex_parse(slice_of_text(hex), sealed, sizeof sealed))
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: not the key of this run, or of a newer sluice", path);
    const struct seal_key *by = told_key(keyring, &secret, error);
    g_autofree char *about = about_text(uid, what);
    if (!by)
        return error_add(error, "%s", path);
    if (!seal_open(by, slice_of_text(about), sealed, sizeof sealed))
        return error_set(
            error, SLUICE_ERROR_REFUSED,
            "%s: %s is not the key by which it was sealed, or the file is damaged; give the key that the run "
            "was planned with",
            path, secret.text);
    memcpy(io->key.bytes, sealed + SEAL_NONCE, SEAL_KEY);
    return true;
}

/* *ret_found false: there is no such file. */
static bool read_key(struct keyring *keyring, struct known *io, bool *ret_found, GError **error)
{
    char uid[HEX_TEXT(UID)];
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *path = home_path(keyring->home, KINDS[io->kind].place, hex_text(io->uid, UID, uid));
    *ret_found = file_exists(keyring->world, path);
    if (!*ret_found)
        return true;
    if (!file_read_all(keyring->world, path, KEY_FILE_BYTES, &bytes, error))
        return false;
    json_t *root = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), JSON_REJECT_DUPLICATES, NULL);
    bool ok = open_key(keyring, path, root, io, error);
    json_decref(root);
    return ok;
}

static const struct known *find_known(const struct keyring *keyring, const uint8_t uid[UID], size_t kind)
{
    for (guint i = 0; i < keyring->known->len; i++) {
        const struct known *known = &g_array_index(keyring->known, struct known, i);
        if (known->kind == kind && memcmp(known->uid, uid, UID) == 0)
            return known;
    }
    return NULL;
}

static size_t kind_of(const char *what)
{
    size_t kind = 0;
    while (kind < G_N_ELEMENTS(KINDS) && strcmp(KINDS[kind].what, what) != 0)
        kind++;
    g_assert(kind < G_N_ELEMENTS(KINDS));
    return kind;
}

static bool keyring_find(void *self, const uint8_t uid[UID], const char *what, struct seal_key *ret, bool *ret_found,
                         GError **error)
{
    struct keyring *keyring = self;
    struct known known = {.kind = kind_of(what)};
    memcpy(known.uid, uid, UID);
    auto_hold(&keyring->lock);
    const struct known *found = find_known(keyring, uid, known.kind);
    *ret_found = found;
    if (!found && !read_key(keyring, &known, ret_found, error))
        return false;
    if (!found && *ret_found)
        g_array_append_val(keyring->known, known);
    if (*ret_found)
        *ret = found ? found->key : known.key;
    seal_forget(&known.key);
    return true;
}

const struct world_seals keyring_seals = {.find = keyring_find};

bool keyring_check(const struct world *world, const char *home, const uint8_t uid[UID], const char *what,
                   GError **error)
{
    char name[HEX_TEXT(UID)];
    struct seal_key key;
    bool found;
    if (!world_seal_key(world, uid, what, &key, &found, error))
        return false;
    g_autofree char *path = home_path(home, KINDS[kind_of(what)].place, hex_text(uid, UID, name));
    if (!found)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s: the key of the run is gone; put the file back from a copy of the home", path);
    seal_forget(&key);
    return true;
}
