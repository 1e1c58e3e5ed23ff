#include "guard/judge.h"

#include <glib.h>
#include <math.h>

static const char *const WORDS[GUARD_LEVELS] = {
    [GUARD_LEVEL_OK] = "ok", [GUARD_LEVEL_SLOW] = "slow", [GUARD_LEVEL_PAUSE] = "pause", [GUARD_LEVEL_HALT] = "halt"};

const char *guard_level_word(enum guard_level level)
{
    g_assert((size_t)level < GUARD_LEVELS);
    return WORDS[level];
}

#define KEPT_SHARE 0.1

struct guard_rule guard_rule_of(double limit, double slow, bool below, int64_t hold_us)
{
    double distance = isinf(slow) ? 0 : fabs(slow) * KEPT_SHARE;
    return (struct guard_rule){.limit = limit,
                               .slow = slow,
                               .clear = below ? slow + distance : slow - distance,
                               .below = below,
                               .hold_us = hold_us,
                               .stale_us = hold_us};
}

void guard_begin(struct guard_state *ret, int64_t now_us)
{
    *ret =
        (struct guard_state){.since_us = now_us, .read_us = now_us, .beyond_us = GUARD_NEVER, .within_us = GUARD_NEVER};
}

static bool past(const struct guard_rule *rule, double value, double limit)
{
    return rule->below ? value < limit : value > limit;
}

static void set_level(struct guard_state *state, enum guard_level level, int64_t now_us)
{
    if (state->level == level)
        return;
    state->level = level;
    state->since_us = now_us;
}

static bool lasts(int64_t since_us, int64_t hold_us, int64_t now_us)
{
    return since_us != GUARD_NEVER && now_us - since_us >= hold_us;
}

/* Its last reading says nothing of now. */
static void give_up(struct guard_state *state, int64_t now_us)
{
    state->unread |= state->level < GUARD_LEVEL_PAUSE;
    state->beyond_us = state->within_us = GUARD_NEVER;
    set_level(state, GUARD_LEVEL_PAUSE, now_us);
}

static void decide(struct guard_state *state, const struct guard_rule *rule, int64_t now_us)
{
    bool near = state->known && (state->beyond_us != GUARD_NEVER || past(rule, state->value, rule->slow));
    if (lasts(state->beyond_us, rule->hold_us, now_us)) {
        state->unread = false;
        set_level(state, rule->hard ? GUARD_LEVEL_HALT : GUARD_LEVEL_PAUSE, now_us);
    } else if (lasts(state->within_us, rule->hold_us, now_us)) {
        state->unread = false;
        set_level(state, near ? GUARD_LEVEL_SLOW : GUARD_LEVEL_OK, now_us);
    } else if (near && state->level == GUARD_LEVEL_OK)
        set_level(state, GUARD_LEVEL_SLOW, now_us);
}

void guard_look(struct guard_state *state, const struct guard_rule *rule, int64_t now_us)
{
    if (state->level == GUARD_LEVEL_HALT)
        return;
    if (lasts(state->read_us, rule->stale_us, now_us))
        give_up(state, now_us);
    else
        decide(state, rule, now_us);
}

static int64_t since(bool holds, int64_t since_us, int64_t now_us)
{
    return !holds ? GUARD_NEVER : since_us == GUARD_NEVER ? now_us : since_us;
}

/* What was out of reach and never beyond its limit need not come nearer than that: where it is near it only slows. */
static void place(struct guard_state *state, const struct guard_rule *rule)
{
    bool beyond = past(rule, state->value, rule->limit), near = beyond || past(rule, state->value, rule->slow);
    bool within = state->unread ? !beyond : !near && !past(rule, state->value, rule->clear);
    state->beyond_us = since(beyond, state->beyond_us, state->read_us);
    state->within_us = since(within, state->within_us, state->read_us);
}

void guard_moved(struct guard_state *state, const struct guard_rule *rule)
{
    if (state->known && !state->unread)
        place(state, rule);
}

void guard_take(struct guard_state *state, const struct guard_rule *rule, double value, int64_t now_us)
{
    if (isnan(value)) {
        guard_fail(state, rule, now_us);
        return;
    }
    state->known = true;
    state->value = value;
    state->read_us = now_us;
    place(state, rule);
    guard_look(state, rule, now_us);
}

void guard_fail(struct guard_state *state, const struct guard_rule *rule, int64_t now_us)
{
    if (rule->strict && state->level != GUARD_LEVEL_HALT)
        give_up(state, now_us);
    else
        guard_look(state, rule, now_us);
}
