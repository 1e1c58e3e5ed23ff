#include "run/after.h"

#include <jansson.h>

#include "run/ending.h"
#include "run/tell.h"
#include "run/watch.h"

enum { LOOK_BYTES = 256 << 20 };

/* Whom it waits for, as it stood at the last look. */
struct others {
    const struct run_config *config;
    struct catalog *catalog;
    const char *name; /* of the spec that waits */
    const char *const *names;
    size_t n;
    const struct hold *hold; /* NULL: there is no run yet */
    char *waits;             /* for whom; NULL: for nobody any more */
    bool person;             /* somebody has to do something about it */
    GError *error;
    atomic_bool stop;
};

/* --- a look --------------------------------------------------------------------------------------------------------
 */

/* The newest run of the spec; ret->id == 0: there is none. */
static bool newest(struct catalog *catalog, const char *name, struct arena *mem, struct run_row *ret, GError **error)
{
    struct run_row *runs;
    size_t n;
    *ret = (struct run_row){0};
    if (!catalog_runs(catalog, mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n && ret->id == 0; i++)
        if (strcmp(runs[i].spec_name, name) == 0)
            *ret = runs[i];
    return true;
}

static bool needs_a_person(enum run_state state)
{
    return state == RUN_PAUSED || state == RUN_HALTED || state == RUN_FAILED || state == RUN_ABORTED ||
           state == RUN_ROLLED_BACK;
}

/* Whether a run waits, through however many others, for the spec. `seen`: runs that were asked already. */
static bool waits_for(struct others *others, const struct run_row *run, GHashTable *seen, struct arena *mem, bool *ret,
                      GError **error)
{
    json_t *said, *one;
    size_t i;
    if (!plan_said_read(others->catalog, run, mem, &said, error))
        return false;
    bool ok = true;
    json_array_foreach(json_object_get(said, "after"), i, one)
    {
        struct run_row next = {0};
        const char *name = json_string_value(one);
        *ret = *ret || g_strcmp0(name, others->name) == 0;
        ok = ok && (*ret || newest(others->catalog, name, mem, &next, error));
        if (ok && !*ret && next.id && next.state != RUN_DONE && g_hash_table_add(seen, GINT_TO_POINTER(next.id)))
            ok = waits_for(others, &next, seen, mem, ret, error);
    }
    json_decref(said);
    return ok;
}

static bool in_a_circle(struct others *others, const struct run_row *run, struct arena *mem, GError **error)
{
    bool waits = false;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    if (run->state == RUN_DONE || run_state_over(run->state))
        return true;
    return waits_for(others, run, seen, mem, &waits, error) &&
           (!waits ||
            error_set(error, SLUICE_ERROR_REFUSED,
                      "%s would wait for %s, which waits for %s: take one of them out of `after`, or abort %s",
                      others->name, run->name, others->name, run->name));
}

static void say(struct others *others, const char *name, const struct run_row *run)
{
    const char *reason = run->reason ? run->reason : "", *sep = run->reason ? ": " : "";
    g_free(others->waits);
    others->person = run->id && needs_a_person(run->state);
    if (run->id == 0)
        others->waits = ending_words("waits for %s, of which there is no run in this home", name);
    else
        others->waits =
            ending_words("waits for %s: %s is %s%s%s", name, run->name, run_state_word(run->state), sep, reason);
}

/* The first that is not done. */
static bool look(struct others *others, GError **error)
{
    auto_(arena) mem = arena_new(LOOK_BYTES);
    g_clear_pointer(&others->waits, g_free);
    for (size_t i = 0; i < others->n && !others->waits; i++) {
        struct run_row run;
        if (!newest(others->catalog, others->names[i], mem, &run, error))
            return false;
        if (run.id && !in_a_circle(others, &run, mem, error))
            return false;
        if (run.state != RUN_DONE)
            say(others, others->names[i], &run);
    }
    return true;
}

/* --- waiting -------------------------------------------------------------------------------------------------------
 */

static bool is_over(const struct others *others)
{
    return others->error || !others->waits || others->person;
}

static bool ended(void *self)
{
    struct others *others = self;
    return atomic_load(&others->stop) || is_over(others);
}

static void look_again(void *self, struct watch *watch)
{
    struct others *others = self;
    watch_rate_per_s(watch, 0); /* it has been shown now */
    if (!look(others, &others->error) || !others->waits)
        return;
    struct run_event event = {
        .kind = RUN_EVENT_PROGRESS, .run = others->hold ? &others->hold->run : NULL, .text = others->waits};
    run_tell(others->config, &event);
}

static void wait(struct others *others, struct watch *watch)
{
    watch->config = others->config;
    watch->stop = &others->stop;
    watch->ended = ended;
    watch->look = look_again;
    watch->self = others;
    if (!is_over(others) && !others->config->exit_on_pause)
        watch_until_ended(watch);
}

static void others_done(struct others *others)
{
    g_clear_pointer(&others->waits, g_free);
    g_clear_error(&others->error);
}

/* What a look failed of is the caller's. */
static bool failed(struct others *others, GError **error)
{
    g_propagate_error(error, g_steal_pointer(&others->error));
    return false;
}

static bool settled(struct others *others, const struct watch *watch, GError **error)
{
    if (others->error)
        return failed(others, error);
    if (watch->interrupted)
        return error_set(error, SLUICE_ERROR_INTERRUPTED, "%s %s; interrupted: nothing is planned yet", others->name,
                         others->waits ? others->waits : "waited");
    return !others->waits || error_set(error, SLUICE_ERROR_PAUSED, "%s %s; the same command goes on when that is done",
                                       others->name, others->waits);
}

bool after_wait(const struct run_config *config, struct catalog *catalog, const struct spec *spec, GError **error)
{
    struct others others = {
        .config = config, .catalog = catalog, .name = spec->name, .names = spec->after, .n = spec->n_after};
    struct watch watch = {0};
    bool ok = look(&others, error);
    if (ok) {
        wait(&others, &watch);
        ok = settled(&others, &watch, error);
    }
    others_done(&others);
    return ok;
}

/* --- of a run ------------------------------------------------------------------------------------------------------
 */

static bool has_begun(const struct run_row *run)
{
    uint64_t parts = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        parts += i == PART_PENDING ? 0 : run->parts[i];
    return parts > 0;
}

static GPtrArray *names_of(const json_t *said)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(said, "after"), i, one) g_ptr_array_add(names, g_strdup(json_string_value(one)));
    return names;
}

static bool first(struct hold *hold, struct others *others, struct run_result *ret, bool *ret_go, GError **error)
{
    struct watch watch = {.catalog = hold->catalog, .mem = hold->mem, .run = hold->run.id};
    if (!look(others, error))
        return false;
    if (!others->waits)
        return true;
    if (hold->run.state != RUN_WAITING && !hold_move(hold, RUN_WAITING, others->waits, NULL, error))
        return false;
    wait(others, &watch);
    *ret_go = false;
    if (others->error)
        return failed(others, error);
    if (watch.wish.id)
        return ending_by_wish(hold, &watch.wish, ret, error);
    if (watch.interrupted)
        return ending_by_signal(hold, ret, error);
    *ret_go = !others->waits;
    if (*ret_go)
        return true;
    g_autofree char *text = ending_words("%s; the same command goes on when that is done", others->waits);
    hold_result(hold, 3, text, ret);
    return true;
}

bool after_first(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error)
{
    json_t *said;
    *ret_go = true;
    if (has_begun(&hold->run))
        return true;
    if (!plan_said_read(hold->catalog, &hold->run, hold->mem, &said, error))
        return false;
    g_autoptr(GPtrArray) names = names_of(said);
    json_decref(said);
    struct others others = {.config = hold->config,
                            .catalog = hold->catalog,
                            .name = hold->run.spec_name,
                            .names = (const char *const *)names->pdata,
                            .n = names->len,
                            .hold = hold};
    bool ok = names->len == 0 || first(hold, &others, ret, ret_go, error);
    others_done(&others);
    return ok;
}
