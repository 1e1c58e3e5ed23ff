#include "view/diff.h"

#include "base/hex.h"
#include "plan/texts.h"
#include "view/fates.h"
#include "view/lines.h"
#include "view/shape.h"

#define MEM_ROOM (256u << 20)

struct side {
    struct run_row run;
    struct plan_texts texts;
    struct stage_row *stages;
    size_t n_stages;
    json_t *plan; /* its frozen text, by path: `limits.errors` */
    bool listed;
    struct fates fates;
};

struct pair {
    const struct look_from *from;
    uint64_t examples;
    struct arena *mem;
    struct side a, b;
};

/* --- the plan ----------------------------------------------------------------------------------------------------- */

/* What two runs never share, and what is told by its texts. */
static bool is_told(const char *key)
{
    static const char *const ASIDE[] = {"uid", "planned_at_ms", "name", "spec", "contract", "transform", "dealt"};
    for (size_t i = 0; i < G_N_ELEMENTS(ASIDE); i++)
        if (strcmp(key, ASIDE[i]) == 0)
            return false;
    return true;
}

static bool read_plan(struct pair *pair, struct side *side, GError **error)
{
    struct slice text;
    if (!catalog_plan(pair->from->catalog, side->run.id, pair->mem, &text, error))
        return false;
    side->plan = json_loadb((const char *)text.data, text.len, 0, NULL);
    return side->plan || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", side->run.name);
}

static void add_change(json_t *list, const char *what, const char *name, json_t *a, json_t *b)
{
    json_array_append_new(list, json_pack("{s:s, s:O?, s:O?}", what, name, "a", a, "b", b));
}

static void compare_plans(const char *key, json_t *a, json_t *b, json_t *list);

static void compare_member(const char *key, const char *name, json_t *a, json_t *b, json_t *list)
{
    g_autofree char *path = g_strconcat(key, *key ? "." : "", name, NULL);
    if (is_told(path))
        compare_plans(path, json_object_get(a, name), json_object_get(b, name), list);
}

static void compare_objects(const char *key, json_t *a, json_t *b, json_t *list)
{
    const char *name;
    json_t *value;
    json_object_foreach(a, name, value) compare_member(key, name, a, b, list);
    json_object_foreach(b, name, value) if (!json_object_get(a, name)) compare_member(key, name, a, b, list);
}

static bool holds_objects(const json_t *list)
{
    return json_is_object(json_array_get(list, 0));
}

static void compare_items(const char *key, json_t *a, json_t *b, json_t *list)
{
    for (size_t i = 0; i < MAX(json_array_size(a), json_array_size(b)); i++) {
        g_autofree char *path = g_strdup_printf("%s[%" G_GSIZE_FORMAT "]", key, i);
        compare_plans(path, json_array_get(a, i), json_array_get(b, i), list);
    }
}

/* What only one of them has, and a list of plain values, is one change as a whole; null is as if it were not there. */
static void compare_plans(const char *key, json_t *a, json_t *b, json_t *list)
{
    bool none = (!a || json_is_null(a)) && (!b || json_is_null(b));
    if (json_is_object(a) && json_is_object(b))
        compare_objects(key, a, b, list);
    else if (holds_objects(a) || holds_objects(b))
        compare_items(key, a, b, list);
    else if (!none && !json_equal(a, b))
        add_change(list, "key", key, a, b);
}

static json_t *plan_changes(const struct pair *pair)
{
    json_t *list = json_array();
    compare_plans("", pair->a.plan, pair->b.plan, list);
    return list;
}

/* --- the texts ---------------------------------------------------------------------------------------------------- */

static void add_line(void *self, const struct line_change *change)
{
    json_array_append_new(self, json_pack("{s:s, s:I, s:o}", "op", change->added ? "+" : "-", "line",
                                          (json_int_t)change->number, "text", shape_text(change->text)));
}

/* The k-th text of a kind; NULL: there are fewer. */
static const struct plan_text *text_of(const struct plan_texts *texts, const char *what, size_t k)
{
    for (size_t i = 0; i < texts->n; i++)
        if (strcmp(texts->texts[i].what, what) == 0 && k-- == 0)
            return &texts->texts[i];
    return NULL;
}

static void add_file(json_t *files, const struct plan_text *a, const struct plan_text *b)
{
    struct slice none = {0};
    json_t *lines = json_array();
    lines_compare(a ? a->text : none, b ? b->text : none, add_line, lines);
    if (json_array_size(lines) == 0)
        json_decref(lines);
    else
        json_array_append_new(files, json_pack("{s:o, s:o, s:o}", "a", shape_text(a ? a->name : NULL), "b",
                                               shape_text(b ? b->name : NULL), "lines", lines));
}

/* The digests say whether there is a difference, the texts which; null where they were not kept. */
static json_t *text_json(const struct pair *pair, const char *what, const uint8_t *a, const uint8_t *b)
{
    bool same = memcmp(a, b, 32) == 0, kept = pair->a.texts.n && pair->b.texts.n;
    json_t *files = kept ? json_array() : json_null();
    for (size_t k = 0; kept; k++) {
        const struct plan_text *left = text_of(&pair->a.texts, what, k), *right = text_of(&pair->b.texts, what, k);
        if (!left && !right)
            break;
        add_file(files, left, right);
    }
    return json_pack("{s:s, s:b, s:o, s:o, s:o}", "what", what, "same", same, "a", shape_digest(a), "b",
                     shape_digest(b), "files", files);
}

static json_t *texts_json(const struct pair *pair)
{
    const struct plan_digests *a = &pair->a.run.digests, *b = &pair->b.run.digests;
    return json_pack("[o, o, o]", text_json(pair, "spec", a->spec, b->spec),
                     text_json(pair, "contract", a->contract, b->contract),
                     text_json(pair, "transform", a->transform, b->transform));
}

/* --- what came of it ---------------------------------------------------------------------------------------------- */

static json_t *stage_json(const struct side *side, size_t i)
{
    uint64_t parts = 0;
    if (i >= side->n_stages)
        return json_null();
    for (int k = 0; k < PART_STATE_COUNT; k++)
        parts += side->stages[i].parts[k];
    return json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", side->stages[i].name, "state",
                     stage_state_word(side->stages[i].state), "attempts", (json_int_t)side->stages[i].attempt,
                     "partitions", (json_int_t)parts, "verified", (json_int_t)side->stages[i].parts[PART_VERIFIED]);
}

static json_t *stages_json(const struct pair *pair)
{
    json_t *list = json_array();
    for (size_t i = 0; i < MAX(pair->a.n_stages, pair->b.n_stages); i++) {
        json_t *a = stage_json(&pair->a, i), *b = stage_json(&pair->b, i);
        if (!json_equal(a, b))
            json_array_append_new(list, json_pack("{s:O, s:O}", "a", a, "b", b));
        json_decref(a);
        json_decref(b);
    }
    return list;
}

static json_t *records_json(const struct pair *pair)
{
    json_t *list = json_array();
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        uint64_t a = pair->a.run.tally.of[i], b = pair->b.run.tally.of[i];
        if (a != b)
            json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "outcome", outcome_row((enum outcome)i)->word, "a",
                                                  (json_int_t)a, "b", (json_int_t)b));
    }
    return list;
}

/* --- key by key --------------------------------------------------------------------------------------------------- */

struct keys {
    uint64_t both, moved, only_a, only_b, most;
    uint64_t moves[OUTCOME_COUNT + 1][OUTCOME_COUNT + 1];
    json_t *examples;
};

static const char *fate_word(int outcome)
{
    return outcome == OUTCOME_COUNT ? "not reached" : outcome_row((enum outcome)outcome)->word;
}

static void take_both(const struct pair *pair, struct keys *keys, struct slice ranked, enum outcome a, enum outcome b)
{
    struct slice key = listing_key(fates_ranked(&pair->a.fates), ranked);
    keys->both++;
    if (a == b)
        return;
    keys->moved++;
    keys->moves[a][b]++;
    if (json_array_size(keys->examples) < keys->most)
        json_array_append_new(keys->examples, json_pack("{s:o, s:s, s:s}", "key", shape_key(key), "a",
                                                        fate_word((int)a), "b", fate_word((int)b)));
}

/* Both listings are sorted alike: one walk over the two of them. */
static bool merge(struct pair *pair, struct keys *keys, GError **error)
{
    struct slice a_key = {0}, b_key = {0};
    enum outcome a, b;
    bool a_more, b_more;
    if (!fates_next(&pair->a.fates, &a_key, &a, &a_more, error) ||
        !fates_next(&pair->b.fates, &b_key, &b, &b_more, error))
        return false;
    while (a_more || b_more) {
        int order = !a_more ? 1 : !b_more ? -1 : slice_compare(a_key, b_key);
        if (order == 0)
            take_both(pair, keys, a_key, a, b);
        keys->only_a += order < 0;
        keys->only_b += order > 0;
        if ((order <= 0 && !fates_next(&pair->a.fates, &a_key, &a, &a_more, error)) ||
            (order >= 0 && !fates_next(&pair->b.fates, &b_key, &b, &b_more, error)))
            return false;
    }
    return true;
}

static json_t *keys_json(const struct keys *keys)
{
    json_t *moves = json_array();
    for (int a = 0; a <= OUTCOME_COUNT; a++)
        for (int b = 0; b <= OUTCOME_COUNT; b++)
            if (keys->moves[a][b])
                json_array_append_new(moves, json_pack("{s:s, s:s, s:I}", "a", fate_word(a), "b", fate_word(b), "keys",
                                                       (json_int_t)keys->moves[a][b]));
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "both", (json_int_t)keys->both, "other_outcome",
                     (json_int_t)keys->moved, "only_a", (json_int_t)keys->only_a, "only_b", (json_int_t)keys->only_b,
                     "moves", moves, "examples", keys->examples);
}

static const char *source_dataset(const struct side *side)
{
    return json_string_value(json_object_get(json_object_get(side->plan, "source"), "dataset"));
}

/* Keys have their ranks by the dataset. */
static bool same_order(const struct pair *pair)
{
    bool a = fates_ranked(&pair->a.fates), b = fates_ranked(&pair->b.fates);
    const char *of_a = source_dataset(&pair->a);
    return a == b && (!a || g_strcmp0(of_a, source_dataset(&pair->b)) == 0);
}

/* null where not both have listed their keys, in one order. */
static bool compare_keys(struct pair *pair, json_t **ret, GError **error)
{
    struct keys *keys = g_new0(struct keys, 1);
    bool ok = true;
    keys->most = pair->examples;
    *ret = json_null();
    if (pair->a.listed && pair->b.listed && same_order(pair)) {
        keys->examples = json_array();
        ok = merge(pair, keys, error);
        *ret = keys_json(keys);
    }
    g_free(keys);
    return ok;
}

/* --- both sides --------------------------------------------------------------------------------------------------- */

static bool read_side(struct pair *pair, struct side *side, const char *name, GError **error)
{
    struct plan_config config = {.world = pair->from->world, .home = pair->from->home};
    side->fates.catalog = pair->from->catalog;
    return catalog_run_get(pair->from->catalog, name, pair->mem, &side->run, error) &&
           catalog_stages(pair->from->catalog, side->run.id, pair->mem, &side->stages, &side->n_stages, error) &&
           read_plan(pair, side, error) && plan_texts_read(&config, &side->run, pair->mem, &side->texts, error) &&
           fates_open(&side->fates, pair->from->world, pair->from->home, &side->run, &side->listed, error);
}

static void side_done(struct side *side)
{
    json_decref(side->plan);
    fates_done(&side->fates);
}

static json_t *side_json(const struct side *side)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:s}", "run", side->run.name, "state", run_state_word(side->run.state),
                     "plan_digest", shape_digest(side->run.digests.plan), "started_at",
                     shape_time(side->run.started_ms), "target", side->run.target);
}

static bool compare(struct pair *pair, const struct diff_wish *wish, json_t **ret, GError **error)
{
    json_t *keys = NULL;
    if (!read_side(pair, &pair->a, wish->a, error) || !read_side(pair, &pair->b, wish->b, error) ||
        !compare_keys(pair, &keys, error)) {
        json_decref(keys);
        return false;
    }
    *ret = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "type", "diff", "a", side_json(&pair->a), "b",
                     side_json(&pair->b), "texts", texts_json(pair), "plan", plan_changes(pair), "stages",
                     stages_json(pair), "records", records_json(pair), "keys", keys);
    return true;
}

bool diff_json(const struct look_from *from, const struct diff_wish *wish, json_t **ret, GError **error)
{
    struct pair pair = {.from = from, .examples = wish->examples, .mem = arena_new(MEM_ROOM)};
    bool done = compare(&pair, wish, ret, error);
    side_done(&pair.a);
    side_done(&pair.b);
    arena_free(pair.mem);
    return done;
}
