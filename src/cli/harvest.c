#include "cli/harvest.h"

#include "base/file.h"
#include "plan/home.h"
#include "quarantine/quarantine.h"
#include "record/mask.h"
#include "run/retain.h"
#include "transform/fixture.h"
#include "verify/lines.h"

#define RECORD_BYTES (128u << 20)

/* --- whose keys ----------------------------------------------------------------------------------------------------
 */

struct keys {
    GArray *into; /* of struct slice */
    GHashTable *seen;
    uint64_t most, keyless;
    struct arena *mem;
};

static bool add_key(struct keys *keys, struct slice key, GError **error)
{
    struct slice kept;
    g_autofree char *text = g_base64_encode(key.data, key.len);
    if (key.len == 0) {
        keys->keyless++;
        return true;
    }
    if (keys->into->len >= keys->most || g_hash_table_contains(keys->seen, text))
        return true;
    if (!arena_copy(keys->mem, key, &kept))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the keys do not fit into memory");
    g_hash_table_add(keys->seen, g_steal_pointer(&text));
    g_array_append_val(keys->into, kept);
    return true;
}

static bool add_refused(struct keys *keys, const struct cli *cli, const struct run_row *run, GError **error)
{
    auto_(quarantine_reader) reader = NULL;
    auto_(arena) mem = arena_new(RECORD_BYTES);
    struct quarantine_filter filter = {0};
    struct quarantine_entry *entry;
    g_autofree char *path = home_path(cli->home, HOME_QUARANTINE, run->name);
    struct quarantine_config config = {.world = cli->world, .path = path, .sealed_as = "quarantine"};
    memcpy(config.run_uid, run->uid, sizeof run->uid);
    if (!quarantine_reader_open(&reader, &config, &filter, error))
        return false;
    do {
        arena_reset(mem);
        if (!quarantine_next(reader, mem, &entry, error) || (entry && !add_key(keys, entry->key, error)))
            return false;
    } while (entry && keys->into->len < keys->most);
    return true;
}

/* The newest report of its stages: the names end with the time. NULL: there is none. */
static char *newest_report(const struct cli *cli, const struct run_row *run)
{
    g_autofree char *dir = home_path(cli->home, HOME_REPORTS, run->name);
    g_autoptr(GPtrArray) names = NULL;
    if (!file_exists(cli->world, dir) || !file_list(cli->world, dir, &names, NULL))
        return NULL;
    for (guint i = names->len; i > 0; i--)
        if (g_str_has_prefix(names->pdata[i - 1], "verify-") && g_str_has_suffix(names->pdata[i - 1], ".ndjson"))
            return g_build_filename(dir, names->pdata[i - 1], NULL);
    return NULL;
}

static bool add_line(void *self, const struct report_line *line, GError **error)
{
    struct keys *keys = self;
    return keys->into->len >= keys->most || add_key(keys, line->from, error);
}

static bool add_different(struct keys *keys, const struct cli *cli, const struct run_row *run, GError **error)
{
    g_autofree char *path = newest_report(cli, run);
    struct report_lines into = {.line = add_line, .self = keys};
    uint8_t digest[32];
    return !path || report_read(cli->world, path, &into, digest, error);
}

bool harvest_keys(struct cli *cli, uint64_t most, GArray *into, struct arena *mem, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) rows = arena_new(RECORD_BYTES);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct keys keys = {.into = into, .seen = seen, .most = most, .mem = mem};
    struct run_row run;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) ||
        !catalog_run_get(catalog, cli->values[OPTION_KEYS_FROM], rows, &run, error) ||
        !retain_stands(catalog, &run, EXPIRY_QUARANTINE, error) ||
        !retain_stands(catalog, &run, EXPIRY_REPORTS, error) || !add_refused(&keys, cli, &run, error) ||
        !add_different(&keys, cli, &run, error))
        return false;
    return into->len > 0 ||
           error_set(error, SLUICE_ERROR_NOT_FOUND,
                     "%s: there is no record with a key that it refused or that its verification found different%s",
                     run.name, keys.keyless ? "; those it refused were no documents" : "");
}

/* --- fixtures ------------------------------------------------------------------------------------------------------
 */

struct harvest {
    struct cli *cli;
    const struct plan *plan;
    const char *path;
    struct fixture_bench *bench;
    struct mask *mask; /* NULL: nothing is masked */
    struct arena *mem;
    GHashTable *lines; /* of char *: in the file, or made */
    GString *text;     /* of the file as it will be */
    size_t added, there, no_document, changed;
};

/* What is in the file already. */
static bool read_file(struct harvest *harvest, GError **error)
{
    auto_(fixtures) fixtures = NULL;
    if (!file_exists(harvest->cli->world, harvest->path))
        return true;
    if (!fixtures_read(&fixtures, harvest->cli->world, harvest->path, error))
        return error_add(error, "--out: fixtures are added to a file of fixtures only");
    g_string_append_len(harvest->text, (const char *)fixtures->text.data, (gssize)fixtures->text.len);
    if (harvest->text->len && !g_str_has_suffix(harvest->text->str, "\n"))
        g_string_append_c(harvest->text, '\n');
    for (size_t i = 0; i < fixtures->n; i++)
        g_hash_table_add(harvest->lines,
                         g_strndup((const char *)fixtures->fixtures[i].text.data, fixtures->fixtures[i].text.len));
    return true;
}

static bool make_mask(struct harvest *harvest, GError **error)
{
    const char *asked = harvest->cli->values[OPTION_MASK];
    if (!asked)
        return true;
    g_auto(GStrv) fields = g_strsplit(asked, ",", -1);
    return mask_new(&harvest->mask, harvest->cli->world, (const char *const *)fields, g_strv_length(fields), error);
}

bool harvest_new(struct harvest **ret, struct cli *cli, const struct plan *plan, GError **error)
{
    struct harvest *harvest = g_new0(struct harvest, 1);
    harvest->cli = cli;
    harvest->plan = plan;
    harvest->path = cli->values[OPTION_OUT];
    harvest->bench = fixture_bench_new(plan->recipe, plan->spec);
    harvest->mem = arena_new(RECORD_BYTES);
    harvest->lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    harvest->text = g_string_new(NULL);
    if (make_mask(harvest, error) && read_file(harvest, error)) {
        *ret = harvest;
        return true;
    }
    harvest_free(harvest);
    return false;
}

void harvest_free(struct harvest *harvest)
{
    if (!harvest)
        return;
    fixture_bench_free(harvest->bench);
    mask_free(harvest->mask);
    arena_free(harvest->mem);
    g_hash_table_unref(harvest->lines);
    g_string_free(harvest->text, TRUE);
    g_free(harvest);
}

/* What came, without the values: whether masking changes that is what is asked. */
static char *gist_of(struct slice document, const struct fixture_result *result, struct arena *mem)
{
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(struct diff_change));
    GString *gist = g_string_new(NULL);
    g_string_printf(gist, "%d %zu %s", (int)result->verdict, result->n_out,
                    result->verdict == TRANSFORM_REJECTED ? error_row(result->reason.code)->name : "");
    for (size_t i = 0; i < result->n_out; i++)
        diff_documents(document, result->out[i], mem, changes, NULL);
    for (guint i = 0; i < changes->len; i++)
        g_string_append_printf(gist, " %s", g_array_index(changes, struct diff_change, i).path);
    return g_string_free(gist, FALSE);
}

static bool run_gist(struct harvest *harvest, const struct fixture *fixture, struct fixture_result *ret,
                     char **ret_gist, GError **error)
{
    if (!fixture_run(harvest->bench, fixture, ret, error))
        return false;
    *ret_gist = gist_of(fixture->document, ret, harvest->mem);
    return true;
}

/* A source whose records have no keys of their own makes them of the record. */
static bool take_key(struct harvest *harvest, const struct try_record *record, struct fixture *into, GError **error)
{
    into->has_key = harvest->plan->spec->source.key.n == 0 && record->key.len > 0;
    into->key = record->key;
    return !into->has_key || !harvest->mask || mask_key(harvest->mask, record->key, harvest->mem, &into->key, error);
}

static bool put_line(struct harvest *harvest, const struct fixture *fixture, const struct fixture_result *result,
                     GError **error)
{
    g_autoptr(GString) line = g_string_new(NULL);
    if (!fixture_put(line, fixture, result, error))
        return false;
    bool new = g_hash_table_add(harvest->lines, g_strdup(line->str));
    if (new)
        g_string_append_printf(harvest->text, "%s\n", line->str);
    harvest->added += new;
    harvest->there += !new;
    return true;
}

bool harvest_record(struct harvest *harvest, const struct try_record *record, GError **error)
{
    struct fixture fixture = {.document = record->document, .reason = "", .verdict = TRANSFORM_FILTERED};
    struct fixture_result result;
    g_autofree char *before = NULL, *after = NULL;
    arena_reset(harvest->mem);
    if (record->document.len == 0) {
        harvest->no_document++;
        return true;
    }
    fixture.has_key = harvest->plan->spec->source.key.n == 0;
    fixture.key = record->key;
    if (!run_gist(harvest, &fixture, &result, &before, error) ||
        (harvest->mask && !mask_document(harvest->mask, record->document, harvest->mem, &fixture.document, error)) ||
        !take_key(harvest, record, &fixture, error) || !run_gist(harvest, &fixture, &result, &after, error))
        return false;
    harvest->changed += strcmp(before, after) != 0;
    return put_line(harvest, &fixture, &result, error);
}

/* A name that no record has may be a slip, and then what it should have hidden stands there. */
bool harvest_write(struct harvest *harvest, GError **error)
{
    const char *unmet = harvest->mask ? mask_unmet(harvest->mask) : NULL;
    struct slice text = slice_of(harvest->text->str, harvest->text->len);
    if (unmet)
        return error_set(error, SLUICE_ERROR_USAGE,
                         "--mask: none of the records has the field '%s'; nothing was written to %s", unmet,
                         harvest->path);
    return harvest->added == 0 || file_replace_durable(harvest->cli->world, harvest->path, text, error);
}

/* Beside the results: standard output may be JSON. */
void harvest_tell(const struct harvest *harvest)
{
    FILE *err = harvest->cli->err;
    if (cli_has(harvest->cli, OPTION_QUIET))
        return;
    fprintf(err, "%zu fixtures added to %s", harvest->added, harvest->path);
    if (harvest->there)
        fprintf(err, "; %zu stood there already", harvest->there);
    if (harvest->no_document)
        fprintf(err, "; %zu records could not be read and are none", harvest->no_document);
    fputc('\n', err);
    if (harvest->changed)
        fprintf(err, "masking changes what comes of %zu of them: the fixtures say what comes of the masked record\n",
                harvest->changed);
    if (!harvest->plan->spec->transform.tests)
        fprintf(err, "name the file in the spec, so that `sluice test` finds it: transform: { tests: FILE }\n");
}
