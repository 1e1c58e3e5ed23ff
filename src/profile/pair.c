#include "profile/pair.h"

enum { PAIRED = 2 * PROFILE_FIELDS }; /* what a record has more of is looked at on each side */

struct profile_pair {
    struct profile *before, *after; /* what the sides do not have alike; once they are compared, all of it */
    struct profile *both;
};

/* One side of a record. */
struct side {
    struct profile *profile;
    struct element values[PAIRED];
    bool paired[PAIRED]; /* on both sides the same */
    size_t n, next;
    struct elements rest;
};

struct profile_pair *profile_pair_new(void)
{
    struct profile_pair *pair = g_new0(struct profile_pair, 1);
    *pair = (struct profile_pair){.before = profile_new(), .after = profile_new(), .both = profile_new()};
    return pair;
}

void profile_pair_free(struct profile_pair *pair)
{
    if (!pair)
        return;
    profile_free(pair->before);
    profile_free(pair->after);
    profile_free(pair->both);
    g_free(pair);
}

static void side_begin(struct side *side, struct profile *profile, struct slice document)
{
    side->profile = profile;
    side->n = side->next = 0;
    side->rest = (struct elements){0};
    if (!profile_add_record(profile, document, &side->rest))
        return;
    while (side->n < PAIRED && element_next(&side->rest, &side->values[side->n]) == ELEMENT_OK)
        side->paired[side->n++] = false;
}

/* The sides have their fields in the same order, or each in its own. */
static bool side_pairs(struct side *side, const struct element *value)
{
    for (size_t i = 0; i < side->n; i++) {
        size_t at = (side->next + i) % side->n;
        const struct element *one = &side->values[at];
        if (!slice_equal(one->name, value->name))
            continue;
        side->next = at + 1;
        bool same = !side->paired[at] && one->type == value->type && slice_equal(one->value, value->value);
        side->paired[at] |= same;
        return same;
    }
    return false;
}

static void side_end(struct side *side)
{
    struct element value;
    for (size_t i = 0; i < side->n; i++)
        if (!side->paired[i])
            profile_add_value(side->profile, &side->values[i]);
    if (side->n < PAIRED)
        return;
    while (element_next(&side->rest, &value) == ELEMENT_OK)
        profile_add_value(side->profile, &value);
}

void profile_pair_add(struct profile_pair *pair, struct slice before, struct slice after)
{
    struct side left, right;
    side_begin(&left, pair->before, before);
    side_begin(&right, pair->after, after);
    for (size_t i = 0; i < left.n; i++) {
        left.paired[i] = side_pairs(&right, &left.values[i]);
        if (left.paired[i])
            profile_add_value(pair->both, &left.values[i]);
    }
    side_end(&left);
    side_end(&right);
}

uint64_t profile_pair_records(const struct profile_pair *pair)
{
    return MAX(profile_records(pair->before), profile_records(pair->after));
}

/* What both have comes first: those fields were met first. */
static void join(struct profile **io, struct profile *both)
{
    struct profile *all = profile_new();
    profile_merge(all, both);
    profile_merge(all, *io);
    profile_free(*io);
    *io = all;
}

GArray *profile_pair_compare(struct profile_pair *pair)
{
    if (profile_records(pair->before) == 0 || profile_records(pair->after) == 0)
        return NULL;
    join(&pair->before, pair->both);
    join(&pair->after, pair->both);
    profile_free(pair->both);
    pair->both = profile_new(); /* nothing is left that would be joined twice */
    return profile_compare(pair->before, pair->after);
}

struct profile *profile_pair_after(struct profile_pair *pair)
{
    return pair->after;
}
