/* Partitions as spans of equal state: one small answer, however many there are. */
#include <string.h>

#include "base/int.h"
#include "catalog/pages.h"
#include "serve/server.h"
#include "view/shape.h"
#include "view/trouble.h"

enum { TROUBLES = 20, TROUBLES_MOST = 500, SPANS = 10000, SPANS_MOST = 50000, KIND_ROOM = 0x40000000 };

struct span {
    uint32_t first, count, state, stage;
};

static const char *const KINDS[PARTS_KIND_COUNT] = {"forward", "back", "promotion"};

static void add(GArray *spans, const struct span *next)
{
    struct span *last = spans->len ? &g_array_index(spans, struct span, spans->len - 1) : NULL;
    if (last && last->first + last->count == next->first && last->state == next->state && last->stage == next->stage)
        last->count += next->count;
    else
        g_array_append_vals(spans, next, 1);
}

static void take_part(void *self, uint32_t part, uint32_t stage, enum part_state state)
{
    add(self, &(struct span){.first = part, .count = 1, .state = (uint32_t)state, .stage = stage});
}

/* Of several partitions that are told as one: which of them needs a look most. */
static unsigned urgency(uint32_t state)
{
    static const unsigned ORDER[PART_STATE_COUNT] = {[PART_ROLLED_BACK] = 0, [PART_VERIFIED] = 1, [PART_WRITTEN] = 2,
                                                     [PART_PENDING] = 3,     [PART_RUNNING] = 4,  [PART_FAILED] = 5};
    return ORDER[state];
}

/* In blocks of `step` partitions. */
static GArray *coarser(const GArray *exact, uint32_t step)
{
    GArray *spans = g_array_new(FALSE, FALSE, sizeof(struct span));
    struct span block = {0};
    for (guint i = 0; i < exact->len; i++) {
        struct span rest = g_array_index(exact, struct span, i);
        while (rest.count > 0) {
            uint32_t here = MIN(rest.count, step - rest.first % step);
            bool begins = block.count == 0 || rest.first % step == 0;
            if (begins && block.count)
                add(spans, &block);
            if (begins)
                block = (struct span){.first = rest.first, .state = rest.state, .stage = rest.stage};
            if (urgency(rest.state) > urgency(block.state))
                block.state = rest.state, block.stage = rest.stage;
            block.count += here;
            rest.first += here;
            rest.count -= here;
        }
    }
    if (block.count)
        add(spans, &block);
    return spans;
}

/* *io becomes no longer than `most`; the step. */
static uint32_t fit(GArray **io, uint64_t most)
{
    GArray *exact = *io;
    uint32_t step = 1;
    while ((*io)->len > most && step < KIND_ROOM) {
        if (*io != exact)
            g_array_unref(*io);
        step *= 2;
        *io = coarser(exact, step);
    }
    if (*io != exact)
        g_array_unref(exact);
    return step;
}

static json_t *spans_json(const GArray *spans)
{
    json_t *list = json_array();
    for (guint i = 0; i < spans->len; i++) {
        const struct span *span = &g_array_index(spans, struct span, i);
        json_array_append_new(list, json_pack("[I, I, I, I]", (json_int_t)span->first, (json_int_t)span->count,
                                              (json_int_t)span->state, (json_int_t)span->stage));
    }
    return list;
}

static json_t *state_words(void)
{
    json_t *list = json_array();
    for (int i = 0; i < PART_STATE_COUNT; i++)
        json_array_append_new(list, json_string(part_state_word((enum part_state)i)));
    return list;
}

static json_t *stage_names(const struct stage_row *stages, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(stages[i].name));
    return list;
}

static bool kind_of(const struct request *request, enum parts_kind *ret, GError **error)
{
    const char *kind = request_query(request, "kind");
    for (int i = 0; i < PARTS_KIND_COUNT; i++)
        if (strcmp(kind ? kind : KINDS[0], KINDS[i]) == 0) {
            *ret = (enum parts_kind)i;
            return true;
        }
    return error_set(error, SLUICE_ERROR_USAGE, "kind=%s: forward, back or promotion was expected", kind);
}

struct spans_wish {
    enum parts_kind kind;
    uint64_t from, to, most;
};

static bool spans_wish(const struct request *request, struct spans_wish *ret, GError **error)
{
    struct number_wish from = {"from", 0, KIND_ROOM}, to = {"to", KIND_ROOM, KIND_ROOM};
    struct number_wish most = {"spans", SPANS, SPANS_MOST};
    return kind_of(request, &ret->kind, error) && request_number(request, &from, &ret->from, error) &&
           request_number(request, &to, &ret->to, error) && request_number(request, &most, &ret->most, error) &&
           (ret->most > 0 || error_set(error, SLUICE_ERROR_USAGE, "spans=0: one at least"));
}

static uint64_t total_of(const struct run_row *run, enum parts_kind kind)
{
    const uint64_t *const OF[PARTS_KIND_COUNT] = {run->parts, run->back_parts, run->promotion_parts};
    uint64_t total = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        total += OF[kind][i];
    return total;
}

bool serve_partitions(struct request *request, struct desk *desk, GError **error)
{
    struct run_row run;
    struct stage_row *stages;
    struct spans_wish wish;
    size_t n;
    if (!spans_wish(request, &wish, error) || !request_run(request, desk, &run, error) ||
        !catalog_stages(desk->catalog, run.id, desk->mem, &stages, &n, error))
        return false;
    uint64_t total = total_of(&run, wish.kind);
    GArray *spans = g_array_new(FALSE, FALSE, sizeof(struct span));
    struct parts_walk walk = {.run = run.id, .kind = wish.kind, .each = take_part, .self = spans};
    walk.from = (uint32_t)MIN(wish.from, total);
    walk.to = (uint32_t)CLAMP(wish.to, walk.from, total);
    bool walked = catalog_parts_walk(desk->catalog, &walk, error);
    uint32_t step = walked ? fit(&spans, wish.most) : 1;
    if (walked)
        answer_json(&request->answer,
                    json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "type", "partitions", "run",
                              run.name, "kind", KINDS[wish.kind], "total", (json_int_t)total, "from",
                              (json_int_t)walk.from, "to", (json_int_t)walk.to, "step", (json_int_t)step, "states",
                              state_words(), "stages", stage_names(stages, n), "spans", spans_json(spans)));
    g_array_unref(spans);
    return walked;
}

/* --- one of them -------------------------------------------------------------------------------------------------- */

struct part_look {
    struct run_row run;
    struct part_row part;
    struct checkpoints checkpoints;
    struct part_sum *sums;
    size_t n_sums;
    struct straggler *stragglers;
    size_t n_stragglers;
    struct part_times times;
};

static json_t *outcomes_json(const struct checkpoints *checkpoints)
{
    struct tally all = {0};
    json_t *object = json_object();
    for (size_t i = 0; i < checkpoints->n; i++)
        for (int k = 0; k < OUTCOME_COUNT; k++)
            all.of[k] += checkpoints->rows[i].tally.of[k];
    for (int k = 0; k < OUTCOME_COUNT; k++)
        if (all.of[k])
            json_object_set_new(object, outcome_row((enum outcome)k)->word, json_integer((json_int_t)all.of[k]));
    return object;
}

static json_t *bytes_json(const struct checkpoints *checkpoints)
{
    uint64_t read = 0, written = 0;
    for (size_t i = 0; i < checkpoints->n; i++) {
        read += checkpoints->rows[i].bytes_read;
        written += checkpoints->rows[i].bytes_written;
    }
    return json_pack("{s:I, s:I}", "read", (json_int_t)read, "written", (json_int_t)written);
}

static json_t *verified_json(const struct part_look *look)
{
    for (size_t i = 0; i < look->n_sums; i++)
        if (look->sums[i].part == look->part.part) {
            json_t *counts = look->sums[i].counts ? json_loads(look->sums[i].counts, 0, NULL) : NULL;
            return json_pack("{s:o, s:o}", "at", shape_time(look->sums[i].at_ms), "counts",
                             counts ? counts : json_null());
        }
    return json_null();
}

static json_t *straggler_json(const struct part_look *look)
{
    for (size_t i = 0; i < look->n_stragglers; i++)
        if (look->stragglers[i].part == look->part.part) {
            json_t *one = shape_stragglers(&look->stragglers[i], 1), *straggler = json_incref(json_array_get(one, 0));
            json_decref(one);
            return straggler;
        }
    return json_null();
}

static json_t *conditions_json(const struct checkpoint *last)
{
    json_t *conditions = last && last->conditions ? json_loads(last->conditions, 0, NULL) : NULL;
    return conditions ? conditions : json_null();
}

static enum parts_kind kind_of_part(uint32_t part)
{
    return part >= CATALOG_PROMOTION_PART ? PARTS_PROMOTION : part >= CATALOG_BACK_PART ? PARTS_BACK : PARTS_FORWARD;
}

static bool look_at_part(struct request *request, struct desk *desk, struct part_look *ret, GError **error)
{
    uint64_t number;
    if (!int_parse_u64(slice_of_text(request->names[1]), &number) || number > UINT32_MAX)
        return error_set(error, SLUICE_ERROR_USAGE, "%s: the number of a partition was expected", request->names[1]);
    struct catalog *catalog = desk->catalog;
    return request_run(request, desk, &ret->run, error) &&
           (catalog_part(catalog, ret->run.id, (uint32_t)number, desk->mem, &ret->part, error) ||
            error_add(error, "%s, partition %u", ret->run.name, (unsigned)number)) &&
           catalog_checkpoints(catalog, ret->run.id, ret->part.part, desk->mem, &ret->checkpoints, error) &&
           catalog_part_sums(catalog, ret->run.id, desk->mem, &ret->sums, &ret->n_sums, error) &&
           catalog_stragglers(catalog, ret->run.id, desk->mem, &ret->stragglers, &ret->n_stragglers, error) &&
           catalog_part_times(catalog, ret->run.id, ret->part.part, &ret->times, error);
}

bool serve_partition(struct request *request, struct desk *desk, GError **error)
{
    struct part_look look;
    struct stage_row *stages;
    size_t n;
    if (!look_at_part(request, desk, &look, error) ||
        !catalog_stages(desk->catalog, look.run.id, desk->mem, &stages, &n, error))
        return false;
    const struct part_row *part = &look.part;
    const struct checkpoints *all = &look.checkpoints;
    const struct checkpoint *last = all->n ? &all->rows[all->n - 1] : NULL;
    json_t *shown =
        json_pack("{s:s, s:s, s:I, s:s, s:o, s:s, s:I, s:I, s:I, s:I}", "type", "partition", "run", look.run.name,
                  "partition", (json_int_t)part->part, "kind", KINDS[kind_of_part(part->part)], "stage",
                  shape_text(part->stage < n ? stages[part->stage].name : NULL), "state", part_state_word(part->state),
                  "lane", (json_int_t)part->lane, "records", (json_int_t)part->records, "done",
                  (json_int_t)(last ? last->index : 0), "checkpoints", (json_int_t)all->n);
    json_object_set_new(shown, "outcomes", outcomes_json(all));
    json_object_set_new(shown, "bytes", bytes_json(all));
    json_object_set_new(shown, "parent",
                        part->parent == UINT32_MAX ? json_null() : json_integer((json_int_t)part->parent));
    json_object_set_new(shown, "conditions", conditions_json(last));
    json_object_set_new(shown, "verified", verified_json(&look));
    json_object_set_new(shown, "straggler", straggler_json(&look));
    trouble_put_times(shown, &look.times);
    answer_json(&request->answer, shown);
    return true;
}

/* --- those in which something went wrong -------------------------------------------------------------------------- */

bool serve_troubles(struct request *request, struct desk *desk, GError **error)
{
    struct number_wish limit = {"limit", TROUBLES, TROUBLES_MOST};
    struct run_row run;
    struct stage_row *stages;
    struct trouble_wish wish = {.run = &run};
    uint64_t most;
    json_t *troubles;
    if (!request_number(request, &limit, &most, error) || !request_run(request, desk, &run, error) ||
        !catalog_stages(desk->catalog, run.id, desk->mem, &stages, &wish.n_stages, error))
        return false;
    wish.stages = stages;
    wish.most = most;
    if (!trouble_json(desk->catalog, &wish, desk->mem, &troubles, error))
        return false;
    answer_json(&request->answer, troubles);
    return true;
}
