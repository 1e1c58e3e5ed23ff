#include "metrics/trace.h"

#include <string.h>

#include "base/http.h"
#include "base/thread.h"
#include "metrics/span.h"
#include "spec/spec.h"

#define TICK_US     (INT64_C(1) * 1000 * 1000)
#define SEND_US     (INT64_C(10) * 1000 * 1000)
#define SEND_SPANS  512u
#define PAGE_ROWS   500u
#define ANSWER_KEEP 512u
#define MEM_BYTES   (64u << 20)
#define PATH        "/v1/traces"

struct trace_keep {
    const struct trace_keep_config *config;
    struct thread *thread;
    atomic_bool stop;
    /* Of the thread; of the owner before it begins and after it has ended. */
    struct catalog *catalog;
    struct arena *mem, *page; /* as long as it; until the next page */
    struct run_row run;
    struct stage_row *stages;
    size_t n_stages;
    struct span_place root; /* of this process's span */
    int64_t began_ms, batch;
    uint64_t entry;
    GHashTable *begun; /* partitions and stages by their words: when they began, of ours */
    json_t *waiting;   /* spans */
    uint64_t dropped;
    char *header;   /* with its secret; NULL: to be asked for */
    bool silent;    /* the caller's trace is not recorded */
    GError *failed; /* the newest try; NULL: it went well */
};

char *trace_keep_url(const char *collector)
{
    size_t len = strlen(collector);
    while (len > 0 && collector[len - 1] == '/')
        len--;
    g_autofree char *base = g_strndup(collector, len);
    return g_str_has_suffix(base, PATH) ? g_strdup(base) : g_strconcat(base, PATH, NULL);
}

/* --- spans -------------------------------------------------------------------------------------------------------- */

static void put(struct trace_keep *keep, const struct span *span)
{
    if (!keep->config->collector || keep->silent) {
        json_decref(span->attributes);
        return;
    }
    json_array_append_new(keep->waiting, span_json(span));
    for (; json_array_size(keep->waiting) > TRACE_MOST; keep->dropped++)
        json_array_remove(keep->waiting, 0);
}

/* Below `above`, by its words. */
static struct span_place place_of(const struct trace_keep *keep, const struct span_place *above, const char *words)
{
    struct span_place place = {.has_parent = true};
    memcpy(place.trace, keep->root.trace, sizeof place.trace);
    memcpy(place.parent, above->id, sizeof place.parent);
    g_autofree char *of = g_strdup_printf("%" G_GINT64_FORMAT " %s", keep->began_ms, words);
    span_id(keep->run.uid, of, place.id);
    return place;
}

static struct span_place stage_place(const struct trace_keep *keep, const char *stage)
{
    g_autofree char *words = g_strconcat("stage ", stage, NULL);
    return place_of(keep, &keep->root, words);
}

static void begins(struct trace_keep *keep, const char *words, int64_t ms)
{
    if (!g_hash_table_contains(keep->begun, words))
        g_hash_table_insert(keep->begun, g_strdup(words), g_memdup2(&ms, sizeof ms));
}

/* When it began, of ours; it is forgotten. */
static int64_t ends(struct trace_keep *keep, const char *words, int64_t otherwise)
{
    const int64_t *ms = g_hash_table_lookup(keep->begun, words);
    int64_t from = ms ? *ms : otherwise;
    g_hash_table_remove(keep->begun, words);
    return from;
}

static json_t *batch_attributes(const struct trace_keep *keep, const char *stage, const struct batch_row *batch)
{
    const struct tally *tally = &batch->tally;
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sluice.run", keep->run.name, "sluice.stage",
                     stage, "sluice.partition", (json_int_t)batch->part, "sluice.batch", (json_int_t)batch->number,
                     "sluice.read", (json_int_t)tally->of[OUTCOME_READ], "sluice.written",
                     (json_int_t)tally->of[OUTCOME_WRITTEN], "sluice.rejected", (json_int_t)tally->of[OUTCOME_REJECTED],
                     "sluice.retried", (json_int_t)tally->of[OUTCOME_RETRIED], "sluice.bytes_read",
                     (json_int_t)batch->bytes_read, "sluice.bytes_written", (json_int_t)batch->bytes_written);
}

static const char *stage_of(const struct trace_keep *keep, const struct batch_row *batch)
{
    if (batch->part >= CATALOG_PROMOTION_PART)
        return "promotion";
    if (batch->part >= CATALOG_BACK_PART)
        return "rollback";
    return batch->stage < keep->n_stages ? keep->stages[batch->stage].name : "";
}

static void take_batch(struct trace_keep *keep, const struct batch_row *batch)
{
    const char *stage = stage_of(keep, batch);
    struct span_place above = batch->part < CATALOG_BACK_PART ? stage_place(keep, stage) : keep->root;
    g_autofree char *part = g_strdup_printf("partition %u", batch->part);
    g_autofree char *words = g_strdup_printf("%s lane %u batch %" G_GUINT64_FORMAT, part, batch->lane, batch->number);
    struct span_place place = place_of(keep, &above, part);
    int64_t from_ms = batch->at_ms - batch->took_ms;
    if (keep->config->batch)
        keep->config->batch(keep->config->batch_self, &keep->run, stage, batch);
    if (!span_taken(keep->run.uid, batch->part, keep->config->share))
        return;
    begins(keep, part, from_ms);
    put(keep, &(struct span){.place = place_of(keep, &place, words),
                             .name = "batch",
                             .from_ms = from_ms,
                             .to_ms = batch->at_ms,
                             .attributes = batch_attributes(keep, stage, batch),
                             .end = SPAN_WELL});
    if (batch->last)
        put(keep,
            &(struct span){.place = place,
                           .name = "partition",
                           .from_ms = ends(keep, part, from_ms),
                           .to_ms = batch->at_ms,
                           .attributes = json_pack("{s:s, s:s, s:I}", "sluice.run", keep->run.name, "sluice.stage",
                                                   stage, "sluice.partition", (json_int_t)batch->part),
                           .end = SPAN_WELL});
}

static void end_stage(struct trace_keep *keep, const char *stage, int64_t to_ms, enum span_end end)
{
    g_autofree char *words = g_strconcat("stage ", stage, NULL);
    put(keep, &(struct span){.place = stage_place(keep, stage),
                             .name = "stage",
                             .from_ms = ends(keep, words, keep->began_ms),
                             .to_ms = to_ms,
                             .attributes = json_pack("{s:s, s:s}", "sluice.run", keep->run.name, "sluice.stage", stage),
                             .end = end});
}

/* stage.running, stage.passed …: the moves of its stages. */
static void take_entry(struct trace_keep *keep, const struct ledger_entry *entry)
{
    if (g_strcmp0(entry->run, keep->run.name) != 0 || !g_str_has_prefix(entry->action, "stage.") || !entry->details)
        return;
    const char *move = entry->action + strlen("stage.");
    json_t *details = json_loads(entry->details, 0, NULL);
    const char *stage = json_string_value(json_object_get(details, "stage"));
    g_autofree char *words = g_strconcat("stage ", stage ? stage : "", NULL);
    if (stage && strcmp(move, stage_state_word(STAGE_PASSED)) == 0)
        end_stage(keep, stage, entry->at_ms, SPAN_WELL);
    else if (stage && strcmp(move, stage_state_word(STAGE_FAILED)) == 0)
        end_stage(keep, stage, entry->at_ms, SPAN_FAILED);
    else if (stage)
        begins(keep, words, entry->at_ms);
    json_decref(details);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool read_batches(struct trace_keep *keep, GError **error)
{
    struct batch_row *rows;
    size_t n;
    do {
        struct batches_wish wish = {.run = keep->run.id, .after = keep->batch, .most = PAGE_ROWS};
        arena_reset(keep->page);
        if (!catalog_batches(keep->catalog, &wish, keep->page, &rows, &n, error))
            return false;
        for (size_t i = 0; i < n; i++)
            take_batch(keep, &rows[i]);
        keep->batch = n ? rows[n - 1].id : keep->batch;
    } while (n == PAGE_ROWS);
    return true;
}

static bool read_entries(struct trace_keep *keep, GError **error)
{
    struct ledger_entries entries;
    do {
        arena_reset(keep->page);
        if (!ledger_read(keep->catalog, keep->entry + 1, PAGE_ROWS, keep->page, &entries, error))
            return false;
        for (size_t i = 0; i < entries.n; i++)
            take_entry(keep, &entries.rows[i]);
        keep->entry += entries.n;
    } while (entries.n == PAGE_ROWS);
    return true;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

#define HEADER "--otlp-header: "

/* What stands on a command line is seen by others of the machine. */
static bool header_check(const char *header, GError **error)
{
    static const char NAME[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    static const char SECRET[] = "authorization";
    size_t len = strspn(header, NAME);
    if (len == 0 || header[len] != ':' || !header[len + 1 + strspn(header + len + 1, " ")])
        return error_set(error, SLUICE_ERROR_USAGE, HEADER "NAME: VALUE was expected");
    return strstr(header, "${") || len != strlen(SECRET) || g_ascii_strncasecmp(header, SECRET, len) != 0 ||
           error_set(error, SLUICE_ERROR_USAGE, HEADER "a secret is written ${env:NAME} or ${file:PATH}");
}

/* With its secret, which stays until the collector refuses it. */
static bool header_of(struct trace_keep *keep, const char **ret, GError **error)
{
    const struct trace_keep_config *config = keep->config;
    *ret = NULL;
    if (!config->header)
        return true;
    if (!keep->header && !spec_secret_expand(config->world, ".", config->header, &keep->header, error))
        return error_add(error, "--otlp-header");
    for (const char *at = keep->header; *at; at++)
        if (g_ascii_iscntrl(*at)) {
            g_clear_pointer(&keep->header, g_free);
            return error_set(error, SLUICE_ERROR_SPEC, HEADER "its secret has a byte that no header holds");
        }
    *ret = keep->header;
    return true;
}

/* What the collector says may have the header in it. */
static bool judge(struct trace_keep *keep, const struct http_answer *answer, GError **error)
{
    bool refused = answer->status == 401 || answer->status == 403;
    if (refused)
        g_clear_pointer(&keep->header, g_free);
    return (answer->status >= 200 && answer->status < 300) ||
           error_set(error, refused ? SLUICE_ERROR_NOT_PERMITTED : SLUICE_ERROR_UNREACHABLE,
                     "--otlp: the collector answered %ld%s%s", answer->status, keep->config->header ? "" : ": ",
                     keep->config->header ? "" : answer->text);
}

static bool post(struct trace_keep *keep, const char *body, GError **error)
{
    const struct trace_keep_config *config = keep->config;
    const char *headers[2] = {NULL};
    g_autofree char *collector = NULL;
    struct http_answer answer;
    if (!spec_secret_expand(config->world, ".", config->collector, &collector, error))
        return error_add(error, "--otlp");
    if (!http_url_is(collector))
        return error_set(error, SLUICE_ERROR_USAGE, "--otlp: not an http or https address with a host");
    if (!header_of(keep, &headers[0], error))
        return false;
    g_autofree char *url = trace_keep_url(collector);
    struct http_call call = {
        .url = url, .headers = headers, .body = slice_of_text(body), .timeout_us = SEND_US, .keep_bytes = ANSWER_KEEP};
    if (!http_post(&call, &answer, error))
        return error_add(error, "--otlp");
    g_autofree char *said = answer.text;
    return judge(keep, &answer, error);
}

/* The oldest that wait, so many at once. */
static bool send_some(struct trace_keep *keep, GError **error)
{
    size_t n = MIN(json_array_size(keep->waiting), SEND_SPANS);
    json_t *some = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append(some, json_array_get(keep->waiting, i));
    json_t *request = span_request(some);
    char *body = json_dumps(request, JSON_COMPACT);
    bool sent = post(keep, body, error);
    free(body);
    json_decref(request);
    json_decref(some);
    for (size_t i = 0; sent && i < n; i++)
        json_array_remove(keep->waiting, 0);
    return sent;
}

static void tick(struct trace_keep *keep)
{
    g_clear_error(&keep->failed);
    bool going = read_entries(keep, &keep->failed) && read_batches(keep, &keep->failed);
    while (going && json_array_size(keep->waiting) > 0)
        going = send_some(keep, &keep->failed);
}

/* What has begun and not ended ends with us: another process that goes on has spans of its own. */
static void end_open(struct trace_keep *keep, int64_t now_ms)
{
    for (size_t i = 0; i < keep->n_stages; i++) {
        g_autofree char *words = g_strconcat("stage ", keep->stages[i].name, NULL);
        if (g_hash_table_contains(keep->begun, words))
            end_stage(keep, keep->stages[i].name, now_ms, SPAN_UNSET);
    }
}

static enum span_end run_end(enum run_state state)
{
    return state == RUN_DONE ? SPAN_WELL : state == RUN_FAILED || state == RUN_HALTED ? SPAN_FAILED : SPAN_UNSET;
}

static void finish(struct trace_keep *keep)
{
    struct run_row now = keep->run;
    int64_t now_ms = world_wall_ms(keep->config->world);
    tick(keep);
    end_open(keep, now_ms);
    catalog_run_reload(keep->catalog, keep->mem, &now, NULL);
    put(keep, &(struct span){.place = keep->root,
                             .name = "run",
                             .from_ms = keep->began_ms,
                             .to_ms = now_ms,
                             .attributes = json_pack("{s:s, s:s, s:s, s:f}", "sluice.run", now.name, "sluice.spec",
                                                     now.spec_name, "sluice.state", run_state_word(now.state),
                                                     "sluice.sample", keep->config->share),
                             .end = run_end(now.state)});
    tick(keep);
}

static void keep_main(void *self)
{
    struct trace_keep *keep = self;
    while (!atomic_load(&keep->stop)) {
        tick(keep);
        world_sleep_us(keep->config->world, TICK_US, &keep->stop);
    }
    finish(keep);
}

/* --- beginning and ending ----------------------------------------------------------------------------------------- */

static char *free_telling(struct trace_keep *keep)
{
    char *said = keep->failed   ? g_strdup(keep->failed->message)
                 : keep->silent ? g_strdup("TRACEPARENT says that it is not recorded")
                                : NULL;
    if (keep->dropped) {
        g_autofree char *why = said;
        said = g_strdup_printf("%" G_GUINT64_FORMAT " spans were dropped%s%s", keep->dropped, why ? ": " : "",
                               why ? why : "");
    }
    g_clear_error(&keep->failed);
    g_free(keep->header);
    json_decref(keep->waiting);
    g_hash_table_unref(keep->begun);
    catalog_free(keep->catalog);
    arena_free(keep->page);
    arena_free(keep->mem);
    g_free(keep);
    return said;
}

/* A trace of its own is named by the run's uid, so that all processes that drive it are in one. */
static void set_root(struct trace_keep *keep)
{
    g_autofree char *words = g_strdup_printf("run %" G_GINT64_FORMAT, keep->began_ms);
    memcpy(keep->root.trace, keep->run.uid, sizeof keep->root.trace);
    span_place_of(keep->config->traceparent, &keep->root);
    span_id(keep->run.uid, words, keep->root.id);
}

/* What is wrong is said before the run begins, a secret that is not there too. */
static bool collector_check(struct trace_keep *keep, GError **error)
{
    const struct trace_keep_config *config = keep->config;
    const char *header;
    if (!strstr(config->collector, "${") && !http_url_is(config->collector))
        return error_set(error, SLUICE_ERROR_USAGE, "--otlp: not an http or https address with a host");
    if (!(config->share > 0 && config->share <= 1))
        return error_set(error, SLUICE_ERROR_USAGE, "--otlp-sample: more than 0%% and at most 100%% was expected");
    return !config->header || (header_check(config->header, error) && header_of(keep, &header, error));
}

static bool begin(struct trace_keep *keep, GError **error)
{
    const struct trace_keep_config *config = keep->config;
    uint8_t head[32];
    keep->began_ms = world_wall_ms(config->world);
    if (!catalog_open(&keep->catalog, config->world, config->home, CATALOG_READ_ONLY, error) ||
        !catalog_run_get(keep->catalog, config->run, keep->mem, &keep->run, error) ||
        !catalog_stages(keep->catalog, keep->run.id, keep->mem, &keep->stages, &keep->n_stages, error) ||
        !catalog_batch_newest(keep->catalog, &keep->batch, error) ||
        !ledger_head(keep->catalog, &keep->entry, head, error))
        return false;
    set_root(keep);
    keep->silent = config->collector && !span_is_sampled(config->traceparent);
    return !config->collector || collector_check(keep, error);
}

bool trace_keep_begin(struct trace_keep **ret, const struct trace_keep_config *config, GError **error)
{
    struct trace_keep *keep = g_new0(struct trace_keep, 1);
    keep->config = config;
    keep->mem = arena_new(MEM_BYTES);
    keep->page = arena_new(MEM_BYTES);
    keep->waiting = json_array();
    keep->begun = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!begin(keep, error) || !thread_start(&keep->thread, "trace", keep_main, keep, error)) {
        g_free(free_telling(keep));
        return false;
    }
    *ret = keep;
    return true;
}

char *trace_keep_end(struct trace_keep *keep)
{
    if (!keep)
        return NULL;
    world_cancel(keep->config->world, &keep->stop);
    thread_join(keep->thread);
    return free_telling(keep);
}
