/* Which partitions a stage holds. Scopes are cumulative shares of the records, rounded up to whole partitions; the
 * partitions that are left are taken by their risk, or in the order of the source. */
#include <float.h>
#include <math.h>

#include "base/spread.h"
#include "plan/environment.h"
#include "plan/plan_parts.h"

/* What a stage adds to those before it, and how far all of them reach. */
struct reach {
    uint64_t parts, records;
};

static uint64_t records_of(const struct plan *plan)
{
    uint64_t records = 0;
    for (size_t i = 0; i < plan->n_parts; i++)
        records += plan->parts[i].records;
    return records;
}

/* A tenth of a record more than none is a record; what a product of two doubles is too much is not: 0.07 times 100. */
static double share_of(double share, uint64_t records)
{
    return ceil(share * (double)records * (1 - 4 * DBL_EPSILON));
}

static bool is_reached(const struct plan *plan, const struct spec_stage *stage, const struct reach *all,
                       uint64_t records)
{
    if (all->parts == plan->n_parts)
        return true;
    if (stage->scope_partitions)
        return all->parts >= stage->scope_partitions;
    if (stage->scope_records)
        return all->records >= stage->scope_records;
    /* Partitions that seem to hold nothing are the last stage's. */
    return stage->scope_share < 1 && (double)all->records >= share_of(stage->scope_share, records);
}

struct dealing {
    struct plan *plan;
    const struct plan_config *config;
    struct plan_stage *stages;
    uint64_t records; /* of all partitions */
    uint32_t *places, *orders[ORDER_COUNT];
    size_t next[ORDER_COUNT];
    struct reach all;
    struct plan_stage owed; /* what stages that hold no partition ask, before the first that holds any */
    bool owes;
};

struct sorting {
    const struct plan *plan;
    enum spec_order order;
    const uint32_t *places; /* of each partition, where nothing else tells which comes first */
};

static bool is_dated(const struct plan_part *part)
{
    return part->version.kind != VERSION_NONE;
}

/* The higher, the earlier. A partition of which there is no figure comes last, and so does one that holds nothing. */
static double score_of(const struct plan_part *part, enum spec_order order)
{
    if (part->records == 0 && order != ORDER_LISTED)
        return order == ORDER_RISKIEST ? part->risk : -HUGE_VAL;
    switch (order) {
    case ORDER_RISKIEST:
        return part->risk;
    case ORDER_SMALLEST:
        return -(double)part->records;
    case ORDER_NEWEST:
        return is_dated(part) ? (double)part->version.value : -HUGE_VAL;
    case ORDER_OLDEST:
        return is_dated(part) ? -(double)part->version.value : -HUGE_VAL;
    case ORDER_HOTTEST:
        return part->heated ? part->heat : -HUGE_VAL;
    case ORDER_LISTED:
    case ORDER_COUNT:
        break;
    }
    return 0;
}

static int by_score(const void *a, const void *b, void *data)
{
    const struct sorting *sorting = data;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    double first = score_of(&sorting->plan->parts[i], sorting->order);
    double second = score_of(&sorting->plan->parts[j], sorting->order);
    if (first != second)
        return first > second ? -1 : 1;
    return sorting->places[i] < sorting->places[j] ? -1 : sorting->places[i] > sorting->places[j];
}

/* Where neighbours in the listing are of one server, a stage of neighbours would be a look at that server alone, and
 * workers would all be there at once. */
static bool is_spread(const struct plan *plan)
{
    return plan->listed && store_ranks(store_driver(plan->source));
}

static uint32_t *places_of(const struct plan *plan)
{
    uint32_t *places = g_new(uint32_t, plan->n_parts + 1);
    for (size_t i = 0; i < plan->n_parts; i++)
        places[is_spread(plan) ? spread_at(i, plan->n_parts) : i] = (uint32_t)i;
    return places;
}

/* Every partition once, in the order in which stages of this order take them. */
static uint32_t *order_of(const struct dealing *dealing, enum spec_order order)
{
    const struct plan *plan = dealing->plan;
    uint32_t *parts = g_new(uint32_t, plan->n_parts + 1);
    for (size_t i = 0; i < plan->n_parts; i++)
        parts[i] = (uint32_t)i;
    struct sorting sorting = {plan, order, dealing->places};
    g_qsort_with_data(parts, (gint)plan->n_parts, sizeof *parts, by_score, &sorting);
    return parts;
}

#define NO_STAGE UINT32_MAX

static void give(struct dealing *dealing, size_t part, uint32_t stage, struct reach *ret)
{
    struct plan_part *given = &dealing->plan->parts[part];
    given->stage = stage;
    ret->parts++;
    ret->records += given->records;
    dealing->all.parts++;
    dealing->all.records += given->records;
}

/* The partitions that hold given keys. */
static bool deal_keys(struct dealing *dealing, uint32_t stage, const struct spec_stage *spec, struct reach *ret,
                      GError **error)
{
    struct plan *plan = dealing->plan;
    g_autofree bool *has = g_new0(bool, plan->n_parts + 1);
    if (!plan_stage_keys(plan, dealing->config, spec, has, error))
        return false;
    for (size_t i = 0; i < plan->n_parts; i++)
        if (has[i] && plan->parts[i].stage == NO_STAGE)
            give(dealing, i, stage, ret);
    return true;
}

static void deal(struct dealing *dealing, uint32_t stage, const struct spec_stage *spec, struct reach *ret)
{
    struct plan *plan = dealing->plan;
    size_t *next = &dealing->next[spec->order];
    for (; *next < plan->n_parts && !is_reached(plan, spec, &dealing->all, dealing->records); (*next)++) {
        size_t part = dealing->orders[spec->order][*next];
        if (plan->parts[part].stage == NO_STAGE)
            give(dealing, part, stage, ret);
    }
}

/* A gate on nothing says nothing. A stage that somebody wrote is not left out behind their back. */
static bool refuse_empty(const struct plan *plan, const struct spec_stage *stage, GError **error)
{
    g_autofree char *place = spec_place(plan->spec, "stages");
    return error_set(
        error, SLUICE_ERROR_SPEC,
        "%s: stages: the stage '%s' would hold no partition: those before it reach as far already, in whole "
        "partitions of %" G_GSIZE_FORMAT "; leave it out, or cut finer with partitions.size",
        place, stage->name, plan->n_parts);
}

/* Whoever owns the home says who lets a run past its first stage, and not the spec. */
static const char *approver_of(const struct plan *plan, const struct spec_stage *stage)
{
    const struct environment *environment = plan->environment;
    return plan->n_stages == 0 && environment && environment->approve ? environment->approve : stage->approve;
}

static struct plan_stage stage_of(const struct plan *plan, const struct spec_stage *stage, const struct reach *reach)
{
    return (struct plan_stage){.name = stage->name,
                               .order = stage->order,
                               .soak_ms = stage->soak_ms,
                               .approve = approver_of(plan, stage),
                               .sure = stage->sure,
                               .parts = reach->parts,
                               .records = reach->records};
}

/* What both gates ask: whoever is asked by either, the longer soak, and every key where they differ in how sure to be.
 */
static bool join_gates(const struct plan *plan, struct plan_stage *io, const struct plan_stage *empty, GError **error)
{
    g_autofree char *place = spec_place(plan->spec, "stages");
    if (io->approve && empty->approve && strcmp(io->approve, empty->approve) != 0)
        return error_set(
            error, SLUICE_ERROR_SPEC,
            "%s: stages: there are too few records for all stages: the stage '%s' would hold none, and its "
            "approver '%s' is not the '%s' of stage '%s', who could stand for both; leave one of them out",
            place, empty->name, empty->approve, io->approve, io->name);
    if (memcmp(&io->sure, &empty->sure, sizeof io->sure) != 0)
        io->sure = (struct spec_sure){0};
    io->approve = io->approve ? io->approve : empty->approve;
    io->soak_ms = MAX(io->soak_ms, empty->soak_ms);
    return true;
}

/* A retry or a repair may have fewer partitions than its spec has stages. What the gates of those that hold none ask is
 * asked at the stage before them, that of the first ones at the first that holds any. */
static bool add_stage(struct dealing *dealing, const struct plan_stage *stage, bool holds, GError **error)
{
    struct plan *plan = dealing->plan;
    if (!holds && plan->n_stages > 0)
        return join_gates(plan, &dealing->stages[plan->n_stages - 1], stage, error);
    if (dealing->owes && !join_gates(plan, &dealing->owed, stage, error))
        return false;
    struct plan_stage asked = dealing->owes ? dealing->owed : *stage;
    dealing->owed = asked;
    dealing->owes = !holds;
    if (!holds)
        return true;
    asked.name = stage->name;
    asked.order = stage->order;
    asked.parts = stage->parts;
    asked.records = stage->records;
    dealing->stages[plan->n_stages++] = asked;
    return true;
}

static bool deal_all(struct dealing *dealing, GError **error)
{
    struct plan *plan = dealing->plan;
    const struct spec *spec = plan->spec;
    for (size_t i = 0; i < spec->n_stages; i++) {
        const struct spec_stage *stage = &spec->stages[i];
        struct reach reach = {0};
        if (!stage->scope_keys)
            deal(dealing, (uint32_t)plan->n_stages, stage, &reach);
        else if (!deal_keys(dealing, (uint32_t)plan->n_stages, stage, &reach, error))
            return false;
        bool holds = reach.parts > 0 || (i + 1 == spec->n_stages && plan->n_stages == 0);
        if (!holds && spec->stages_given && !plan->retries)
            return refuse_empty(plan, stage, error);
        struct plan_stage dealt = stage_of(plan, stage, &reach);
        if ((holds || spec->stages_given) && !add_stage(dealing, &dealt, holds, error))
            return false;
    }
    return true;
}

/* A stage's partitions are granted in its order: the first of it in the place of the one that stands first. */
static void take_turns(struct dealing *dealing, uint32_t stage)
{
    struct plan *plan = dealing->plan;
    const uint32_t *order = dealing->orders[plan->stages[stage].order];
    size_t place = 0;
    for (size_t i = 0; i < plan->n_parts; i++) {
        struct plan_part *part = &plan->parts[order[i]];
        if (part->stage != stage)
            continue;
        while (plan->parts[place].stage != stage)
            place++;
        part->turn = place == order[i] ? 0 : (uint32_t)place + 1;
        place++;
    }
}

bool plan_deal_stages(struct plan *plan, const struct plan_config *config, GError **error)
{
    struct dealing dealing = {.plan = plan, .config = config, .records = records_of(plan)};
    plan->stages = dealing.stages = arena_alloc0(plan->mem, plan->spec->n_stages * sizeof *plan->stages);
    if (!plan->stages)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "too many stages");
    for (size_t i = 0; i < plan->n_parts; i++)
        plan->parts[i].stage = NO_STAGE;
    dealing.places = places_of(plan);
    for (int order = 0; order < ORDER_COUNT; order++)
        dealing.orders[order] = order_of(&dealing, (enum spec_order)order);
    bool dealt = deal_all(&dealing, error);
    for (size_t i = 0; dealt && i < plan->n_stages; i++)
        take_turns(&dealing, (uint32_t)i);
    for (int order = 0; order < ORDER_COUNT; order++)
        g_free(dealing.orders[order]);
    g_free(dealing.places);
    return dealt;
}
