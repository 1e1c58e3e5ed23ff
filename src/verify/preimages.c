#include "verify/preimages.h"

#include "base/units.h"

/* A share of fewer says nothing. */
enum { CAME_BACK_MOST = 2, CAME_BACK_OF = 100, UNSEEN_LEAST = 20 };

void preimages_merge(struct preimages *io, const struct preimages *more)
{
    for (int i = 0; i < PRE_IMAGE_COUNT; i++)
        io->of[i] += more->of[i];
}

static uint64_t agreeing(const struct preimages *preimages)
{
    return preimages->of[PRE_IMAGE_STOOD] + preimages->of[PRE_IMAGE_CHANGED];
}

static uint64_t sampled(const struct preimages *preimages)
{
    return agreeing(preimages) + preimages->of[PRE_IMAGE_REFUTED] + preimages->of[PRE_IMAGE_UNSEEN];
}

/* By what was seen right before the writes. */
static bool is_refuted(const struct preimages *preimages)
{
    uint64_t refuted = preimages->of[PRE_IMAGE_REFUTED];
    return refuted > CAME_BACK_MOST && refuted * CAME_BACK_OF > sampled(preimages);
}

/* Of a run that an earlier version wrote, or whose machine lost what was not durable yet. */
static bool is_unproven(const struct preimages *preimages)
{
    uint64_t all = sampled(preimages);
    return all >= UNSEEN_LEAST && agreeing(preimages) * 2 < all;
}

bool preimages_hold(const struct preimages *preimages)
{
    return !is_refuted(preimages) && !is_unproven(preimages);
}

static void add(GString *text, uint64_t n, const char *what)
{
    char count[UNITS_TEXT];
    if (n)
        g_string_append_printf(text, ", %s %s", units_count(n, count), what);
}

void preimages_words(const struct preimages *preimages, GString *text)
{
    char agree[UNITS_TEXT], all[UNITS_TEXT];
    if (sampled(preimages) == 0)
        return;
    g_string_append_printf(text, "; %s of %s pre-images sampled before the first write agree with the undo log",
                           units_count(agreeing(preimages), agree), units_count(sampled(preimages), all));
    add(text, preimages->of[PRE_IMAGE_CHANGED], "of them as the application changed them before their write");
    add(text, preimages->of[PRE_IMAGE_REFUTED], "are not what stood there right before their write");
    add(text, preimages->of[PRE_IMAGE_UNSEEN],
        "are not comparable: not as sampled, and nobody looked again right before their write");
}

json_t *preimages_json(const struct preimages *preimages)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "sampled", (json_int_t)sampled(preimages), "agree",
                     (json_int_t)agreeing(preimages), "changed", (json_int_t)preimages->of[PRE_IMAGE_CHANGED],
                     "refuted", (json_int_t)preimages->of[PRE_IMAGE_REFUTED], "not_comparable",
                     (json_int_t)preimages->of[PRE_IMAGE_UNSEEN], "hold", preimages_hold(preimages));
}
