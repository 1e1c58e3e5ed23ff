#include "listing/states.h"

#include "base/int.h"

enum { HELD_STATES = 16384, READ_STATES = 1024 };

/* --- one state ------------------------------------------------------------------------------------------------------
 */

uint8_t *states_bits_put(uint8_t *into, uint64_t bits, size_t width)
{
    for (size_t i = width; i-- > 0;)
        *into++ = (uint8_t)(bits >> (8 * i) & 0xff);
    return into;
}

uint64_t states_bits_get(const uint8_t **from, size_t width)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++)
        bits = bits << 8 | *(*from)++;
    return bits;
}

static const uint64_t sign = UINT64_C(1) << 63; /* turned over, so that bytewise order is numeric order */

void state_put(const struct state *state, uint8_t into[STATE_ITEM_BYTES])
{
    digest_put(state->key, into);
    into = states_bits_put(into + STATE_DIGEST_BYTES, state->kind, 1);
    into = states_bits_put(into, (uint64_t)state->version ^ sign, 8);
    into = states_bits_put(into, state->part, 4);
    into = states_bits_put(into, state->offset, 8);
    into = states_bits_put(into, state->line, 8);
    states_bits_put(into, state->content, 8);
}

struct state state_get(const uint8_t from[STATE_ITEM_BYTES])
{
    struct state state = {.key = digest_get(from)};
    from += STATE_DIGEST_BYTES;
    state.kind = (uint8_t)states_bits_get(&from, 1);
    state.version = (int64_t)(states_bits_get(&from, 8) ^ sign);
    state.part = (uint32_t)states_bits_get(&from, 4);
    state.offset = states_bits_get(&from, 8);
    state.line = states_bits_get(&from, 8);
    state.content = states_bits_get(&from, 8);
    return state;
}

/* --- all of a key ---------------------------------------------------------------------------------------------------
 */

/* What there is among some states of a key: the last one of one part, and one of another part. */
struct states_seen {
    bool any, elsewhere;
    struct state last, other;
};

struct states {
    const struct world *world;
    char *dir;
    struct state *held; /* the newest HELD_STATES at most */
    size_t n_held;
    struct file *spill; /* those before them */
    uint64_t spilled, count;

    struct state first, second, strange; /* strange: the first of another kind than the first one */
    struct state top, other;             /* the first at the highest version; one there with other content */
    bool mixed, conflict;
    struct states_seen older, newest; /* so far: those at the newest version, and those below it */
};

struct states *states_new(const struct world *world, const char *dir)
{
    struct states *states = g_new0(struct states, 1);
    states->world = world;
    states->dir = g_strdup(dir);
    states->held = g_new(struct state, HELD_STATES);
    return states;
}

void states_free(struct states *states)
{
    if (!states)
        return;
    file_free(states->spill);
    g_free(states->held);
    g_free(states->dir);
    g_free(states);
}

void states_reset(struct states *states)
{
    g_clear_pointer(&states->spill, file_free);
    states->n_held = 0;
    states->spilled = states->count = 0;
    states->mixed = states->conflict = false;
}

static bool spill(struct states *states, GError **error)
{
    if (!states->spill && !file_open_unnamed(&states->spill, states->world, states->dir, error))
        return false;
    if (!file_append(states->spill, slice_of(states->held, states->n_held * sizeof(struct state)), NULL, error))
        return false;
    states->spilled += states->n_held;
    states->n_held = 0;
    return true;
}

static void learn(struct states *states, const struct state *state)
{
    if (states->count == 0) {
        states->first = states->top = *state;
        return;
    }
    if (states->count == 1)
        states->second = *state;
    if (state->kind != states->first.kind && !states->mixed) {
        states->mixed = true;
        states->strange = *state;
    }
    if (state->version != states->top.version) {
        states->top = *state;
        states->conflict = false;
    } else if (state->content != states->top.content && !states->conflict) {
        states->conflict = true;
        states->other = *state;
    }
}

bool states_add(struct states *states, const struct state *state, GError **error)
{
    if (states->n_held == HELD_STATES && !spill(states, error))
        return false;
    learn(states, state);
    states->held[states->n_held++] = *state;
    states->count++;
    return true;
}

uint64_t states_count(const struct states *states)
{
    return states->count;
}

bool states_ordered(const struct states *states)
{
    return !states->mixed && states->first.kind != STATE_UNREADABLE;
}

bool states_equal(const struct states *states)
{
    return !states->conflict;
}

void states_two(const struct states *states, struct state *ret_one, struct state *ret_other)
{
    *ret_one = states->conflict ? states->top : states->first;
    *ret_other = states->mixed ? states->strange : states->conflict ? states->other : states->second;
}

static bool same_place(const struct state *a, const struct state *b)
{
    return a->part == b->part && a->offset == b->offset;
}

/* Why the state loses, and to which; SKIP_NOTHING: it does not. */
static enum skip_reason loses(struct states *states, const struct state *state, const struct state **ret_other)
{
    if (states->mixed) {
        *ret_other = state->kind == states->first.kind ? &states->strange : &states->first;
        return SKIP_UNORDERED;
    }
    if (!states_ordered(states)) {
        *ret_other = same_place(state, &states->first) ? &states->second : &states->first;
        return SKIP_UNORDERED;
    }
    *ret_other = &states->top;
    if (state->version != states->top.version)
        return SKIP_SUPERSEDED;
    if (states->conflict) {
        *ret_other = state->content == states->top.content ? &states->other : &states->top;
        return SKIP_CONFLICT;
    }
    return same_place(state, &states->top) ? SKIP_NOTHING : SKIP_EQUAL;
}

static void seen_add(struct states_seen *seen, const struct state *state)
{
    if (!seen->any || (state->part == seen->last.part && state->offset > seen->last.offset))
        seen->last = *state;
    if (seen->any && state->part != seen->last.part) {
        seen->elsewhere = true;
        seen->other = *state;
    }
    seen->any = true;
}

/* They come by version, so that what is older has been seen. What has none is refused by itself. */
static enum skip_reason stays(struct states *states, const struct state *state, const struct state **ret_other)
{
    const struct states_seen *older = &states->older;
    if (state->kind != STATE_INTEGER && state->kind != STATE_TIME)
        return SKIP_NOTHING;
    if (states->newest.any &&
        (state->kind != states->newest.last.kind || state->version != states->newest.last.version)) {
        seen_add(&states->older, &states->newest.last);
        if (states->newest.elsewhere)
            seen_add(&states->older, &states->newest.other);
        states->newest = (struct states_seen){0};
    }
    seen_add(&states->newest, state);
    *ret_other = older->any && older->last.part == state->part && older->elsewhere ? &older->other : &older->last;
    bool after = older->any && ((*ret_other)->part != state->part || (*ret_other)->offset > state->offset);
    return after ? SKIP_STAYS : SKIP_NOTHING;
}

typedef enum skip_reason states_judge(struct states *states, const struct state *state, const struct state **ret_other);

/* What is to be done with those that are not SKIP_NOTHING. */
struct judging {
    states_judge *judge;
    states_each *each;
    void *user;
};

static bool judge_some(struct states *states, const struct state *some, size_t n, const struct judging *by,
                       GError **error)
{
    for (size_t i = 0; i < n; i++) {
        const struct state *other;
        enum skip_reason reason = by->judge(states, &some[i], &other);
        if (reason != SKIP_NOTHING && !by->each(by->user, &some[i], reason, other, error))
            return false;
    }
    return true;
}

static bool judge_spilled(struct states *states, const struct judging *by, GError **error)
{
    g_autofree struct state *some = g_new(struct state, READ_STATES);
    for (uint64_t done = 0; done < states->spilled;) {
        size_t n = (size_t)MIN(READ_STATES, states->spilled - done), got;
        if (!file_read_at(states->spill, done * sizeof *some, some, n * sizeof *some, &got, error))
            return false;
        if (got != n * sizeof *some)
            return error_set(error, SLUICE_ERROR_CORRUPT, "%s: a temporary file became shorter", states->dir);
        if (!judge_some(states, some, n, by, error))
            return false;
        done += n;
    }
    return true;
}

static bool judge_all(struct states *states, const struct judging *by, GError **error)
{
    return judge_spilled(states, by, error) && judge_some(states, states->held, states->n_held, by, error);
}

bool states_losers(struct states *states, states_each *each, void *user, GError **error)
{
    return judge_all(states, &(struct judging){loses, each, user}, error);
}

bool states_staying(struct states *states, states_each *each, void *user, GError **error)
{
    states->older = states->newest = (struct states_seen){0};
    return judge_all(states, &(struct judging){stays, each, user}, error);
}
