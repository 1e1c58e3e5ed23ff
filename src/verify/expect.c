#include "verify/expect.h"

#include "base/file.h"
#include "verify/aggregate.h"
#include "verify/rules.h"
#include "verify/verify_parts.h"

#define BATCH_BYTES (256u << 20)

/* An aggregate on its way. */
struct tally_of {
    const struct spec_expect *of;
    struct aggregate aggregate;
};

struct judging {
    const struct expect_wish *wish;
    const struct verify_input *input;
    struct session *session;
    struct arena *mem;  /* of a batch */
    GArray *tallies;    /* of struct tally_of */
    GPtrArray *rules;   /* of struct rule */
    GPtrArray *indexes; /* of struct indexed */
    GArray *results;
};

static void tally_clear(void *data)
{
    aggregate_done(&((struct tally_of *)data)->aggregate);
}

static void result_clear(void *data)
{
    g_free(((struct expect_result *)data)->found);
}

/* Takes the words over. Numbers of records are not of a record. */
static void tell(struct judging *judging, const struct spec_expect *of, bool holds, char *found)
{
    bool numbers = of->what == SPEC_EXPECT_COUNT || of->what == SPEC_EXPECT_DISTINCT;
    struct expect_result result = {.of = of, .holds = holds, .found = found};
    if (judging->wish->hidden && !holds && !numbers) {
        g_free(found);
        result.found = g_strdup("not so; what stands there is not told, for the run has a key");
    }
    g_array_append_val(judging->results, result);
}

/* --- records
 * ----------------------------------------------------------------------------------------------------------- */

static bool same(struct slice a, struct slice b)
{
    struct digest one, two;
    if (digest_canonical(a, 0, &one, NULL) && digest_canonical(b, 0, &two, NULL) && digest_equal(one, two))
        return true;
    g_autofree char *left = aggregate_value_text(a), *right = aggregate_value_text(b);
    return strcmp(left, right) == 0;
}

/* One field; *io_found is filled in where it is not as it should be. */
static void hold_field(struct judging *judging, const char *name, const bson_iter_t *wanted, struct slice document,
                       GString *io_found)
{
    auto_(path) path = NULL;
    bson_iter_t live;
    struct slice stands = SLICE_EMPTY, expected = aggregate_value(wanted, judging->mem);
    if (path_parse(&path, name, NULL) && path_find(path, document, &live))
        stands = aggregate_value(&live, judging->mem);
    if (stands.len && same(stands, expected))
        return;
    g_autofree char *found = aggregate_value_text(stands), *should = aggregate_value_text(expected);
    g_string_append_printf(io_found, "%s%s is %s, not %s", io_found->len ? "; " : "", name, found, should);
}

/* The fields as the target's store would give them back. */
static struct slice as_stored(struct judging *judging, struct slice fields)
{
    const struct store_driver *driver = store_driver(judging->input->target);
    struct slice raw, kept;
    if (store_encode(driver, &judging->input->target_ds, fields, judging->mem, &raw, NULL) &&
        store_decode(driver, &judging->input->target_ds, raw, judging->mem, &kept, NULL))
        return kept;
    return fields;
}

static void hold_fields(struct judging *judging, const struct spec_expect *of, struct slice document)
{
    bson_t view, stored;
    bson_iter_t wanted, kept;
    struct slice as = as_stored(judging, of->fields);
    GString *found = g_string_new(NULL);
    if (document_view(of->fields, &view) && document_view(as, &stored) && bson_iter_init(&wanted, &view))
        while (bson_iter_next(&wanted)) {
            bool has = bson_iter_init_find(&kept, &stored, bson_iter_key(&wanted));
            hold_field(judging, bson_iter_key(&wanted), has ? &kept : &wanted, document, found);
        }
    bool holds = found->len == 0;
    tell(judging, of, holds, holds ? g_strdup("as expected") : g_strdup_printf("'%s': %s", of->key, found->str));
    g_string_free(found, TRUE);
}

static bool hold_record(struct judging *judging, const struct spec_expect *of, GError **error)
{
    struct call call = {
        .ds = &judging->input->target_ds, .mem = judging->mem, .cancel = judging->input->cancel, .no_etag = true};
    struct record record = {.key = slice_of_text(of->key)};
    struct slice document;
    g_autoptr(GError) failed = NULL;
    arena_reset(judging->mem);
    if (!store_read(judging->session, &call, &record, 1, error))
        return false;
    if (record.presence != RECORD_PRESENT || of->absent) {
        bool absent = record.presence == RECORD_ABSENT, holds = of->absent && absent;
        const char *stands = absent ? "absent" : "there";
        bool unread = record.presence == RECORD_FAULT && !of->absent;
        tell(judging, of, holds,
             holds    ? g_strdup(stands)
             : unread ? g_strdup_printf("'%s': %s", of->key, record.fault.text)
                      : g_strdup_printf("'%s' is %s", of->key, stands));
    } else if (store_decode(store_driver(judging->input->target), call.ds, record.raw, judging->mem, &document,
                            &failed))
        hold_fields(judging, of, document);
    else
        tell(judging, of, false, g_strdup_printf("'%s': %s", of->key, failed->message));
    return true;
}

/* --- aggregates
 * -------------------------------------------------------------------------------------------------------- */

static bool add_record(void *self, const struct whole_record *whole, GError **error)
{
    struct judging *judging = self;
    for (guint i = 0; i < judging->rules->len; i++)
        if (!rule_record(judging->rules->pdata[i], whole->record, whole->document, judging->mem, error))
            return false;
    for (guint i = 0; i < judging->indexes->len; i++)
        if (!indexed_record(judging->indexes->pdata[i], whole->record, whole->document, judging->mem, error))
            return false;
    for (guint i = 0; i < judging->tallies->len; i++)
        if (!aggregate_add(&g_array_index(judging->tallies, struct tally_of, i).aggregate, whole, judging->mem, error))
            return false;
    return true;
}

static bool settle_rules(void *self, GError **error)
{
    struct judging *judging = self;
    for (guint i = 0; i < judging->rules->len; i++)
        if (!rule_settle(judging->rules->pdata[i], judging->session, judging->mem, error))
            return false;
    for (guint i = 0; i < judging->indexes->len; i++)
        if (!indexed_settle(judging->indexes->pdata[i], judging->mem, error))
            return false;
    return true;
}

static void judge_number(struct judging *judging, const struct tally_of *tally)
{
    bson_decimal128_t wanted;
    char text[DECIMAL_TEXT];
    bool holds = aggregate_number_of(tally->of->is, &wanted) && decimal_compare(&wanted, &tally->aggregate.number) == 0;
    tell(judging, tally->of, holds, g_strdup(decimal_text(&tally->aggregate.number, text)));
}

static bool judge_tally(struct judging *judging, struct tally_of *tally, GError **error)
{
    const struct aggregate *aggregate = &tally->aggregate;
    if (!aggregate_end(&tally->aggregate, error))
        return false;
    bool extreme = aggregate->what == AGGREGATE_MIN || aggregate->what == AGGREGATE_MAX;
    if (aggregate->fault)
        tell(judging, tally->of, false, g_strdup(aggregate->fault));
    else if (aggregate->what == AGGREGATE_COUNT)
        tell(judging, tally->of, aggregate->count == tally->of->count,
             g_strdup_printf("%" G_GUINT64_FORMAT, aggregate->count));
    else if (extreme && aggregate->count == 0)
        tell(judging, tally->of, false, g_strdup("nothing"));
    else if (!aggregate->by_text)
        judge_number(judging, tally);
    else {
        g_autofree char *wanted = aggregate_bare_text(tally->of->is);
        tell(judging, tally->of, strcmp(wanted, aggregate->text->str) == 0, g_strdup(aggregate->text->str));
    }
    return true;
}

static bool add_tally(struct judging *judging, const struct spec_expect *of, GError **error)
{
    const struct {
        const struct path *path;
        enum aggregate_what what;
    } paths[] = {{of->sum, AGGREGATE_SUM},
                 {of->min, AGGREGATE_MIN},
                 {of->max, AGGREGATE_MAX},
                 {of->distinct, AGGREGATE_DISTINCT}};
    struct tally_of tally = {.of = of};
    bson_decimal128_t number;
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        if (paths[i].path)
            tally.aggregate = (struct aggregate){.what = paths[i].what, .path = paths[i].path};
    bool extreme = of->min || of->max;
    tally.aggregate.by_text = extreme && !aggregate_number_of(of->is, &number);
    bool ok = aggregate_init(&tally.aggregate, judging->input, error);
    g_array_append_val(judging->tallies, tally);
    return ok;
}

static bool judge_rule(struct judging *judging, struct rule *rule, GError **error)
{
    bool holds;
    char *found;
    if (!rule_end(rule, &holds, &found, error))
        return false;
    tell(judging, rule_of(rule), holds, found);
    return true;
}

static bool add_rule(struct judging *judging, const struct spec_expect *of, GError **error)
{
    struct rule *rule;
    g_autofree char *folder = g_path_get_dirname(judging->input->report_path);
    if (!file_make_dirs(judging->input->world, folder, error) || !rule_new(&rule, judging->input, of, folder, error))
        return false;
    g_ptr_array_add(judging->rules, rule);
    return true;
}

static void free_rule(void *rule)
{
    rule_free(rule);
}

static bool judge_index(struct judging *judging, struct indexed *indexed, GError **error)
{
    bool holds;
    char *found;
    struct index_counts counts;
    if (!indexed_end(indexed, &holds, &found, &counts, error))
        return false;
    tell(judging, indexed_of(indexed), holds, found);
    g_array_index(judging->results, struct expect_result, judging->results->len - 1).index = counts;
    return true;
}

static bool add_index(struct judging *judging, const struct spec_expect *of, GError **error)
{
    struct indexed *indexed;
    g_autofree char *folder = g_path_get_dirname(judging->input->report_path);
    struct index_wish wish = {.input = judging->input,
                              .of = of,
                              .session = judging->session,
                              .fault = judging->wish->fault,
                              .self = judging->wish->self};
    if (!file_make_dirs(judging->input->world, folder, error) || !indexed_new(&indexed, &wish, error))
        return false;
    g_ptr_array_add(judging->indexes, indexed);
    return true;
}

static void free_index(void *indexed)
{
    indexed_free(indexed);
}

/* Counted while keys were compared. */
static bool judge_revived(struct judging *judging, const struct spec_expect *of, GError **error)
{
    const struct expect_wish *wish = judging->wish;
    if (!judging->input->catalog)
        tell(judging, of, true,
             g_strdup("no run to ask: a record that is to be deleted and stands there is differing"));
    else if (wish->revived == 0)
        tell(judging, of, true, g_strdup("none that was looked at"));
    else
        tell(judging, of, false,
             g_strdup_printf("%" G_GUINT64_FORMAT " that the run deleted stand%s there again: %s%s", wish->revived,
                             wish->revived == 1 ? "s" : "", wish->revived_keys,
                             wish->revived > EXPECT_NAMED ? " …" : ""));
    return true;
}

static bool judge_aggregates(struct judging *judging, GError **error)
{
    struct whole_walk walk = {.input = judging->input,
                              .session = judging->session,
                              .mem = judging->mem,
                              .record = add_record,
                              .settle = settle_rules,
                              .self = judging};
    if (judging->tallies->len + judging->rules->len + judging->indexes->len == 0)
        return true;
    bool ok = whole_walk(&walk, error);
    for (guint i = 0; ok && i < judging->tallies->len; i++)
        ok = judge_tally(judging, &g_array_index(judging->tallies, struct tally_of, i), error);
    for (guint i = 0; ok && i < judging->rules->len; i++)
        ok = judge_rule(judging, judging->rules->pdata[i], error);
    for (guint i = 0; ok && i < judging->indexes->len; i++)
        ok = judge_index(judging, judging->indexes->pdata[i], error);
    return ok;
}

/* By whom an expectation is judged. */
static bool (*judge_of(enum spec_expect_what what))(struct judging *judging, const struct spec_expect *of,
                                                    GError **error)
{
    switch ((int)what) {
    case SPEC_EXPECT_RECORD:
        return hold_record;
    case SPEC_EXPECT_INDEX:
        return add_index;
    case SPEC_EXPECT_REVIVED:
        return judge_revived;
    default:
        return what > SPEC_EXPECT_DISTINCT ? add_rule : add_tally;
    }
}

static bool judge_all(struct judging *judging, GError **error)
{
    const struct verify_input *input = judging->input;
    bool ok = true;
    for (size_t i = 0; ok && i < input->n_expects; i++) {
        const struct spec_expect *of = &input->expects[i];
        if (!judging->wish->due || judging->wish->due[i])
            ok = judge_of(of->what)(judging, of, error);
    }
    return ok && judge_aggregates(judging, error);
}

bool expect_judge(const struct expect_wish *wish, GArray **ret, GError **error)
{
    auto_(session) session = NULL;
    struct judging judging = {.wish = wish, .input = wish->input};
    if (!store_session_open(&session, wish->input->target, error))
        return false;
    judging.session = session;
    judging.mem = arena_new(BATCH_BYTES);
    judging.tallies = g_array_new(FALSE, TRUE, sizeof(struct tally_of));
    judging.rules = g_ptr_array_new_with_free_func(free_rule);
    judging.indexes = g_ptr_array_new_with_free_func(free_index);
    judging.results = g_array_new(FALSE, TRUE, sizeof(struct expect_result));
    g_array_set_clear_func(judging.tallies, tally_clear);
    g_array_set_clear_func(judging.results, result_clear);
    bool ok = judge_all(&judging, error);
    g_array_unref(judging.tallies);
    g_ptr_array_unref(judging.rules);
    g_ptr_array_unref(judging.indexes);
    arena_free(judging.mem);
    if (ok)
        *ret = judging.results;
    else
        g_array_unref(judging.results);
    return ok;
}

char *expect_words(const struct expect_result *result)
{
    g_autofree char *is = result->of->is.len ? aggregate_value_text(result->of->is) : NULL;
    if (result->of->what == SPEC_EXPECT_RECORD || result->of->what > SPEC_EXPECT_DISTINCT)
        return g_strdup_printf("%s: %s", result->of->name, result->found);
    if (result->of->what == SPEC_EXPECT_COUNT)
        return g_strdup_printf("%s: %s, and %" G_GUINT64_FORMAT " was expected", result->of->name, result->found,
                               result->of->count);
    return g_strdup_printf("%s: %s, and %s was expected", result->of->name, result->found, is);
}
