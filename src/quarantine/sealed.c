#include "quarantine/sealed.h"

#include <jansson.h>

#include "base/hex.h"

#define SEALED ",\"sealed\":\""

static bool find_key(struct line_whose *io, const char *sealed_as, bool *ret_found, GError **error)
{
    return world_seal_key(io->world, io->run_uid, sealed_as, &io->key, ret_found, error);
}

bool line_whose_find(struct line_whose *ret, const struct quarantine_config *config, GError **error)
{
    bool found = false;
    struct line_whose whose = {.world = config->world};
    memcpy(whose.run_uid, config->run_uid, sizeof whose.run_uid);
    if (config->sealed_as && !find_key(&whose, config->sealed_as, &found, error))
        return error_add(error, "%s", config->path);
    whose.sealed_as = found ? config->sealed_as : NULL;
    *ret = whose;
    return true;
}

bool line_whose_read(struct line_whose *ret, const struct world *world, struct slice first, GError **error)
{
    bool found = true;
    const char *run, *kind;
    struct line_whose whose = {.world = world};
    json_t *root = json_loadb((const char *)first.data, first.len, 0, NULL);
    if (json_unpack(root, "{s:s, s:s}", "run", &run, "sealed", &kind) == 0 &&
        hex_parse(slice_of_text(run), whose.run_uid, sizeof whose.run_uid)) {
        whose.sealed_as = strcmp(kind, "reports") == 0 ? "reports" : "quarantine";
        if (!find_key(&whose, whose.sealed_as, &found, error)) {
            json_decref(root);
            return false;
        }
    }
    json_decref(root);
    if (!found)
        return error_set(
            error, SLUICE_ERROR_REFUSED,
            "it is sealed, and its key is not in this home: it has expired, or the file is of another home");
    *ret = whose;
    return true;
}

/* What a sealed row belongs to. */
static char *about(const struct line_whose *whose, const struct line_head *head)
{
    char uid[HEX_TEXT(sizeof whose->run_uid)];
    return g_strdup_printf("row %s %u %u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                           hex_text(whose->run_uid, sizeof whose->run_uid, uid), head->part, head->lane,
                           (guint64)head->checkpoint, (guint64)head->number);
}

void line_seal(const struct line_whose *whose, const struct line_head *head, GString *io, gsize from)
{
    if (!whose->sealed_as)
        return;
    g_autofree char *row = about(whose, head);
    g_autofree char *text =
        seal_text(&whose->key, whose->world, slice_of_text(row), slice_of(io->str + from, io->len - from));
    g_string_truncate(io, from);
    g_string_append_printf(io, SEALED "%s\"", text);
}

bool line_unseal(const struct line_whose *whose, struct slice line, struct arena *mem, struct slice *ret,
                 GError **error)
{
    struct line_head head;
    struct slice rest;
    size_t open = strlen(SEALED), close = strlen("\"}");
    *ret = line;
    if (!whose->sealed_as)
        return true;
    if (!line_rest(line, &head, &rest) || rest.len < open + close || memcmp(rest.data, SEALED, open) != 0)
        return error_set(error, SLUICE_ERROR_CORRUPT, "a row verifies, but is not sealed where all others are");
    g_autofree char *row = about(whose, &head);
    g_autoptr(GString) text = g_string_new_len((const char *)line.data, (gssize)(line.len - rest.len));
    struct slice base64 = slice_of(rest.data + open, rest.len - open - close);
    if (!seal_text_open(&whose->key, slice_of_text(row), base64, text))
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "row %" G_GUINT64_FORMAT " verifies, but the key does not open it", (guint64)head.number);
    g_string_append_c(text, '}');
    line_check(text, 0);
    return arena_copy(mem, slice_of(text->str, text->len), ret) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "a quarantined record of %zu bytes needs more memory", line.len);
}
