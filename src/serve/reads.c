/* What is looked at: by the functions that the command line calls. */
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/int.h"
#include "catalog/pages.h"
#include "plan/texts.h"
#include "record/document.h"
#include "run/limits.h"
#include "serve/server.h"
#include "verify/lines.h"
#include "view/audit.h"
#include "view/diff.h"
#include "view/refused.h"
#include "view/shape.h"
#include "view/told.h"

enum { PAGE_ROWS = 50, PAGE_MOST = 500, EXAMPLES = 10, REPORT_MOST = 256 << 20 };

static const struct number_wish LIMIT = {"limit", PAGE_ROWS, PAGE_MOST};

static struct look_from look_from(const struct desk *desk)
{
    return (struct look_from){
        .world = desk->server->config.world, .home = desk->server->config.home, .catalog = desk->catalog};
}

static struct run_config run_config(const struct desk *desk)
{
    return (struct run_config){.world = desk->server->config.world, .home = desk->server->config.home};
}

/* Of the path, behind the run. */
static bool number_of(const struct request *request, uint64_t *ret, GError **error)
{
    return int_parse_u64(slice_of_text(request->names[1]), ret) ||
           error_set(error, SLUICE_ERROR_USAGE, "%s: a number was expected", request->names[1]);
}

/* --- the server itself -------------------------------------------------------------------------------------------- */

bool serve_healthz(struct request *request, struct desk *desk, GError **error)
{
    answer_text(&request->answer, "ok\n");
    return true;
}

bool serve_readyz(struct request *request, struct desk *desk, GError **error)
{
    uint8_t head[32];
    uint64_t number;
    if (!ledger_head(desk->catalog, &number, head, error))
        return false;
    answer_json(&request->answer, json_pack("{s:s, s:b, s:b}", "type", "ready", "ready", true, "empty", number == 0));
    return true;
}

bool serve_openapi(struct request *request, struct desk *desk, GError **error)
{
    answer_json(&request->answer, route_openapi());
    return true;
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

struct chosen {
    const struct who *who;
    const char *spec;
    char **states; /* NULL: all */
};

static bool choose(void *self, const char *spec_name, enum run_state state)
{
    const struct chosen *chosen = self;
    return who_sees(chosen->who, spec_name) && (!chosen->spec || strcmp(chosen->spec, spec_name) == 0) &&
           (!chosen->states || g_strv_contains((const char *const *)chosen->states, run_state_word(state)));
}

static bool list_json(struct desk *desk, const struct run_row *runs, size_t n, json_t *into, GError **error)
{
    struct look_from from = look_from(desk);
    for (size_t i = 0; i < n; i++) {
        struct look look;
        if (!look_at_run(&from, &runs[i], desk->mem, &look, error))
            return false;
        json_array_append_new(into, look_json(&runs[i], &look));
        look_done(&look);
    }
    return true;
}

static json_t *next_json(uint64_t next)
{
    g_autofree char *text = next ? g_strdup_printf("%" G_GUINT64_FORMAT, next) : NULL;
    return shape_text(text);
}

bool serve_runs(struct request *request, struct desk *desk, GError **error)
{
    const char *states = request_query(request, "state");
    g_auto(GStrv) words = states ? g_strsplit(states, ",", -1) : NULL;
    struct chosen chosen = {.who = &request->who, .spec = request_query(request, "spec"), .states = words};
    struct runs_wish wish = {.take = choose, .self = &chosen};
    struct number_wish before_wish = {"before", 0, INT64_MAX};
    struct runs_page page;
    uint64_t limit, before;
    if (!request_number(request, &LIMIT, &limit, error) || !request_number(request, &before_wish, &before, error))
        return false;
    wish.most = limit;
    wish.before = (int64_t)before;
    if (!catalog_runs_page(desk->catalog, &wish, desk->mem, &page, error))
        return false;
    json_t *list = json_array();
    if (!list_json(desk, page.rows, page.n, list, error)) {
        json_decref(list);
        return false;
    }
    answer_json(&request->answer,
                json_pack("{s:s, s:o, s:o}", "type", "list", "runs", list, "next", next_json((uint64_t)page.next)));
    return true;
}

bool serve_stages(struct request *request, struct desk *desk, GError **error)
{
    struct run_row run;
    struct stage_row *stages;
    size_t n;
    if (!request_run(request, desk, &run, error) ||
        !catalog_stages(desk->catalog, run.id, desk->mem, &stages, &n, error))
        return false;
    answer_json(&request->answer,
                json_pack("{s:s, s:s, s:o}", "type", "stages", "run", run.name, "stages", shape_stages(stages, n)));
    return true;
}

static json_t *texts_json(const struct plan_texts *texts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < texts->n; i++) {
        const struct plan_text *text = &texts->texts[i];
        g_autofree char *words = g_strndup((const char *)text->text.data, text->text.len);
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "what", text->what, "name", shape_text(text->name),
                                              "text", shape_text(words)));
    }
    return list;
}

bool serve_plan(struct request *request, struct desk *desk, GError **error)
{
    struct plan_config config = {.world = desk->server->config.world, .home = desk->server->config.home};
    struct plan_texts texts;
    struct slice text;
    struct run_row run;
    if (!request_run(request, desk, &run, error) || !catalog_plan(desk->catalog, run.id, desk->mem, &text, error) ||
        !plan_texts_read(&config, &run, desk->mem, &texts, error))
        return false;
    json_t *plan = json_loadb((const char *)text.data, text.len, 0, NULL);
    answer_json(&request->answer, json_pack("{s:s, s:s, s:o, s:o, s:o}", "type", "plan", "run", run.name, "digest",
                                            shape_digest(run.digests.plan), "plan", plan ? plan : json_null(), "texts",
                                            texts_json(&texts)));
    return true;
}

enum { POINTS = 200, POINTS_MOST = 2000, MS = 1000 };

/* So long that there are no more stretches than that. */
static int64_t step_of(const struct run_row *run, uint64_t points)
{
    int64_t lasted_ms = MAX(run->updated_ms - run->started_ms, 1);
    return (lasted_ms / ((int64_t)MAX(points, 1) * MS) + 1) * MS;
}

/* A stretch is an array, so that a long run is a short answer. */
bool serve_history(struct request *request, struct desk *desk, GError **error)
{
    struct number_wish wish = {"points", POINTS, POINTS_MOST};
    struct course *rows;
    struct run_row run;
    uint64_t points;
    size_t n;
    if (!request_number(request, &wish, &points, error) || !request_run(request, desk, &run, error))
        return false;
    struct course_of of = {.run = run.id, .step_ms = step_of(&run, points)};
    int64_t from_ms = run.started_ms / of.step_ms * of.step_ms;
    if (!catalog_history(desk->catalog, &of, desk->mem, &rows, &n, error))
        return false;
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("[I, I, I, I, I, I, I]", (json_int_t)((rows[i].at_ms - from_ms) / MS),
                                              (json_int_t)rows[i].done, (json_int_t)rows[i].rejected,
                                              (json_int_t)rows[i].retried, (json_int_t)rows[i].bytes_read,
                                              (json_int_t)rows[i].bytes_written, (json_int_t)rows[i].slowest_ms));
    answer_json(&request->answer,
                json_pack("{s:s, s:s, s:o, s:I, s:[s, s, s, s, s, s, s], s:o}", "type", "history", "run", run.name,
                          "from", shape_time(from_ms), "step_s", (json_int_t)(of.step_ms / MS), "columns", "second",
                          "done", "rejected", "retried", "bytes_read", "bytes_written", "slowest_ms", "points", list));
    return true;
}

/* --- limits and hooks --------------------------------------------------------------------------------------------- */

static const struct setting *setting_of(const struct setting *settings, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(settings[i].key, key) == 0)
            return &settings[i];
    return NULL;
}

bool serve_limits(struct request *request, struct desk *desk, GError **error)
{
    struct run_config config = run_config(desk);
    struct run_row run;
    struct setting *settings;
    size_t n;
    if (!request_run(request, desk, &run, error) ||
        !catalog_settings(desk->catalog, run.id, desk->mem, &settings, &n, error))
        return false;
    json_t *list = json_array();
    for (size_t i = 0; limits_key(i); i++) {
        g_autofree char *value = NULL;
        const struct setting *set = setting_of(settings, n, limits_key(i));
        if (!run_setting(&config, run.name, limits_key(i), &value, error)) {
            json_decref(list);
            return false;
        }
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "key", limits_key(i), "value", shape_text(value),
                                              "set_by", shape_text(set ? set->actor : NULL), "set_at",
                                              set ? shape_time(set->at_ms) : json_null()));
    }
    answer_json(&request->answer, json_pack("{s:s, s:s, s:o}", "type", "limits", "run", run.name, "limits", list));
    return true;
}

bool serve_hooks(struct request *request, struct desk *desk, GError **error)
{
    struct told told;
    if (!request_run(request, desk, &told.run, error) || !told_read(desk->catalog, desk->mem, &told, error))
        return false;
    answer_json(&request->answer, told_json(&told));
    return true;
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

static json_t *report_json(struct desk *desk, const struct report_row *report, const struct stage_row *stages, size_t n)
{
    struct world_stat stat = {0};
    json_t *summary = json_loadb((const char *)report->summary.data, report->summary.len, 0, NULL);
    const char *stage = report->stage < n ? stages[report->stage].name : NULL;
    bool there = file_stat_path(desk->server->config.world, report->path, &stat, NULL);
    return json_pack("{s:I, s:o, s:o, s:s, s:o, s:o}", "number", (json_int_t)report->id, "at",
                     shape_time(report->at_ms), "stage", shape_text(stage), "verdict", report->verdict, "summary",
                     summary ? summary : json_null(), "bytes",
                     there ? json_integer((json_int_t)stat.size) : json_null());
}

struct reported {
    struct run_row run;
    struct report_row *rows;
    size_t n;
};

static bool reports_of(struct request *request, struct desk *desk, struct reported *ret, GError **error)
{
    return request_run(request, desk, &ret->run, error) &&
           catalog_reports(desk->catalog, ret->run.id, desk->mem, &ret->rows, &ret->n, error);
}

bool serve_reports(struct request *request, struct desk *desk, GError **error)
{
    struct reported reported;
    struct stage_row *stages;
    size_t n;
    if (!reports_of(request, desk, &reported, error) ||
        !catalog_stages(desk->catalog, reported.run.id, desk->mem, &stages, &n, error))
        return false;
    json_t *list = json_array();
    for (size_t i = reported.n; i-- > 0;)
        json_array_append_new(list, report_json(desk, &reported.rows[i], stages, n));
    answer_json(&request->answer,
                json_pack("{s:s, s:s, s:o}", "type", "reports", "run", reported.run.name, "reports", list));
    return true;
}

static bool take_line(void *self, const char *line, GError **error)
{
    GString *text = self;
    g_string_append(text, line);
    g_string_append_c(text, '\n');
    return text->len <= REPORT_MOST ||
           error_set(error, SLUICE_ERROR_TOO_BIG,
                     "the report has more than 256 MiB: `sluice dump` reads it from its file");
}

/* As it was before it was sealed. */
static bool report_text(const struct world *world, const char *path, GBytes **ret, GError **error)
{
    GString *text = g_string_new(NULL);
    struct document_lines into = {.line = take_line, .self = text};
    bool read = report_dump(world, path, &into, error);
    GBytes *bytes = g_string_free_to_bytes(text);
    if (read)
        *ret = bytes;
    else
        g_bytes_unref(bytes);
    return read;
}

bool serve_report(struct request *request, struct desk *desk, GError **error)
{
    struct reported reported;
    const char *path = NULL;
    uint64_t number;
    GBytes *bytes = NULL;
    if (!number_of(request, &number, error) || !reports_of(request, desk, &reported, error))
        return false;
    for (size_t i = 0; i < reported.n; i++)
        path = (uint64_t)reported.rows[i].id == number ? reported.rows[i].path : path;
    if (!path)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s has no report %s", reported.run.name, request->names[1]);
    if (!report_text(desk->server->config.world, path, &bytes, error))
        return false;
    request->answer.status = 200;
    request->answer.type = "application/x-ndjson";
    request->answer.body = bytes;
    request->answer.download = "report.ndjson";
    return true;
}

/* --- between runs, and the ledger --------------------------------------------------------------------------------- */

bool serve_diff(struct request *request, struct desk *desk, GError **error)
{
    struct look_from from = look_from(desk);
    struct number_wish examples = {"limit", EXAMPLES, PAGE_MOST};
    struct run_row a, b;
    struct diff_wish wish;
    json_t *diff;
    if (!request_run(request, desk, &a, error) || !request_find(request, desk, request->names[1], &b, error) ||
        !request_number(request, &examples, &wish.examples, error))
        return false;
    wish.a = a.name;
    wish.b = b.name;
    if (!diff_json(&from, &wish, &diff, error))
        return false;
    answer_json(&request->answer, diff);
    return true;
}

struct ledger_wish {
    uint64_t limit, before, after;
    bool upwards;
};

static bool ledger_wish(const struct request *request, struct ledger_wish *ret, GError **error)
{
    struct number_wish before = {"before", 0, INT64_MAX}, after = {"after", 0, INT64_MAX - 1};
    ret->upwards = request_query(request, "after") != NULL;
    return request_number(request, &LIMIT, &ret->limit, error) &&
           request_number(request, &before, &ret->before, error) &&
           request_number(request, &after, &ret->after, error) &&
           (!ret->upwards || !request_query(request, "before") ||
            error_set(error, SLUICE_ERROR_USAGE, "either before or after, not both"));
}

static bool read_ledger(struct desk *desk, const struct ledger_wish *wish, const char *run, struct ledger_entries *ret,
                        GError **error)
{
    struct ledger_page page = {.before = wish->before, .run = run, .most = wish->limit};
    return wish->upwards ? ledger_read(desk->catalog, wish->after + 1, wish->limit, desk->mem, ret, error)
                         : ledger_page(desk->catalog, &page, desk->mem, ret, error);
}

/* What belongs to a run that somebody may not see is not there for them; pages are as long as they were before that. */
bool serve_ledger(struct request *request, struct desk *desk, GError **error)
{
    struct ledger_wish wish;
    struct ledger_entries entries;
    const char *run = request_query(request, "run");
    uint8_t digest[32];
    uint64_t head;
    if (!ledger_wish(request, &wish, error) || !read_ledger(desk, &wish, run, &entries, error) ||
        !ledger_head(desk->catalog, &head, digest, error))
        return false;
    json_t *list = json_array();
    for (size_t i = 0; i < entries.n; i++)
        if ((!entries.rows[i].run || who_sees_run(&request->who, entries.rows[i].run)) &&
            (!run || g_strcmp0(run, entries.rows[i].run) == 0))
            json_array_append_new(list, audit_entry_json(&entries.rows[i]));
    uint64_t last = entries.n ? entries.rows[entries.n - 1].number : 0;
    bool more = entries.n == wish.limit && (wish.upwards ? last < head : last > 1);
    answer_json(&request->answer, json_pack("{s:s, s:o, s:I, s:o}", "type", "ledger-page", "entries", list, "head",
                                            (json_int_t)head, "next", next_json(more ? last : 0)));
    return true;
}

bool serve_audit(struct request *request, struct desk *desk, GError **error)
{
    struct audit_verdict verdict;
    uint8_t head[32];
    const char *text = request_query(request, "head");
    if (text && !hex_parse(slice_of_text(text), head, sizeof head))
        return error_set(error, SLUICE_ERROR_USAGE, "head: 64 hex digits were expected, as a run prints them");
    if (!audit_look(desk->catalog, text ? head : NULL, desk->mem, &verdict, error))
        return false;
    answer_json(&request->answer, audit_verdict_json(&verdict));
    return true;
}
