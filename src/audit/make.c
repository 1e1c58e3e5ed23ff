#include "audit/files.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/tar.h"
#include "base/units.h"
#include "plan/texts.h"

#define PAGE      256
#define MEM_BYTES (256u << 20)

struct making {
    const struct audit_bundle *wish;
    struct arena *mem;
    struct run_row run;
    json_t *files;
    uint64_t first, last;
    uint8_t head[32];
};

static bool put_json(struct making *making, const char *path, json_t *value, GError **error)
{
    char *text = json_dumps(value, JSON_INDENT(1));
    bool ok = text ? bundle_put(making->wish, making->files, path, slice_of_text(text), error)
                   : error_set(error, SLUICE_ERROR_CORRUPT, "%s: it holds text that is not UTF-8", path);
    free(text);
    json_decref(value);
    return ok;
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static json_t *stages_json(const struct stage_row *stages, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:o}", "name", stages[i].name, "state",
                                              stage_state_word(stages[i].state), "attempt",
                                              (json_int_t)stages[i].attempt, "report", bundle_hex(stages[i].report)));
    return list;
}

static json_t *tally_json(const struct tally *tally)
{
    json_t *object = json_object();
    for (int i = 0; i < OUTCOME_COUNT; i++)
        json_object_set_new(object, outcome_row((enum outcome)i)->word, json_integer((json_int_t)tally->of[i]));
    return object;
}

static bool put_run(struct making *making, GError **error)
{
    const struct run_row *run = &making->run;
    struct stage_row *stages;
    size_t n;
    if (!catalog_stages(making->wish->catalog, run->id, making->mem, &stages, &n, error))
        return false;
    return put_json(making, BUNDLE_RUN,
                    json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "run", run->name, "spec",
                              run->spec_name, "state", run_state_word(run->state), "target", run->target, "author",
                              run->author ? run->author : "", "started_at_ms", (json_int_t)run->started_ms,
                              "updated_at_ms", (json_int_t)run->updated_ms, "bytes_read", (json_int_t)run->bytes_read,
                              "bytes_written", (json_int_t)run->bytes_written, "records", tally_json(&run->tally),
                              "stages", stages_json(stages, n)),
                    error);
}

static bool put_plan(struct making *making, GError **error)
{
    struct slice plan;
    return catalog_plan(making->wish->catalog, making->run.id, making->mem, &plan, error) &&
           bundle_put(making->wish, making->files, BUNDLE_PLAN, plan, error);
}

static bool put_texts(struct making *making, GError **error)
{
    const struct audit_bundle *wish = making->wish;
    struct plan_config config = {.world = wish->world, .home = catalog_home(wish->catalog)};
    struct plan_texts texts;
    if (!plan_texts_read(&config, &making->run, making->mem, &texts, error))
        return false;
    for (size_t i = 0; i < texts.n; i++) {
        g_autofree char *base = g_path_get_basename(texts.texts[i].name);
        g_autofree char *path = g_strdup_printf("texts/%zu-%s-%s", i + 1, texts.texts[i].what, base);
        if (!bundle_put(wish, making->files, path, texts.texts[i].text, error))
            return false;
    }
    return true;
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

/* A file beside a report, where there is one and it has not expired. */
static bool put_beside(struct making *making, const struct report_row *report, const char *from, const char *ending,
                       GError **error)
{
    const struct world *world = making->wish->world;
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    if (!from || !file_exists(world, from))
        return true;
    if (!file_read_all(world, from, BUNDLE_CAP, &bytes, error))
        return false;
    const void *data = g_bytes_get_data(bytes, &len);
    g_autofree char *path = g_strdup_printf("reports/%" G_GINT64_FORMAT ".%s", report->id, ending);
    return bundle_put(making->wish, making->files, path, slice_of(data, len), error);
}

static bool put_page(struct making *making, const struct report_row *report, GError **error)
{
    json_t *summary = json_loadb((const char *)report->summary.data, report->summary.len, 0, NULL);
    bool ok = put_beside(making, report, json_string_value(json_object_get(summary, "page")), "html", error);
    json_decref(summary);
    return ok;
}

static bool put_reports(struct making *making, GError **error)
{
    struct report_row *reports;
    size_t n;
    if (!catalog_reports(making->wish->catalog, making->run.id, making->mem, &reports, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        g_autofree char *path = g_strdup_printf("reports/%" G_GINT64_FORMAT ".json", reports[i].id);
        if (!bundle_put(making->wish, making->files, path, reports[i].summary, error) ||
            !put_beside(making, &reports[i], reports[i].path, "ndjson", error) || !put_page(making, &reports[i], error))
            return false;
    }
    return true;
}

/* --- the ledger --------------------------------------------------------------------------------------------------- */

static bool is_of(const struct making *making, const struct ledger_entry *entry)
{
    return entry->run && strcmp(entry->run, making->run.name) == 0;
}

/* Its first entry and its last. */
static bool find_slice(struct making *making, GError **error)
{
    struct ledger_entries entries = {.n = PAGE};
    for (uint64_t from = 1; entries.n == PAGE; from += entries.n) {
        auto_(arena) mem = arena_new(MEM_BYTES);
        if (!ledger_read(making->wish->catalog, from, PAGE, mem, &entries, error))
            return false;
        for (size_t i = 0; i < entries.n; i++) {
            if (!is_of(making, &entries.rows[i]))
                continue;
            making->first = making->first ? making->first : entries.rows[i].number;
            making->last = entries.rows[i].number;
            memcpy(making->head, entries.rows[i].digest, 32);
        }
    }
    return making->first > 0 ||
           error_set(error, SLUICE_ERROR_CORRUPT, "%s: the ledger has no entry of it", making->run.name);
}

static void put_time_line(GString *into, const struct ledger_entry *entry)
{
    char when[UNITS_TEXT];
    g_string_append_printf(into, "%5" G_GUINT64_FORMAT "  %s  %-16s %s%s%s\n", entry->number,
                           units_time(entry->at_ms, when), entry->action, entry->actor, entry->reason ? ": " : "",
                           entry->reason ? entry->reason : "");
}

static bool put_ledger(struct making *making, GError **error)
{
    g_autoptr(GString) lines = g_string_new(NULL), times = g_string_new(NULL);
    if (!find_slice(making, error))
        return false;
    for (uint64_t from = making->first; from <= making->last; from += PAGE) {
        auto_(arena) mem = arena_new(MEM_BYTES);
        struct ledger_entries entries;
        size_t most = (size_t)MIN((uint64_t)PAGE, making->last - from + 1);
        if (!ledger_read(making->wish->catalog, from, most, mem, &entries, error))
            return false;
        for (size_t i = 0; i < entries.n; i++) {
            if (!bundle_entry_put(lines, &entries.rows[i], error))
                return false;
            if (is_of(making, &entries.rows[i]))
                put_time_line(times, &entries.rows[i]);
        }
    }
    return bundle_put(making->wish, making->files, BUNDLE_LEDGER, slice_of(lines->str, lines->len), error) &&
           bundle_put(making->wish, making->files, BUNDLE_TIMELINE, slice_of(times->str, times->len), error);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static json_t *digests_json(const struct plan_digests *digests)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "plan", bundle_hex(digests->plan), "spec", bundle_hex(digests->spec),
                     "contract", bundle_hex(digests->contract), "transform", bundle_hex(digests->transform));
}

static bool put_manifest(struct making *making, struct bundle_made *ret, GError **error)
{
    const struct audit_bundle *wish = making->wish;
    char uid[HEX_TEXT(16)];
    json_t *manifest =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:{s:I, s:I, s:o}, s:O}", "bundle", BUNDLE_VERSION, "run",
                  making->run.name, "uid", hex_text(making->run.uid, 16, uid), "home", catalog_home_id(wish->catalog),
                  "made_by", wish->act.actor, "made_at_ms", (json_int_t)world_wall_ms(wish->world), "digests",
                  digests_json(&making->run.digests), "ledger", "first", (json_int_t)making->first, "last",
                  (json_int_t)making->last, "head", bundle_hex(making->head), "files", making->files);
    char *text = json_dumps(manifest, JSON_INDENT(1));
    json_decref(manifest);
    bundle_digest(slice_of_text(text), ret->manifest);
    bool ok = bundle_write(wish, BUNDLE_MANIFEST, slice_of_text(text), error);
    free(text);
    ret->files = json_array_size(making->files) + 1;
    ret->first = making->first;
    ret->last = making->last;
    return ok;
}

static bool end_archive(const struct audit_bundle *wish)
{
    if (wish->archive)
        tar_end(wish->archive);
    return true;
}

/* Who took it. */
static bool record(const struct making *making, const struct bundle_made *made, GError **error)
{
    char digest[HEX_TEXT(32)];
    g_autofree char *details =
        g_strdup_printf("{\"manifest\":\"%s\",\"what\":\"bundle\"}", hex_text(made->manifest, 32, digest));
    struct ledger_entry entry = {.actor = making->wish->act.actor,
                                 .action = "export",
                                 .reason = making->wish->act.reason,
                                 .run = making->run.name,
                                 .digests = making->run.digests,
                                 .details = details};
    return ledger_append(making->wish->catalog, &entry, error);
}

bool audit_bundle_make(const struct audit_bundle *wish, struct bundle_made *ret, GError **error)
{
    auto_(arena) mem = arena_new(MEM_BYTES);
    struct making making = {.wish = wish, .mem = mem};
    struct bundle_made made = {0};
    if (!wish->archive && file_exists(wish->world, wish->dir))
        return error_set(error, SLUICE_ERROR_REFUSED, "%s: something stands there; name a folder that is not there yet",
                         wish->dir);
    if (!catalog_run_get(wish->catalog, wish->run, mem, &making.run, error))
        return false;
    making.files = json_array();
    bool ok = put_run(&making, error) && put_plan(&making, error) && put_texts(&making, error) &&
              put_reports(&making, error) && put_ledger(&making, error) && put_manifest(&making, &made, error) &&
              end_archive(wish) && record(&making, &made, error);
    json_decref(making.files);
    if (ok)
        *ret = made;
    return ok;
}
