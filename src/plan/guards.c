/* The guards of a run: what can be watched of its target, and their limits in the plan's text. */
#include <math.h>

#include "guard/signals.h"
#include "plan/plan_parts.h"

/* --- what can be watched ------------------------------------------------------------------------------------------ */

static bool refuse(const struct plan *plan, enum spec_guard guard, const char *why, GError **error)
{
    const char *key = guard_row(guard)->key;
    g_autofree char *place = spec_place(plan->spec, key);
    return error_set(error, SLUICE_ERROR_SPEC,
                     "%s: %s: nothing measures it there: %s; leave it out, or watch a signal of your own "
                     "(protect.signals)",
                     place, key, why);
}

/* One that nobody asked for is listed as not watched. */
static bool set_unwatched(struct plan *plan, enum spec_guard guard, const char *why, GError **error)
{
    uint32_t bit = UINT32_C(1) << guard;
    if (guard_is_none(plan->limits.guards[guard]))
        return true;
    plan->unwatched |= bit;
    return !(plan->limits.guards_given & bit) || refuse(plan, guard, why, error);
}

static bool take_readings(struct plan *plan, const struct signal_reading readings[GUARD_COUNT], GError **error)
{
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++)
        if (readings[i].found == SIGNAL_UNTOLD && !set_unwatched(plan, i, signals_untold(i), error))
            return false;
    return true;
}

static bool ask_servers(struct plan *plan, const struct plan_config *config, GError **error)
{
    auto_(session) session = NULL;
    auto_(signals) signals = signals_new();
    struct signal_reading readings[GUARD_COUNT];
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct node_health));
    struct call call = {.ds = &plan->target_ds, .mem = plan->mem};
    if (!store_session_open(&session, plan->target, error) || !store_health(session, &call, nodes, error))
        return false;
    signals_take(signals, (const struct node_health *)(const void *)nodes->data, nodes->len,
                 world_monotonic_us(config->world), readings);
    bool ok = take_readings(plan, readings, error);
    signals_done(readings);
    return ok;
}

bool plan_guards_check(struct plan *plan, const struct plan_config *config, GError **error)
{
    bool any = false;
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++)
        any |= !guard_is_none(plan->limits.guards[i]);
    if (!any || (!plan->target && store_can(plan->target_driver, CAN_HEALTH)))
        return true;
    if (store_can(plan->target_driver, CAN_HEALTH))
        return ask_servers(plan, config, error);
    g_autofree char *why =
        g_strdup_printf("a store of driver '%s' says nothing of how it feels", plan->target_driver->name);
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++)
        if (!set_unwatched(plan, i, why, error))
            return false;
    return true;
}

void plan_guards_set(struct plan *plan)
{
    const struct spec_protect *protect = &plan->spec->protect;
    struct plan_limits *limits = &plan->limits;
    memcpy(limits->guards, protect->guards, sizeof limits->guards);
    limits->guards_given = protect->guards_given;
    limits->guards_hold_ms = protect->hold_ms;
    limits->n_signals = protect->n_signals;
    for (size_t i = 0; i < protect->n_signals; i++) {
        struct plan_signal *signal = &limits->signals[i];
        g_strlcpy(signal->name, protect->signals[i].name, sizeof signal->name);
        signal->limit = protect->signals[i].limit;
    }
}

/* --- what it is forecast to grow by ------------------------------------------------------------------------------- */

bool plan_wants_forecast(const struct plan *plan)
{
    return !guard_is_none(plan->limits.guards[GUARD_FORECAST]) && !plan->limits.forecast.known;
}

bool plan_put_forecast(struct plan *plan, uint64_t keys, uint64_t bytes, GError **error)
{
    plan->limits.forecast = (struct signals_forecast){.known = true, .keys = keys, .bytes = bytes};
    return plan_text_write(plan, error);
}

/* --- in the plan's text ------------------------------------------------------------------------------------------- */

static json_t *limit_json(double limit)
{
    return guard_is_none(limit) ? json_null() : json_real(limit);
}

/* NULL: it is not known. */
static json_t *forecast_json(const struct signals_forecast *forecast)
{
    return forecast->known
               ? json_pack("{s:I, s:I}", "keys", (json_int_t)forecast->keys, "bytes", (json_int_t)forecast->bytes)
               : NULL;
}

json_t *plan_guards_json(const struct plan_limits *limits)
{
    json_t *guards = json_object(), *signals = json_array();
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++)
        json_object_set_new(guards, guard_row(i)->word, limit_json(limits->guards[i]));
    for (size_t i = 0; i < limits->n_signals; i++)
        json_array_append_new(
            signals, json_pack("{s:s, s:f}", "name", limits->signals[i].name, "limit", limits->signals[i].limit));
    return json_pack("{s:o, s:I, s:I, s:o, s:o*}", "limits", guards, "given", (json_int_t)limits->guards_given,
                     "hold_ms", (json_int_t)limits->guards_hold_ms, "signals", signals, "forecast",
                     forecast_json(&limits->forecast));
}

static bool take_forecast(const json_t *object, struct signals_forecast *ret)
{
    json_int_t keys, bytes;
    if (!object)
        return true;
    if (json_unpack((json_t *)object, "{s:I, s:I}", "keys", &keys, "bytes", &bytes) != 0 || keys < 0 || bytes < 0)
        return false;
    *ret = (struct signals_forecast){.known = true, .keys = (uint64_t)keys, .bytes = (uint64_t)bytes};
    return true;
}

static bool take_signals(const json_t *list, struct plan_limits *ret)
{
    size_t n = json_array_size(list);
    if (n > SPEC_SIGNALS_MOST)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *name = NULL;
        if (json_unpack(json_array_get(list, i), "{s:s, s:F}", "name", &name, "limit", &ret->signals[i].limit) != 0)
            return false;
        g_strlcpy(ret->signals[i].name, name, sizeof ret->signals[i].name);
    }
    ret->n_signals = n;
    return true;
}

/* A plan of an earlier version watches nothing. */
bool plan_guards_take(json_t *object, struct plan_limits *ret)
{
    json_t *limits = NULL, *signals = NULL;
    json_int_t given = 0, hold_ms = 0;
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++)
        ret->guards[i] = guard_none(guard_row(i)->below);
    if (!object)
        return true;
    if (json_unpack(object, "{s:o, s:I, s:I, s:o}", "limits", &limits, "given", &given, "hold_ms", &hold_ms, "signals",
                    &signals) != 0)
        return false;
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++) {
        const json_t *limit = json_object_get(limits, guard_row(i)->word);
        if (json_is_number(limit))
            ret->guards[i] = json_number_value(limit);
    }
    ret->guards_given = (uint32_t)given;
    ret->guards_hold_ms = hold_ms;
    return take_signals(signals, ret) && take_forecast(json_object_get(object, "forecast"), &ret->forecast);
}
