/* Whether a bundle holds: by its own bytes alone. */
#include <sodium.h>

#include "audit/files.h"
#include "base/file.h"

#define MEM_BYTES (256u << 20)

struct checking {
    const struct world *world;
    const char *dir;
    const uint8_t *head;
    struct bundle_verdict *verdict;
    struct arena *mem;
    json_t *manifest;
    struct plan_digests digests;
    GArray *entries; /* of struct ledger_entry */
};

static void say(struct checking *checking, const char *name, bool ok, const char *format, ...) G_GNUC_PRINTF(4, 5);
static void say(struct checking *checking, const char *name, bool ok, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct bundle_check check = {.ok = ok, .name = g_strdup(name), .words = g_strdup_vprintf(format, arguments)};
    va_end(arguments);
    g_array_append_val(checking->verdict->checks, check);
    checking->verdict->ok &= ok;
}

static bool read_file(const struct checking *checking, const char *path, GBytes **ret, GError **error)
{
    g_autofree char *whole = g_build_filename(checking->dir, path, NULL);
    return file_read_all(checking->world, whole, BUNDLE_CAP, ret, error);
}

static struct slice slice_of_bytes(GBytes *bytes)
{
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);
    return slice_of(data, len);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

/* Nothing outside of the folder is read, whatever a manifest says. */
static bool is_within(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    for (char **part = parts; *part; part++)
        if (!**part || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0)
            return false;
    return *parts != NULL;
}

static bool file_holds(struct checking *checking, const json_t *file)
{
    const char *path = json_string_value(json_object_get(file, "path"));
    uint8_t wanted[32], found[32];
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failed = NULL;
    if (!path || !is_within(path) || !bundle_unhex(json_object_get(file, "blake2b"), wanted)) {
        say(checking, "files", false, "%s: the manifest names it in a way that it never does", path ? path : "?");
        return false;
    }
    if (!read_file(checking, path, &bytes, &failed)) {
        say(checking, "files", false, "%s", failed->message);
        return false;
    }
    bundle_digest(slice_of_bytes(bytes), found);
    if (memcmp(wanted, found, 32) == 0)
        return true;
    say(checking, "files", false, "%s: it is not what the manifest says", path);
    return false;
}

static void check_files(struct checking *checking)
{
    size_t i, good = 0;
    const json_t *file, *files = json_object_get(checking->manifest, "files");
    json_array_foreach(files, i, file)
    {
        good += file_holds(checking, file);
    }
    if (good == json_array_size(files))
        say(checking, "files", good > 0, "%zu files are as the manifest says", good);
}

/* --- the ledger --------------------------------------------------------------------------------------------------- */

static bool read_entries(struct checking *checking)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failed = NULL;
    if (!read_file(checking, BUNDLE_LEDGER, &bytes, &failed)) {
        say(checking, "ledger", false, "%s", failed->message);
        return false;
    }
    struct slice text = slice_of_bytes(bytes);
    g_autofree char *copy = g_strndup((const char *)text.data, text.len);
    g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
    for (char **line = lines; *line && **line; line++) {
        struct ledger_entry entry;
        json_t *value = json_loads(*line, 0, NULL);
        bool ok = value && bundle_entry_read(value, checking->mem, &entry);
        json_decref(value);
        if (!ok) {
            say(checking, "ledger", false, "line %zu is no entry", (size_t)(line - lines) + 1);
            return false;
        }
        g_array_append_val(checking->entries, entry);
    }
    return true;
}

static bool chain_holds(struct checking *checking, size_t at)
{
    const struct ledger_entry *entry = &g_array_index(checking->entries, struct ledger_entry, at);
    const struct ledger_entry *before = at ? entry - 1 : NULL;
    uint8_t digest[32];
    ledger_entry_digest(entry, digest);
    return memcmp(digest, entry->digest, 32) == 0 &&
           (!before || (entry->number == before->number + 1 && memcmp(entry->previous, before->digest, 32) == 0));
}

static void check_chain(struct checking *checking)
{
    const struct ledger_entry *entries = (const struct ledger_entry *)(void *)checking->entries->data;
    guint n = checking->entries->len;
    bool met = !checking->head;
    uint8_t head[32] = {0};
    for (guint i = 0; i < n; i++) {
        if (!chain_holds(checking, i)) {
            say(checking, "ledger", false, "entry %" G_GUINT64_FORMAT " is not what was written", entries[i].number);
            return;
        }
        met |= checking->head && memcmp(entries[i].digest, checking->head, 32) == 0;
    }
    bool ends = n > 0 && bundle_unhex(json_object_get(json_object_get(checking->manifest, "ledger"), "head"), head) &&
                memcmp(head, entries[n - 1].digest, 32) == 0;
    say(checking, "ledger", ends, ends ? "%u entries, an unbroken chain" : "of %u entries the last is not the head", n);
    if (checking->head)
        say(checking, "head", met, met ? "it is one of the chain's" : "the chain does not hold it");
}

static bool is_of_run(const struct checking *checking, const struct ledger_entry *entry)
{
    return entry->run && strcmp(entry->run, checking->verdict->run) == 0;
}

/* A server of an earlier version wrote what it refused without what the run was made from. */
static bool is_bare_refusal(const struct ledger_entry *entry)
{
    static const struct plan_digests NONE;
    return strcmp(entry->action, "refused") == 0 && memcmp(&entry->digests, &NONE, sizeof NONE) == 0;
}

/* Every entry of the run names what the manifest says that it was made from. */
static void check_digests(struct checking *checking)
{
    uint64_t of_run = 0;
    for (guint i = 0; i < checking->entries->len; i++) {
        const struct ledger_entry *entry = &g_array_index(checking->entries, struct ledger_entry, i);
        if (!is_of_run(checking, entry) || is_bare_refusal(entry))
            continue;
        of_run++;
        if (memcmp(&entry->digests, &checking->digests, sizeof checking->digests) != 0) {
            say(checking, "digests", false, "entry %" G_GUINT64_FORMAT " is of another plan", entry->number);
            return;
        }
    }
    say(checking, "digests", of_run > 0, "%" G_GUINT64_FORMAT " entries of %s name one plan", of_run,
        checking->verdict->run);
}

/* --- plan and texts ----------------------------------------------------------------------------------------------- */

static void check_plan(struct checking *checking)
{
    g_autoptr(GBytes) bytes = NULL;
    uint8_t digest[32] = {0};
    if (read_file(checking, BUNDLE_PLAN, &bytes, NULL))
        bundle_digest(slice_of_bytes(bytes), digest);
    bool same = memcmp(digest, checking->digests.plan, 32) == 0;
    say(checking, "plan", same, same ? "it is the one that was run" : "it is not the one that was run");
}

/* A text of the bundle: texts/NUMBER-WHAT-NAME. NULL: it is none of this kind. */
static const char *text_path(const json_t *file, const char *what)
{
    const char *path = json_string_value(json_object_get(file, "path"));
    if (!path || !is_within(path) || !g_str_has_prefix(path, "texts/"))
        return NULL;
    const char *kind = strchr(path, '-');
    return kind && g_str_has_prefix(kind + 1, what) && kind[1 + strlen(what)] == '-' ? path : NULL;
}

/* As plan/digests.c has it: a spec and a contract by their bytes, a transform by all its texts, each with its length.
 */
static size_t digest_texts(const struct checking *checking, const char *what, bool with_length, uint8_t ret[32])
{
    size_t i, n = 0;
    const json_t *file, *files = json_object_get(checking->manifest, "files");
    g_autoptr(GByteArray) all = g_byte_array_new();
    json_array_foreach(files, i, file)
    {
        const char *path = text_path(file, what);
        g_autoptr(GBytes) bytes = NULL;
        if (!path || !read_file(checking, path, &bytes, NULL))
            continue;
        struct slice text = slice_of_bytes(bytes);
        uint64_t len = GUINT64_TO_LE((uint64_t)text.len);
        if (with_length)
            g_byte_array_append(all, (const uint8_t *)&len, sizeof len);
        if (text.len > 0)
            g_byte_array_append(all, text.data, (guint)text.len);
        n++;
    }
    bundle_digest(slice_of(all->data, all->len), ret);
    return n;
}

/* The digest of a spec that has params, or names files of keys, holds more than its text. */
static bool is_more_than_text(const struct checking *checking)
{
    g_autoptr(GBytes) bytes = NULL;
    if (!read_file(checking, BUNDLE_PLAN, &bytes, NULL))
        return false;
    struct slice text = slice_of_bytes(bytes);
    json_t *plan = json_loadb((const char *)text.data, text.len, 0, NULL);
    bool more = json_object_get(plan, "params") || json_object_get(plan, "only") || json_object_get(plan, "scopes");
    json_decref(plan);
    return more;
}

static void check_texts(struct checking *checking)
{
    const struct {
        const char *what;
        const uint8_t *wanted;
        bool with_length;
    } texts[] = {{"spec", checking->digests.spec, false},
                 {"contract", checking->digests.contract, false},
                 {"transform", checking->digests.transform, true}};
    size_t good = 0;
    bool more = is_more_than_text(checking);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        uint8_t found[32];
        size_t n = digest_texts(checking, texts[i].what, texts[i].with_length, found);
        if (n == 0 || (i == 0 && more))
            continue;
        if (memcmp(found, texts[i].wanted, 32) != 0) {
            say(checking, "texts", false, "%s: not the one that was run", texts[i].what);
            return;
        }
        good++;
    }
    say(checking, "texts", true, "%zu are what was run%s", good,
        more ? "; the digest of the spec also holds its params or keys, and is not looked at" : "");
}

/* --- approvals ---------------------------------------------------------------------------------------------------- */

/* A report as a gate names it: the digest of its summary and its lines. */
static bool report_digest(const struct checking *checking, const char *summary_path, uint8_t ret[32])
{
    g_autoptr(GBytes) summary = NULL, lines = NULL;
    g_autofree char *stem = g_strndup(summary_path, strlen(summary_path) - strlen(".json"));
    g_autofree char *lines_path = g_strconcat(stem, ".ndjson", NULL);
    g_autoptr(GByteArray) all = g_byte_array_new();
    if (!read_file(checking, summary_path, &summary, NULL))
        return false;
    struct slice text = slice_of_bytes(summary);
    g_byte_array_append(all, text.data, (guint)text.len);
    if (read_file(checking, lines_path, &lines, NULL)) {
        text = slice_of_bytes(lines);
        g_byte_array_append(all, text.data, (guint)text.len);
    }
    bundle_digest(slice_of(all->data, all->len), ret);
    return true;
}

static bool report_is_there(const struct checking *checking, const uint8_t wanted[32])
{
    size_t i;
    uint8_t found[32];
    const json_t *file, *files = json_object_get(checking->manifest, "files");
    json_array_foreach(files, i, file)
    {
        const char *path = json_string_value(json_object_get(file, "path"));
        if (path && is_within(path) && g_str_has_prefix(path, "reports/") && g_str_has_suffix(path, ".json") &&
            report_digest(checking, path, found) && memcmp(found, wanted, 32) == 0)
            return true;
    }
    return false;
}

/* The report that an approval was given for; false: the entry is no approval. */
static bool approval_report(const struct ledger_entry *entry, uint8_t ret[32])
{
    if (strcmp(entry->action, "approved") != 0 && strcmp(entry->action, "denied") != 0)
        return false;
    json_t *details = entry->details ? json_loads(entry->details, 0, NULL) : NULL;
    bool found = bundle_unhex(json_object_get(details, "report"), ret);
    json_decref(details);
    return found;
}

static void check_approvals(struct checking *checking)
{
    size_t given = 0;
    uint8_t report[32];
    for (guint i = 0; i < checking->entries->len; i++) {
        const struct ledger_entry *entry = &g_array_index(checking->entries, struct ledger_entry, i);
        if (!is_of_run(checking, entry) || !approval_report(entry, report))
            continue;
        given++;
        if (!report_is_there(checking, report)) {
            say(checking, "approvals", false, "entry %" G_GUINT64_FORMAT ": the report it was given for is not here",
                entry->number);
            return;
        }
    }
    say(checking, "approvals", true, "%zu, each with the report that it was given for", given);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static bool take_manifest(struct checking *checking, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    const char *run = NULL;
    int version = 0;
    json_t *digests = NULL;
    if (!read_file(checking, BUNDLE_MANIFEST, &bytes, error))
        return error_add(error, "no bundle");
    struct slice text = slice_of_bytes(bytes);
    bundle_digest(text, checking->verdict->manifest);
    checking->manifest = json_loadb((const char *)text.data, text.len, 0, NULL);
    bool ok =
        json_unpack(checking->manifest, "{s:i, s:s, s:o}", "bundle", &version, "run", &run, "digests", &digests) == 0 &&
        bundle_unhex(json_object_get(digests, "plan"), checking->digests.plan) &&
        bundle_unhex(json_object_get(digests, "spec"), checking->digests.spec) &&
        bundle_unhex(json_object_get(digests, "contract"), checking->digests.contract) &&
        bundle_unhex(json_object_get(digests, "transform"), checking->digests.transform);
    if (!ok)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s/" BUNDLE_MANIFEST ": it is no manifest of a bundle",
                         checking->dir);
    checking->verdict->run = g_strdup(run);
    return version == BUNDLE_VERSION ||
           error_set(error, SLUICE_ERROR_CORRUPT, "%s/" BUNDLE_MANIFEST ": version %d; this sluice knows %d",
                     checking->dir, version, BUNDLE_VERSION);
}

static void check_all(struct checking *checking)
{
    check_files(checking);
    check_plan(checking);
    check_texts(checking);
    if (!read_entries(checking))
        return;
    check_chain(checking);
    check_digests(checking);
    check_approvals(checking);
}

bool audit_bundle_verify(const struct world *world, const char *dir, const uint8_t *head, struct bundle_verdict *ret,
                         GError **error)
{
    auto_(arena) mem = arena_new(MEM_BYTES);
    if (sodium_init() < 0)
        return error_set(error, SLUICE_ERROR_INTERNAL, "libsodium does not start");
    *ret = (struct bundle_verdict){.ok = true, .checks = g_array_new(FALSE, FALSE, sizeof(struct bundle_check))};
    struct checking checking = {.world = world, .dir = dir, .head = head, .verdict = ret, .mem = mem};
    checking.entries = g_array_new(FALSE, FALSE, sizeof(struct ledger_entry));
    bool there = take_manifest(&checking, error);
    if (there)
        check_all(&checking);
    g_array_unref(checking.entries);
    json_decref(checking.manifest);
    if (!there)
        bundle_verdict_done(ret);
    return there;
}

void bundle_verdict_done(struct bundle_verdict *verdict)
{
    for (guint i = 0; verdict->checks && i < verdict->checks->len; i++) {
        struct bundle_check *check = &g_array_index(verdict->checks, struct bundle_check, i);
        g_free(check->name);
        g_free(check->words);
    }
    g_clear_pointer(&verdict->checks, g_array_unref);
    g_clear_pointer(&verdict->run, g_free);
}
