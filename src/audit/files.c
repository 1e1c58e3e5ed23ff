#include "audit/files.h"

#include <sodium.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/tar.h"

void bundle_digest(struct slice bytes, uint8_t ret[32])
{
    crypto_generichash(ret, 32, bytes.data, bytes.len, NULL, 0);
}

json_t *bundle_hex(const uint8_t digest[32])
{
    char text[HEX_TEXT(32)];
    return json_string(hex_text(digest, 32, text));
}

bool bundle_unhex(const json_t *value, uint8_t ret[32])
{
    const char *text = json_string_value(value);
    return text && hex_parse(slice_of_text(text), ret, 32);
}

bool bundle_write(const struct audit_bundle *wish, const char *path, struct slice bytes, GError **error)
{
    g_autofree char *whole = g_build_filename(wish->dir, path, NULL), *folder = g_path_get_dirname(whole);
    if (wish->archive)
        return tar_put(wish->archive, &(struct tar_file){whole, bytes, world_wall_ms(wish->world)}, error) &&
               (wish->archive->len <= wish->archive_most ||
                error_set(error, SLUICE_ERROR_TOO_BIG,
                          "%s: the record is too large for an archive; `sluice audit bundle %s -o DIR` writes it",
                          wish->run, wish->run));
    return file_make_dirs(wish->world, folder, error) && file_replace_durable(wish->world, whole, bytes, error);
}

bool bundle_put(const struct audit_bundle *wish, json_t *files, const char *path, struct slice bytes, GError **error)
{
    uint8_t digest[32];
    if (!bundle_write(wish, path, bytes, error))
        return false;
    bundle_digest(bytes, digest);
    json_array_append_new(files, json_pack("{s:s, s:I, s:o}", "path", path, "bytes", (json_int_t)bytes.len, "blake2b",
                                           bundle_hex(digest)));
    return true;
}

static json_t *text_json(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *entry_json(const struct ledger_entry *entry)
{
    return json_pack("{s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "number",
                     (json_int_t)entry->number, "at_ms", (json_int_t)entry->at_ms, "actor", entry->actor, "action",
                     entry->action, "reason", text_json(entry->reason), "run", text_json(entry->run), "plan_digest",
                     bundle_hex(entry->digests.plan), "spec_digest", bundle_hex(entry->digests.spec), "contract_digest",
                     bundle_hex(entry->digests.contract), "transform_digest", bundle_hex(entry->digests.transform),
                     "details", text_json(entry->details), "previous", bundle_hex(entry->previous), "digest",
                     bundle_hex(entry->digest));
}

bool bundle_entry_put(GString *into, const struct ledger_entry *entry, GError **error)
{
    json_t *line = entry_json(entry);
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    if (text)
        g_string_append_printf(into, "%s\n", text);
    free(text);
    return text || error_set(error, SLUICE_ERROR_CORRUPT, "entry %" G_GUINT64_FORMAT " of the ledger is not UTF-8",
                             entry->number);
}

/* NULL where it is null. */
static const char *text_of(const json_t *line, const char *name, struct arena *mem)
{
    const char *text = json_string_value(json_object_get(line, name));
    return text ? arena_text(mem, slice_of_text(text)) : NULL;
}

bool bundle_entry_read(const json_t *line, struct arena *mem, struct ledger_entry *ret)
{
    struct {
        const char *name;
        uint8_t *into;
    } digests[] = {{"plan_digest", ret->digests.plan},
                   {"spec_digest", ret->digests.spec},
                   {"contract_digest", ret->digests.contract},
                   {"transform_digest", ret->digests.transform},
                   {"previous", ret->previous},
                   {"digest", ret->digest}};
    *ret = (struct ledger_entry){.number = (uint64_t)json_integer_value(json_object_get(line, "number")),
                                 .at_ms = json_integer_value(json_object_get(line, "at_ms")),
                                 .actor = text_of(line, "actor", mem),
                                 .action = text_of(line, "action", mem),
                                 .reason = text_of(line, "reason", mem),
                                 .run = text_of(line, "run", mem),
                                 .details = text_of(line, "details", mem)};
    for (size_t i = 0; i < G_N_ELEMENTS(digests); i++)
        if (!bundle_unhex(json_object_get(line, digests[i].name), digests[i].into))
            return false;
    return ret->actor && ret->action;
}
