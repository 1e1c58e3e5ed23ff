#include "audit/export.h"

#include <sodium.h>
#include <string.h>

#include "audit/files.h"
#include "base/file.h"

enum { PAGE = 256, PAGE_BYTES = 256 << 20, ENTRY_BYTES = 16 << 20 };

/* --- making ------------------------------------------------------------------------------------------------------- */

static bool put_page(struct file *file, const struct ledger_entries *entries, struct audit_exported *io, GError **error)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    for (size_t i = 0; i < entries->n; i++) {
        if (!bundle_entry_put(lines, &entries->rows[i], error))
            return false;
        io->entries = entries->rows[i].number;
        memcpy(io->head, entries->rows[i].digest, sizeof io->head);
    }
    return file_append(file, slice_of(lines->str, lines->len), NULL, error);
}

static bool put_all(const struct audit_export *wish, struct file *file, struct audit_exported *io, GError **error)
{
    auto_(arena) mem = arena_new(PAGE_BYTES);
    struct ledger_entries entries;
    do {
        arena_reset(mem);
        if (!ledger_read(wish->catalog, io->entries + 1, PAGE, mem, &entries, error) ||
            !put_page(file, &entries, io, error))
            return false;
    } while (entries.n == PAGE);
    return file_sync_durable(file, error);
}

/* Who took it. */
static bool record(const struct audit_export *wish, const struct audit_exported *made, GError **error)
{
    json_t *object = json_pack("{s:I, s:o, s:s}", "entries", (json_int_t)made->entries, "head", bundle_hex(made->head),
                               "what", "ledger");
    char *details = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    struct ledger_entry entry = {
        .actor = wish->act.actor, .action = "export", .reason = wish->act.reason, .details = details};
    bool ok = ledger_append(wish->catalog, &entry, error);
    free(details);
    json_decref(object);
    return ok;
}

bool audit_export_durable(const struct audit_export *wish, struct audit_exported *ret, GError **error)
{
    auto_(file) file = NULL;
    struct audit_exported made = {0};
    g_autofree char *aside = g_strconcat(wish->path, ".tmp", NULL);
    if (!file_open(&file, wish->world, aside, FILE_REPLACE, error) || !put_all(wish, file, &made, error) ||
        !file_rename_durable(wish->world, aside, wish->path, error) || !record(wish, &made, error))
        return false;
    *ret = made;
    return true;
}

/* --- checking ----------------------------------------------------------------------------------------------------- */

struct checking {
    struct arena *mem; /* of one entry */
    const uint8_t *head;
    bool met;
    uint8_t head_now[32]; /* of the last entry */
    struct ledger_verdict verdict;
};

static void breaks(struct checking *checking, uint64_t number, const char *text)
{
    checking->verdict.ok = false;
    checking->verdict.number = number;
    checking->verdict.text = text;
}

/* False: the chain ends here. */
static bool take_line(struct checking *checking, const char *line)
{
    struct ledger_entry entry;
    uint8_t digest[32];
    uint64_t number = checking->verdict.entries + 1;
    json_t *value = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    arena_reset(checking->mem);
    bool read = value && bundle_entry_read(value, checking->mem, &entry);
    json_decref(value);
    if (!read) {
        breaks(checking, number, "the line is no entry");
        return false;
    }
    ledger_entry_digest(&entry, digest);
    if (memcmp(digest, entry.digest, sizeof digest) != 0)
        breaks(checking, number, "it is not what was written");
    else if (entry.number != number || memcmp(entry.previous, checking->head_now, 32) != 0)
        breaks(checking, number, "it does not follow the one before it");
    checking->met |= checking->head && memcmp(entry.digest, checking->head, 32) == 0;
    if (!checking->verdict.ok)
        return false;
    memcpy(checking->head_now, entry.digest, sizeof checking->head_now);
    checking->verdict.entries++;
    return true;
}

bool audit_export_verify(const struct world *world, const char *path, const uint8_t *head,
                         struct audit_export_verdict *ret, GError **error)
{
    auto_(arena) mem = arena_new(ENTRY_BYTES);
    g_autoptr(GBytes) bytes = NULL;
    struct checking checking = {.mem = mem, .head = head, .verdict = {.ok = true}};
    if (sodium_init() < 0)
        return error_set(error, SLUICE_ERROR_INTERNAL, "libsodium does not start");
    if (!file_read_all(world, path, BUNDLE_CAP, &bytes, error))
        return false;
    gsize len;
    const void *start = g_bytes_get_data(bytes, &len);
    struct slice text = slice_of(start, len);
    if (text.len == 0 || text.data[0] != '{')
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: it is no ledger that `sluice audit export` wrote", path);
    for (const uint8_t *at = text.data, *end = text.data + text.len; at < end;) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        g_autofree char *line = g_strndup((const char *)at, (size_t)((newline ? newline : end) - at));
        if (!newline)
            breaks(&checking, checking.verdict.entries + 1, "the end of the line was lost");
        if (!newline || !take_line(&checking, line))
            break;
        at = newline + 1;
    }
    if (checking.verdict.ok && head && !checking.met)
        breaks(&checking, checking.verdict.entries, "the chain does not hold the head that is known from elsewhere");
    *ret = (struct audit_export_verdict){.chain = checking.verdict};
    memcpy(ret->head, checking.head_now, sizeof ret->head);
    return true;
}
