/* What is sealed, and the keys: chance opens no seal, so all but the first two are sealed here, by the key of a run.
 * The first byte says what the rest is:
 *
 * - the file of a key; bytes to change in one that was made, each with its place: it gives the key, or is refused;
 * - where the spec's key is told: a key of 32 bytes, or it is refused in words that do not hold it;
 * - the rows of a quarantine, and the lines of a report, each up to a newline: what is sealed is read, or refused, as
 *   bytes that were not; what a report holds is given back line by line as it was.
 */
#include <string.h>

#include "base/hex.h"
#include "base/process.h"
#include "fuzz.h"
#include "memory.h"
#include "parts.h"
#include "plan/home.h"
#include "plan/keyring.h"
#include "quarantine/quarantine.h"
#include "record/digest.h"
#include "verify/lines.h"

#define HOME   "/home"
#define SECRET "/spec/home.key"
#define FILE_  "/home/file.ndjson"
#define UID    "000102030405060708090a0b0c0d0e0f"

static const uint8_t uid[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const struct keyring_secret told = {.text = "${file:home.key}", .dir = "/spec"};
static const char TELLS[] = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";

/* A file of a key may name any command: none is run here. */
bool __wrap_process_run(const struct world *world, const struct process_call *call, struct process_end *ret,
                        GError **error);
bool __wrap_process_run(const struct world *world, const struct process_call *call, struct process_end *ret,
                        GError **error)
{
    *ret = (struct process_end){.status = 1, .output = g_strdup("")};
    return true;
}

static bool same_random(void *self, void *into, size_t len)
{
    memset(into, 0x5a, len);
    return true;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static bool find(struct memory *memory, const char *what, struct seal_key *ret)
{
    auto_(keyring) keyring = keyring_new(&memory->world, HOME);
    g_autoptr(GError) failed = NULL;
    bool found = false, again = false;
    struct seal_key key = {{0}};
    memory->world.seals = &keyring_seals;
    memory->world.seals_self = keyring;
    bool ok = world_seal_key(&memory->world, uid, what, ret, &found, &failed);
    g_assert(ok || (failed && g_utf8_validate(failed->message, -1, NULL)));
    if (ok && found) {
        g_assert(world_seal_key(&memory->world, uid, what, &key, &again, NULL) && again);
        g_assert(memcmp(key.bytes, ret->bytes, SEAL_KEY) == 0);
    }
    memory->world.seals = NULL;
    return ok && found;
}

static void key_file(struct memory *memory, struct slice bytes)
{
    struct seal_key key;
    memory_put(memory, HOME "/keys/" UID ".undo", bytes.data, bytes.len);
    find(memory, "undo", &key);
}

/* Place and byte in turn. */
static void changed_file(struct memory *memory, struct slice bytes)
{
    struct seal_key key, drawn;
    memset(drawn.bytes, 0x5a, sizeof drawn.bytes);
    g_assert(keyring_make_durable(&memory->world, HOME, uid, &told, NULL));
    GByteArray *file = g_hash_table_lookup(memory->files, HOME "/keys/" UID ".undo");
    g_assert(file && find(memory, "undo", &key) && memcmp(key.bytes, drawn.bytes, SEAL_KEY) == 0);
    for (size_t i = 0; i + 2 < bytes.len; i += 3)
        file->data[(bytes.data[i] * 256u + bytes.data[i + 1]) % file->len] = bytes.data[i + 2];
    if (find(memory, "undo", &key))
        g_assert(memcmp(key.bytes, drawn.bytes, SEAL_KEY) == 0);
}

static void secret(struct memory *memory, struct slice bytes)
{
    struct seal_key key, again;
    char hex[HEX_TEXT(SEAL_KEY)];
    g_autoptr(GError) failed = NULL;
    memory_put(memory, SECRET, bytes.data, bytes.len);
    if (!keyring_secret_read(&memory->world, &told, &key, &failed)) {
        g_assert(g_utf8_validate(failed->message, -1, NULL));
        return;
    }
    hex_text(key.bytes, SEAL_KEY, hex);
    memory_put(memory, SECRET, hex, strlen(hex));
    g_assert(keyring_secret_read(&memory->world, &told, &again, NULL));
    g_assert(memcmp(key.bytes, again.bytes, SEAL_KEY) == 0);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static struct slice next_line(struct slice *io)
{
    const uint8_t *end = memchr(io->data, '\n', io->len);
    size_t len = end ? (size_t)(end - io->data) : io->len, past = end ? len + 1 : len;
    struct slice line = slice_of(io->data, len);
    *io = slice_of(io->data + past, io->len - past);
    return line;
}

static void seal(struct memory *memory, GString *into, const char *about, struct slice text)
{
    struct seal_key key;
    memset(key.bytes, 0x5a, sizeof key.bytes);
    g_autofree char *sealed = seal_text(&key, &memory->world, slice_of_text(about), text);
    g_string_append(into, sealed);
}

/* What begins with a brace stands as it is, behind a check that fits. */
static void put_row(struct memory *memory, GString *into, struct slice line, unsigned number)
{
    char check[DIGEST_TEXT];
    g_autoptr(GString) row = g_string_new(NULL);
    if (line.len && line.data[0] == '{') {
        g_string_append_len(row, (const char *)line.data + 1, (gssize)line.len - 1);
    } else {
        g_autofree char *about = g_strdup_printf("row " UID " 1 2 3 %u", number);
        g_string_append_printf(row, "\"part\":1,\"lane\":2,\"checkpoint\":3,\"number\":%u,\"sealed\":\"", number);
        seal(memory, row, about, line);
        g_string_append(row, "\"}");
    }
    struct digest digest = digest_bytes(slice_of(row->str, row->len), 0);
    g_string_append_printf(into, "{\"check\":\"%s\",", digest_text(digest, check));
    g_string_append_len(into, row->str, (gssize)row->len);
    g_string_append_c(into, '\n');
}

static bool take_line(void *self, const char *line, GError **error)
{
    GPtrArray *lines = self;
    if (lines)
        g_ptr_array_add(lines, g_strdup(line));
    return true;
}

static void read_rows(const struct quarantine_config *config)
{
    auto_(quarantine_reader) reader = NULL;
    auto_(arena) mem = arena_new(4 << 20);
    struct quarantine_entry *entry = NULL;
    if (!quarantine_reader_open(&reader, config, NULL, NULL))
        return;
    while (quarantine_next(reader, mem, &entry, NULL) && entry) {
        g_assert(entry->code && entry->reason && entry->raw.len <= entry->text.len);
        arena_reset(mem);
    }
}

static void quarantine(struct memory *memory, struct slice bytes)
{
    g_autoptr(GString) text = g_string_new("{\"quarantine\":1,\"run\":\"" UID "\",\"sealed\":\"quarantine\"}\n");
    struct quarantine_config config = {.world = &memory->world, .path = FILE_, .sealed_as = "quarantine"};
    struct document_lines into = {.line = take_line};
    auto_(keyring) keyring = keyring_new(&memory->world, HOME);
    memcpy(config.run_uid, uid, sizeof uid);
    for (unsigned number = 1; bytes.len > 0; number++)
        put_row(memory, text, next_line(&bytes), number);
    memory_put(memory, FILE_, text->str, text->len);
    memory->world.seals = &keyring_seals;
    memory->world.seals_self = keyring;
    read_rows(&config);
    quarantine_dump(&memory->world, FILE_, &into, NULL);
    memory->world.seals = NULL;
}

static bool take_difference(void *self, const struct report_line *line, GError **error)
{
    g_assert((unsigned)line->class < VERIFY_CLASS_COUNT && (line->looked || !line->present));
    return true;
}

static void dump_report(const struct memory *memory, struct slice bytes)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    struct document_lines into = {.line = take_line, .self = lines};
    guint at = 0;
    if (!report_dump(&memory->world, FILE_, &into, NULL))
        return;
    for (; bytes.len > 0; at++) {
        struct slice line = next_line(&bytes);
        g_assert(at < lines->len && slice_equal(slice_of_text(lines->pdata[at]), line));
    }
    g_assert(at == lines->len);
}

static void report(struct memory *memory, struct slice bytes)
{
    g_autoptr(GString) text = g_string_new("{\"sealed\":\"reports\",\"run\":\"" UID "\"}\n");
    struct report_lines into = {.line = take_difference};
    auto_(keyring) keyring = keyring_new(&memory->world, HOME);
    g_autoptr(GError) failed = NULL;
    uint8_t digest[32];
    for (struct slice rest = bytes; rest.len > 0;) {
        struct slice line = next_line(&rest);
        g_string_append(text, "{\"sealed\":\"");
        seal(memory, text, "report " UID, line);
        g_string_append(text, "\"}\n");
    }
    memory_put(memory, FILE_, text->str, text->len);
    memory->world.seals = &keyring_seals;
    memory->world.seals_self = keyring;
    g_assert(report_read(&memory->world, FILE_, &into, digest, &failed) || failed);
    dump_report(memory, bytes);
    memory->world.seals = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const WAYS[])(struct memory * memory, struct slice bytes) = {key_file, changed_file, secret,
                                                                               quarantine, report};
    struct memory memory;
    if (len == 0)
        return 0;
    memory_init(&memory);
    memory.world.random = same_random;
    memory_put(&memory, SECRET, TELLS, strlen(TELLS));
    if (data[0] % G_N_ELEMENTS(WAYS) > 2)
        g_assert(keyring_make_durable(&memory.world, HOME, uid, &told, NULL));
    WAYS[data[0] % G_N_ELEMENTS(WAYS)](&memory, slice_of(data + 1, len - 1));
    memory_done(&memory);
    return 0;
}
