/* What is done: by the functions that the command line calls, as whoever asks. What would keep the server at work gets
 * a process of its own (errand.c). */
#include "serve/acts.h"

#include <string.h>

#include "base/units.h"
#include "run/outlook.h"
#include "run/prune.h"
#include "view/pruned.h"
#include "view/shape.h"

/* --- what may be asked -------------------------------------------------------------------------------------------- */

enum field {
    FIELD_REASON,
    FIELD_DRY_RUN,
    FIELD_KEY,
    FIELD_VALUE,
    FIELD_LIMITS,
    FIELD_REPORT,
    FIELD_STAGE,
    FIELD_FORCE,
    FIELD_FULL,
    FIELD_SAMPLE,
    FIELD_PACE,
    FIELD_COUNT
};
#define F(name) (1u << FIELD_##name)
#define F_ALL   (F(REASON) | F(DRY_RUN))

static const struct {
    const char *name;
    enum { IS_TEXT, IS_FLAG, IS_TEXTS } kind; /* texts: an object of them */
    const char *one_of[2];                    /* NULL: any text */
} FIELDS[FIELD_COUNT] = {
    [FIELD_REASON] = {"reason", IS_TEXT, {NULL}},
    [FIELD_DRY_RUN] = {"dry_run", IS_FLAG, {NULL}},
    [FIELD_KEY] = {"key", IS_TEXT, {NULL}},
    [FIELD_VALUE] = {"value", IS_TEXT, {NULL}},
    [FIELD_REPORT] = {"report", IS_TEXT, {NULL}},
    [FIELD_STAGE] = {"stage", IS_TEXT, {NULL}},
    [FIELD_FORCE] = {"force_unlock", IS_FLAG, {NULL}},
    [FIELD_FULL] = {"full", IS_FLAG, {NULL}},
    [FIELD_LIMITS] = {"limits", IS_TEXTS, {NULL}},
    [FIELD_SAMPLE] = {"sample", IS_TEXT, {NULL}},
    [FIELD_PACE] = {"pace", IS_TEXT, {"steady", "urgent"}},
};

static bool do_pause(struct act_call *call, GError **error);
static bool do_set(struct act_call *call, GError **error);
static bool do_approve(struct act_call *call, GError **error);
static bool do_stop(struct act_call *call, GError **error);
static bool do_away(struct act_call *call, GError **error);
static bool do_ending(struct act_call *call, GError **error);
static bool do_prune(struct act_call *call, GError **error);
static bool ahead_prune(struct act_call *call, json_t *effect, GError **error);

/* `yes`: the command asks, and it is said here that it need not. `before`, `behind`: words of the command, where it is
 * not the verb alone. */
static const struct act_row {
    const char *verb;
    unsigned fields;
    bool of_run, yes;
    bool (*call)(struct act_call *, GError **);
    const char *words; /* what it would do */
    const char *before[2], *behind;
    bool asks; /* here, before a process begins with it, whether `may` lets whoever asks */
    enum spec_may_what may;
    bool (*ahead)(struct act_call *, json_t *effect, GError **); /* what else its effect is told by; NULL: nothing */
} ACTS[] = {
    {"pause", F_ALL, true, false, do_pause, "it finishes its batches in flight, and waits until somebody resumes it"},
    {"resume", F_ALL | F(FORCE), true, false, do_away, "it goes on where it stopped", .asks = true,
     .may = SPEC_MAY_RESUME},
    {"set", F_ALL | F(KEY) | F(VALUE) | F(LIMITS), true, false, do_set,
     "the limit holds at once; the plan stays as it is"},
    {"promote", F_ALL | F(FORCE), true, true, do_away,
     "so many keys would be made live, as far as the application has not written them since", .asks = true,
     .may = SPEC_MAY_PROMOTE},
    {"rollback", F_ALL | F(STAGE) | F(PACE) | F(FORCE), true, true, do_ending,
     "about so many keys would be taken back, as far as the application has not written them since"},
    {"abort", F_ALL | F(FORCE), true, false, do_ending,
     "it ends; what it wrote stands, and can be taken back afterwards"},
    {"approve", F_ALL | F(REPORT), true, false, do_approve, "its gate is passed, and it goes on"},
    {"deny", F_ALL | F(REPORT), true, false, do_approve, "its gate is refused, and it pauses"},
    {"verify", F(DRY_RUN) | F(FULL) | F(SAMPLE), true, false, do_away,
     "what stands is compared with the source, and nothing written", .asks = true, .may = SPEC_MAY_VERIFY},
    {"retry",
     F_ALL | F(FORCE),
     true,
     true,
     do_away,
     "a new run takes the refused records once more, by its spec as it stands now",
     {"quarantine", "retry"}},
    {"repair", F_ALL | F(FORCE), true, true, do_away,
     "a new run writes what its newest verification found differing or missing, where nobody has written since"},
    {"tell", F(DRY_RUN), true, false, do_away, "hooks that were told in vain are told again", {"hooks"}, "--retry"},
    {"bundle",
     F_ALL,
     true,
     false,
     act_bundle,
     "all that is on record of it is given out; the ledger says to whom",
     {"audit", "bundle"},
     "--out=record"},
    {"prune", F_ALL, false, false, do_prune,
     "what has expired is removed for good: afterwards such a run cannot be taken back", .ahead = ahead_prune},
    {"stop", F_ALL, false, false, do_stop, "no run of the home writes until the flag is lifted"},
    {"go", F_ALL, false, false, do_stop, "all runs of the home go on"},
};

static const struct act_row *row_of(const struct route *route)
{
    const char *verb = strrchr(route->request, '/') + 1;
    for (size_t i = 0; i < G_N_ELEMENTS(ACTS); i++)
        if (strcmp(ACTS[i].verb, verb) == 0)
            return &ACTS[i];
    g_assert_not_reached();
}

static int field_of(const char *name)
{
    int i = 0;
    while (i < FIELD_COUNT && strcmp(FIELDS[i].name, name) != 0)
        i++;
    return i;
}

static bool is_one_of(const char *const of[2], const char *value)
{
    return !of[0] || !value || strcmp(of[0], value) == 0 || strcmp(of[1], value) == 0;
}

static bool are_texts(const json_t *json)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value) if (!json_is_string(value)) return false;
    return json_is_object(json);
}

static const char *const EXPECTED[] = {"a text", "true or false", "an object of texts"};

static bool is_of_kind(int field, const json_t *value)
{
    switch (FIELDS[field].kind) {
    case IS_FLAG:
        return json_is_boolean(value);
    case IS_TEXTS:
        return are_texts(value);
    case IS_TEXT:
        break;
    }
    return json_is_string(value) || json_is_null(value);
}

static bool read_fields(const struct act_row *row, json_t *json, GError **error)
{
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value)
    {
        int field = field_of(name);
        if (field == FIELD_COUNT || !(row->fields & (1u << field)))
            return error_set(error, SLUICE_ERROR_USAGE, "the body: %s has no field '%s'", row->verb, name);
        if (!is_of_kind(field, value))
            return error_set(error, SLUICE_ERROR_USAGE, "the body: '%s': %s was expected", name,
                             EXPECTED[FIELDS[field].kind]);
        if (!is_one_of(FIELDS[field].one_of, json_string_value(value)))
            return error_set(error, SLUICE_ERROR_USAGE, "the body: '%s': %s or %s was expected", name,
                             FIELDS[field].one_of[0], FIELDS[field].one_of[1]);
    }
    return true;
}

json_t *act_schema(const struct route *route)
{
    json_t *properties = json_object();
    for (int i = 0; i < FIELD_COUNT; i++)
        if (row_of(route)->fields & (1u << i)) {
            static const char *const TYPES[] = {"string", "boolean", "object"};
            json_t *one = json_pack("{s:s}", "type", TYPES[FIELDS[i].kind]);
            if (FIELDS[i].kind == IS_TEXTS)
                json_object_set_new(one, "additionalProperties", json_pack("{s:s}", "type", "string"));
            if (FIELDS[i].one_of[0])
                json_object_set_new(one, "enum", json_pack("[s, s]", FIELDS[i].one_of[0], FIELDS[i].one_of[1]));
            json_object_set_new(properties, FIELDS[i].name, one);
        }
    return json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", false, "properties", properties);
}

const char *act_text(const struct act_call *call, const char *name)
{
    return json_string_value(json_object_get(call->request->json, name));
}

bool act_flag(const struct act_call *call, const char *name)
{
    return json_is_true(json_object_get(call->request->json, name));
}

/* What `set` is to change: `key` and `value`, or each of `limits`. They live in the body. */
static GArray *settings_of(const struct act_call *call)
{
    GArray *settings = g_array_new(FALSE, TRUE, sizeof(struct setting));
    struct setting one = {.key = act_text(call, "key"), .value = act_text(call, "value")};
    const char *key;
    json_t *value;
    if (one.key && one.value)
        g_array_append_val(settings, one);
    json_object_foreach(json_object_get(call->request->json, "limits"), key, value)
    {
        struct setting another = {.key = key, .value = json_string_value(value)};
        g_array_append_val(settings, another);
    }
    return settings;
}

/* Either of the two ways to say it, and that whole. */
static bool sets_something(const struct act_call *call, GError **error)
{
    const json_t *body = call->request->json, *limits = json_object_get(body, "limits");
    bool key = act_text(call, "key"), value = act_text(call, "value");
    return (limits ? json_object_size(limits) > 0 && !key && !value : key && value) ||
           error_set(error, SLUICE_ERROR_USAGE,
                     "the body: set needs 'key' and 'value', or 'limits', an object of them, and not both");
}

/* --- the command that it equals ----------------------------------------------------------------------------------- */

static void add_option(GPtrArray *words, const char *name, const char *value)
{
    if (value)
        g_ptr_array_add(words, g_strconcat("--", name, "=", value, NULL));
}

/* For `sh`: what needs no quotes has none. */
static void add_quoted(GString *into, const char *word)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,%+@";
    g_autofree char *quoted = word[strspn(word, PLAIN)] || !*word ? g_shell_quote(word) : g_strdup(word);
    g_string_append_printf(into, "%s%s", into->len ? " " : "", quoted);
}

static void make_words(struct act_call *call, const struct act_row *row)
{
    GPtrArray *words = call->words = g_ptr_array_new_with_free_func(g_free);
    bool stop = strcmp(row->verb, "stop") == 0, go = strcmp(row->verb, "go") == 0;
    for (size_t i = 0; i < G_N_ELEMENTS(row->before) && row->before[i]; i++)
        g_ptr_array_add(words, g_strdup(row->before[i]));
    if (!row->before[0])
        g_ptr_array_add(words, g_strdup(stop ? "pause" : go ? "resume" : row->verb));
    if (row->of_run || stop || go)
        g_ptr_array_add(words, g_strdup(row->of_run ? call->run.name : "--all"));
    if (row->behind)
        g_ptr_array_add(words, g_strdup(row->behind));
    g_autoptr(GArray) settings = settings_of(call);
    for (guint i = 0; i < settings->len; i++) {
        const struct setting *setting = &g_array_index(settings, struct setting, i);
        g_ptr_array_add(words, g_strdup_printf("%s=%s", setting->key, setting->value));
    }
    if (stop)
        g_ptr_array_add(words, g_strdup("--hold"));
    if (row->yes)
        g_ptr_array_add(words, g_strdup("--yes"));
    add_option(words, "stage", act_text(call, "stage"));
    add_option(words, "pace", act_text(call, "pace"));
    add_option(words, "sample", act_text(call, "sample"));
    add_option(words, "report", act_text(call, "report"));
    add_option(words, "reason", act_text(call, "reason"));
    if (act_flag(call, "force_unlock"))
        g_ptr_array_add(words, g_strdup("--force-unlock"));
    if (act_flag(call, "full"))
        g_ptr_array_add(words, g_strdup("--full"));
}

json_t *act_command(const struct act_call *call)
{
    g_autoptr(GString) text = g_string_new("sluice");
    for (guint i = 0; i < call->words->len; i++)
        add_quoted(text, call->words->pdata[i]);
    return shape_text(text->str);
}

bool act_refuse(struct request *request, const char *why, GError **error)
{
    g_autofree char *actor = request_actor(request);
    struct refusal refusal = {.name = actor, .what = request->route->request, .run = request->names[0], .why = why};
    refusals_add(request->server->refusals, &refusal);
    return error_set(error, SLUICE_ERROR_NOT_PERMITTED, "%s", why);
}

/* --- here --------------------------------------------------------------------------------------------------------- */

void act_wish(struct act_call *call, const struct run_row *run, bool taken)
{
    answer_json(&call->request->answer,
                json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "type", "wish", "run", run->name, "wish", call->verb,
                          "state", run_state_word(run->state), "taken", taken, "command", act_command(call)));
}

static bool do_pause(struct act_call *call, GError **error)
{
    struct run_wish wish = {.kind = WISH_PAUSE};
    struct run_result result = {0};
    enum run_heard heard;
    bool done = run_wish(&call->config, call->run.name, &wish, &result, &heard, error);
    if (done)
        act_wish(call, &result.run, heard != RUN_RECORDED);
    run_result_done(&result);
    return done;
}

static bool do_set(struct act_call *call, GError **error)
{
    g_autoptr(GArray) wished = settings_of(call);
    struct run_settings settings = {(struct setting *)(void *)wished->data, wished->len};
    struct run_result result = {0};
    enum run_heard heard;
    bool done = run_set(&call->config, call->run.name, &settings, &result, &heard, error);
    if (done)
        act_wish(call, &result.run, heard == RUN_HEARD);
    run_result_done(&result);
    return done;
}

static bool do_approve(struct act_call *call, GError **error)
{
    struct run_result result = {0};
    enum run_heard heard;
    bool granted = strcmp(call->verb, "approve") == 0;
    bool done = run_approve(&call->config, call->run.name, granted, &result, &heard, error);
    if (done)
        act_wish(call, &result.run, heard == RUN_HEARD);
    run_result_done(&result);
    return done;
}

/* For all runs: not for who may see some of them only. */
static bool do_stop(struct act_call *call, GError **error)
{
    auto_(catalog) catalog = NULL;
    bool stops = strcmp(call->verb, "stop") == 0;
    if (call->request->who.only)
        return act_refuse(call->request, "this token is for some specs, and this is for all runs", error);
    if (!catalog_open(&catalog, call->config.world, call->config.home, CATALOG_EXISTING, error) ||
        !(stops ? catalog_stop_put : catalog_stop_lift)(catalog, &call->config.act, error))
        return false;
    answer_json(&call->request->answer,
                json_pack("{s:s, s:s, s:b, s:o}", "type", "stop-all", "home", catalog_home(catalog), "stands", stops,
                          "command", act_command(call)));
    return true;
}

/* For all runs, too. */
static bool prune(struct act_call *call, bool dry_run, struct prune_result *ret, GError **error)
{
    if (call->request->who.only)
        return act_refuse(call->request, "this token is for some specs, and this is for all runs", error);
    return run_prune(&call->config, dry_run, ret, error);
}

static bool do_prune(struct act_call *call, GError **error)
{
    struct prune_result result = {0};
    bool done = prune(call, false, &result, error);
    if (done) {
        json_t *answer = pruned_json(&result, false);
        json_object_set_new(answer, "command", act_command(call));
        answer_json(&call->request->answer, answer);
    }
    prune_result_done(&result);
    return done;
}

static bool ahead_prune(struct act_call *call, json_t *effect, GError **error)
{
    struct prune_result result = {0};
    bool done = prune(call, true, &result, error);
    if (done)
        json_object_set_new(effect, "expired", pruned_items_json(&result));
    prune_result_done(&result);
    return done;
}

/* --- elsewhere ---------------------------------------------------------------------------------------------------- */

/* What is refused is told as such, and not as a process that has begun. */
static bool do_away(struct act_call *call, GError **error)
{
    const struct act_row *row = row_of(call->request->route);
    return (!row->asks || run_may(&call->config, call->run.name, row->may, error)) && errand_send(call, error);
}

/* By the process that holds the run, or by one that is started for it. */
static bool do_ending(struct act_call *call, GError **error)
{
    bool back = strcmp(call->verb, "rollback") == 0;
    struct run_wish wish = {.kind = back ? WISH_ROLLBACK : WISH_ABORT, .value = act_text(call, "stage")};
    struct run_result result = {0};
    enum run_heard heard;
    bool asked = run_wish(&call->config, call->run.name, &wish, &result, &heard, error);
    if (asked && heard != RUN_UNHELD)
        act_wish(call, &result.run, heard == RUN_HEARD);
    run_result_done(&result);
    return asked && (heard != RUN_UNHELD || errand_send(call, error));
}

/* --- what it would do --------------------------------------------------------------------------------------------- */

static bool count_keys(struct act_call *call, json_t **ret, GError **error)
{
    struct run_back_plan back;
    struct run_promotion_plan promotion;
    *ret = json_null();
    if (strcmp(call->verb, "rollback") == 0) {
        if (!run_back_preview(&call->config, call->run.name, act_text(call, "stage"), &back, error))
            return false;
        *ret = json_integer((json_int_t)back.keys);
    } else if (strcmp(call->verb, "promote") == 0) {
        if (!run_promotion_preview(&call->config, call->run.name, &promotion, error))
            return false;
        *ret = json_integer((json_int_t)promotion.keys);
    }
    return true;
}

/* "so many" in the words becomes the number. */
static char *words_of(const struct act_row *row, const json_t *keys)
{
    char count[UNITS_TEXT];
    g_auto(GStrv) around = g_strsplit(row->words, "so many", 2);
    return around[1] && json_is_integer(keys)
               ? g_strconcat(around[0], units_count((uint64_t)json_integer_value(keys), count), around[1], NULL)
               : g_strdup(row->words);
}

static void add_progress(json_t *effect, const struct run_row *run)
{
    uint64_t listed = run->tally.of[OUTCOME_LISTED_], done = run_accounted(run), parts = 0;
    uint64_t written = run->parts[PART_WRITTEN] + run->parts[PART_VERIFIED];
    for (int i = 0; i < PART_STATE_COUNT; i++)
        parts += run->parts[i];
    json_object_set_new(effect, "run", json_string(run->name));
    json_object_set_new(effect, "state", json_string(run_state_word(run->state)));
    json_object_set_new(effect, "records",
                        json_pack("{s:I, s:I, s:I}", "listed", (json_int_t)listed, "written",
                                  (json_int_t)run->tally.of[OUTCOME_WRITTEN], "left",
                                  (json_int_t)(listed - MIN(done, listed))));
    json_object_set_new(effect, "partitions",
                        json_pack("{s:I, s:I, s:I}", "total", (json_int_t)parts, "done", (json_int_t)written, "left",
                                  (json_int_t)(parts - MIN(written, parts))));
}

static bool look_ahead(struct act_call *call, const struct act_row *row, GError **error)
{
    json_t *keys;
    if (!count_keys(call, &keys, error))
        return false;
    g_autofree char *words = words_of(row, keys);
    json_t *effect = json_pack("{s:s, s:s, s:o, s:o, s:o}", "type", "effect", "action", row->verb, "keys", keys,
                               "words", shape_text(words), "command", act_command(call));
    if (row->of_run)
        add_progress(effect, &call->run);
    if (row->ahead && !row->ahead(call, effect, error)) {
        json_decref(effect);
        return false;
    }
    answer_json(&call->request->answer, effect);
    return true;
}

/* --- one action --------------------------------------------------------------------------------------------------- */

static bool begin(struct act_call *call, const struct act_row *row, GError **error)
{
    struct request *request = call->request;
    const struct server *server = request->server;
    const struct who *who = &request->who;
    if (!read_fields(row, request->json, error) ||
        (row->of_run && !request_run(request, call->desk, &call->run, error)))
        return false;
    if ((row->fields & F(KEY)) && !sets_something(call, error))
        return false;
    make_words(call, row);
    call->verb = row->verb;
    call->actor = request_actor(request);
    call->own = who->token ? person_of(who->name, who->groups) : NULL;
    call->config = (struct run_config){.world = server->config.world,
                                       .registry = server->config.registry,
                                       .home = server->config.home,
                                       .act = {.actor = call->actor, .reason = act_text(call, "reason")},
                                       .person = call->own ? call->own : server->config.person,
                                       .signals = &call->signals,
                                       .report = act_text(call, "report"),
                                       .back_pace = act_text(call, "pace"),
                                       .force_unlock = act_flag(call, "force_unlock")};
    return true;
}

/* A token that was shown a moment ago may have been revoked since: for what changes something the catalog is asked. */
static bool still_stands(struct request *request, struct desk *desk, GError **error)
{
    struct tokens *tokens = request->server->tokens;
    if (request->who.token == 0)
        return true;
    return tokens_refresh(tokens, desk->catalog, error) &&
           (tokens_stands(tokens, request->who.token) ||
            act_refuse(request, "the token has expired or was revoked", error));
}

static bool perform(struct request *request, struct desk *desk, GError **error)
{
    const struct act_row *row = row_of(request->route);
    struct act_call call = {.request = request, .desk = desk};
    bool done = still_stands(request, desk, error) && begin(&call, row, error) &&
                (act_flag(&call, "dry_run") ? look_ahead(&call, row, error) : row->call(&call, error));
    g_clear_pointer(&call.words, g_ptr_array_unref);
    g_free(call.actor);
    person_free(call.own);
    cache_forget(request->server->cache);
    return done;
}

static void perform_once(struct request *request, struct desk *desk)
{
    g_autoptr(GError) error = NULL;
    if (perform(request, desk, &error))
        return;
    answer_error(&request->answer, g_steal_pointer(&error));
}

bool serve_act(struct request *request, struct desk *desk, GError **error)
{
    return once(request, desk, perform_once, error);
}
