/* Which keys are looked at, where it is not all of them: a sample's, or those that are given. */
#include "verify/verify_parts.h"

/* Above this share of the keys a sample saves nothing, and what everything proves is kept. */
#define NEARLY_ALL(sample, keys) ((sample) >= (keys) - (keys) / 20)

bool chosen_has(const struct chosen *chosen, uint64_t place)
{
    if (!chosen->sampled || place >= chosen->order.n) /* more of them than were planned: each is looked at, once */
        return !chosen->again && (!chosen->places || chosen_next(chosen, place) == place);
    uint64_t rank = sampling_rank(&chosen->order, place);
    return rank >= chosen->from && rank < chosen->to;
}

uint64_t chosen_next(const struct chosen *chosen, uint64_t place)
{
    size_t low = 0, high = chosen->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (chosen->places[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < chosen->n ? chosen->places[low] : UINT64_MAX;
}

/* --- a sample ----------------------------------------------------------------------------------------------------- */

#define FIRST_LOOK   16u   /* a bad stage shows with these, */
#define FORERUN_MOST 1008u /* or with these: six looks, each at twice as many as the one before */

static struct sampling_order order_of(const struct verify_input *input, size_t part)
{
    return sampling_order_of(input->parts[part].keys.keys, input->draw_key, input->parts[part].part + UINT64_C(1));
}

/* The key's partition. */
static size_t part_at(const struct draw *draw, size_t n_parts, uint64_t key)
{
    size_t low = 0, high = n_parts;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (draw->first[middle] <= key)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Where any key of the listing can be asked for by itself: of files all would be read for it, of a run on its own
 * source all of the undo log. 0: nowhere. */
static uint64_t forerun_most(const struct draw *draw, const struct verify_input *input)
{
    return input->listed && !input->same_dataset ? MIN(FORERUN_MOST, draw->frame.sample / 2) : 0;
}

/* The partition of the key whose turn it is, of all keys in random order. */
static size_t turn_of(const struct draw *draw, const struct verify_input *input, uint64_t turn)
{
    struct sampling_order all = sampling_order_of(draw->frame.population, input->draw_key, 0);
    return part_at(draw, input->n_parts, sampling_place(&all, turn));
}

/* Of rounds: so many of all keys in random order. */
static void draw_up_to(struct draw *draw, const struct verify_input *input, uint64_t turns)
{
    bool all = turns == draw->frame.population;
    for (size_t i = 0; all && i < input->n_parts; i++)
        draw->ahead[i] = input->parts[i].keys.keys;
    for (uint64_t turn = draw->round.sample; !all && turn < turns; turn++)
        draw->ahead[turn_of(draw, input, turn)]++;
    draw->round.sample = turns;
    draw->round.number++;
}

/* Known before anything is looked at, so that each key of a partition weighs as much as any other (draw_weight()). */
static void look_ahead(struct draw *draw, const struct verify_input *input)
{
    uint64_t most = forerun_most(draw, input), turns = 0;
    for (uint64_t lot = FIRST_LOOK; turns + lot <= most; lot *= 2)
        turns += lot;
    for (uint64_t turn = 0; turn < turns; turn++)
        draw->ahead[turn_of(draw, input, turn)]++;
}

struct draw *draw_new(const struct verify_input *input)
{
    uint64_t keys = 0;
    for (size_t i = 0; i < input->n_parts; i++)
        keys += input->parts[i].keys.keys;
    if (input->sure.confidence <= 0 || keys == 0 || verify_appends(input))
        return NULL;
    bool rounds = input->sure.each > 0;
    struct sampling_frame frame = {keys, 0, input->n_parts > 1 && !rounds};
    frame.sample = rounds ? sampling_first(keys, &input->sure) : sampling_size(keys, frame.stratified, &input->sure);
    if (NEARLY_ALL(frame.sample, keys))
        return NULL;
    struct draw *draw = g_new0(struct draw, 1);
    draw->frame = frame;
    draw->first = g_new0(uint64_t, input->n_parts + 1);
    draw->ahead = g_new0(uint64_t, input->n_parts + 1);
    draw->taken = g_new0(uint64_t, input->n_parts + 1);
    for (size_t i = 0; i < input->n_parts; i++)
        draw->first[i + 1] = draw->first[i] + input->parts[i].keys.keys;
    draw->round.population = keys;
    if (rounds)
        draw_up_to(draw, input, frame.sample);
    else
        look_ahead(draw, input);
    return draw;
}

void draw_free(struct draw *draw)
{
    if (!draw)
        return;
    g_free(draw->first);
    g_free(draw->ahead);
    g_free(draw->taken);
    g_free(draw);
}

static uint64_t drawn_of(const struct draw *draw, size_t part)
{
    uint64_t keys = draw->first[part + 1] - draw->first[part];
    if (draw->round.number)
        return draw->ahead[part];
    return MAX(sampling_of_stratum(keys, draw->frame.sample, draw->frame.population), draw->ahead[part]);
}

struct chosen draw_chosen(const struct draw *draw, const struct verify_input *input, size_t part)
{
    return (struct chosen){.sampled = true,
                           .order = order_of(input, part),
                           .from = draw->taken[part],
                           .to = drawn_of(draw, part),
                           .again = draw->round.number > 1};
}

double draw_stands_for(const struct draw *draw)
{
    return (double)draw->frame.population / (double)MAX(draw->round.sample, draw->frame.sample);
}

bool draw_looks_at(const struct draw *draw, size_t part)
{
    return draw->round.number == 0 || draw->taken[part] < draw->ahead[part];
}

bool draw_may_grow(const struct draw *draw)
{
    return draw->round.number > 0 && draw->round.sample < draw->round.population;
}

double draw_weight(const struct draw *draw, const struct verify_input *input, const struct verify_part *part)
{
    size_t i = (size_t)(part - input->parts);
    if (draw->round.number)
        return 1;
    double keys = (double)(draw->first[i + 1] - draw->first[i]), drawn = (double)drawn_of(draw, i);
    double least = (double)draw->frame.sample / (double)draw->frame.population;
    return MIN(least * keys / drawn, 1.0); /* it has a key, and so is drawn from */
}

uint64_t draw_size(const struct draw *draw, const struct verify_input *input)
{
    uint64_t size = 0;
    for (size_t i = 0; i < input->n_parts; i++)
        size += draw->stopped ? draw->taken[i] : drawn_of(draw, i);
    return size;
}

/* A round but the first is drawn only where the first found nothing; and all that there are say it all. */
double draw_below(const struct draw *draw, const struct verify_input *input, uint64_t bad)
{
    bool one = draw->round.number <= 1, all = draw_size(draw, input) == draw->frame.population;
    if (draw->stopped)
        return 1;
    uint64_t most = all ? bad + 1 : sampling_bound(&draw->frame, one ? bad : 0, input->sure.confidence);
    return (double)MAX(most, bad + 1) / (double)draw->frame.population;
}

bool draw_widen(struct draw *draw, const struct verify_input *input, const struct found *found,
                const struct strata *strata)
{
    const struct strata_told told = {.strata = strata, .input = input, .round = draw->round};
    if (!draw->round.number || draw->stopped || found_bad(found) || draw->round.sample == draw->round.population)
        return false;
    uint64_t rarest = strata_open(&told);
    if (rarest == STRATA_NONE_OPEN)
        return false;
    memcpy(draw->taken, draw->ahead, input->n_parts * sizeof *draw->taken);
    draw_up_to(draw, input, sampling_next(&input->sure, &draw->round, rarest));
    return true;
}

/* --- the forerun -------------------------------------------------------------------------------------------------- */

struct drawn {
    size_t part;
    uint64_t place; /* in it */
};

/* The next of all keys in random order: whose turn it is says a permutation of all, which key of it the stratum's own.
 */
static struct drawn draw_one(struct draw *draw, const struct verify_input *input, uint64_t turn)
{
    size_t part = turn_of(draw, input, turn);
    struct sampling_order own = order_of(input, part);
    return (struct drawn){part, sampling_place(&own, draw->taken[part]++)};
}

static gint by_place(gconstpointer a, gconstpointer b)
{
    const struct drawn *one = a, *other = b;
    if (one->part != other->part)
        return one->part < other->part ? -1 : 1;
    return one->place < other->place ? -1 : one->place > other->place;
}

/* Those of one partition, from drawn[0] on; *ret_n: how many they are. */
static bool look_at_part(struct pass *pass, const struct drawn *drawn, size_t n, size_t *ret_n, GError **error)
{
    const struct verify_part *part = &pass->input->parts[drawn[0].part];
    g_autofree uint64_t *places = g_new(uint64_t, n);
    size_t some = 0;
    for (; some < n && drawn[some].part == drawn[0].part; some++)
        places[some] = drawn[some].place;
    *ret_n = some;
    pass->chosen = (struct chosen){.places = places, .n = some};
    bool ok = pass_begin(pass, part, error) && pass_fresh_transform(pass, error) && pass_elsewhere(pass, part, error);
    pass->chosen = (struct chosen){0};
    return ok || error_add(error, "verifying partition %u", part->part);
}

static bool look_at(struct pass *pass, GArray *drawn, GError **error)
{
    const struct drawn *all = (const struct drawn *)(void *)drawn->data;
    size_t n;
    g_array_sort(drawn, by_place);
    for (size_t at = 0; at < drawn->len; at += n)
        if (!look_at_part(pass, all + at, drawn->len - at, &n, error))
            return false;
    return true;
}

/* One look behind each lot: that its bad ones come last makes the ratio largest there. A key of which several records
 * are made may be bad more than once; as many as were looked at are bad at most. */
static bool forerun(struct pass *pass, struct draw *draw, uint64_t most, GError **error)
{
    struct sampling_test test;
    g_autoptr(GArray) drawn = g_array_new(FALSE, FALSE, sizeof(struct drawn));
    uint64_t turn = 0;
    if (!sampling_test_begin(&test, draw->frame.population, most, &pass->input->sure))
        return true;
    for (uint64_t lot = FIRST_LOOK; turn + lot <= most && !draw->stopped; lot *= 2) {
        uint64_t bad = found_bad(&pass->found);
        g_array_set_size(drawn, 0);
        for (uint64_t i = 0; i < lot; i++) {
            struct drawn one = draw_one(draw, pass->input, turn++);
            g_array_append_val(drawn, one);
        }
        if (!look_at(pass, drawn, error))
            return false;
        bad = MIN(found_bad(&pass->found) - bad, lot);
        for (uint64_t i = 0; i < lot; i++)
            draw->stopped = sampling_test_look(&test, i >= lot - bad);
    }
    return true;
}

bool draw_forerun(struct verification *verification, GError **error)
{
    struct draw *draw = verification->draw;
    struct pass pass;
    uint64_t most = draw ? forerun_most(draw, verification->input) : 0;
    if (most == 0)
        return true;
    bool ok = pass_open(&pass, verification, error) && forerun(&pass, draw, most, error);
    pass_show_found(&pass);
    verification_merge(verification, &pass);
    pass_done(&pass);
    return ok;
}
