#include "record/entry.h"
#include "spec/spec_rows.h"

/* Keys that cannot stand together. A word of NULL is any value. */
static const struct {
    const char *key, *word, *other, *other_word, *why;
} contradictions[] = {
    {"target.conflict", "overwrite", "target.write", "fill",
     "fill writes only where the key is absent; to write over live records use write: in-place"},
    {"target.unversioned", NULL, "target.conflict", "keep-live", "only newer-wins asks for it"},
    {"target.unversioned", NULL, "target.conflict", "overwrite", "only newer-wins asks for it"},
    {"target.ties", NULL, "target.conflict", "keep-live", "only newer-wins has ties"},
    {"target.ties", NULL, "target.conflict", "overwrite", "only newer-wins has ties"},
    {"source.duplicates", "all", "target.conflict", "overwrite",
     "each state of a key would write over the one before it, and only the last could be verified; duplicates: newest "
     "writes that one"},
    {"source.duplicates", "all", "target.ties", "repair",
     "states of one key whose versions are a tie would write over each other, in whatever order they came; ties: "
     "keep-live keeps the first"},
    {"partitions.count", NULL, "partitions.size", NULL, "either the number of partitions is given or their size"},
};

/* Keys that mean nothing without another one. */
static const struct {
    const char *key, *word, *needs, *why;
} needs[] = {
    {"target.conflict", "newer-wins", "source.version", "the path that says which of two states is newer"},
    {"source.duplicates", "newest", "source.version", "the path that says which of two states is newer"},
    {"budget.cost", NULL, "prices", "what reading and writing cost"},
};

static const struct yaml_node *given(const struct rows_reader *reader, const char *key, const char *word)
{
    const struct yaml_node *node = rows_seen(reader, key);
    bool fits = node && (!word || strcmp(node->text, word) == 0);
    return fits ? node : NULL;
}

static void check_contradictions(struct rows_reader *reader)
{
    for (size_t i = 0; i < G_N_ELEMENTS(contradictions); i++) {
        const struct yaml_node *node = given(reader, contradictions[i].key, contradictions[i].word);
        const struct yaml_node *other = given(reader, contradictions[i].other, contradictions[i].other_word);
        if (node && other)
            yaml_diag(reader->yaml, node, "'%s: %s' contradicts '%s: %s' on %s: %s", contradictions[i].key, node->text,
                      contradictions[i].other, other->text, yaml_place(reader->yaml, other), contradictions[i].why);
    }
}

static void check_needs(struct rows_reader *reader)
{
    for (size_t i = 0; i < G_N_ELEMENTS(needs); i++) {
        const struct yaml_node *node = given(reader, needs[i].key, needs[i].word);
        if (node && !rows_seen(reader, needs[i].needs))
            yaml_diag(reader->yaml, node, "'%s: %s' needs '%s', %s", needs[i].key, node->text, needs[i].needs,
                      needs[i].why);
    }
}

/* undo:RUN is one dataset; every other store holds several. */
static void check_dataset(struct rows_reader *reader, struct spec *spec)
{
    const struct yaml_node *source = rows_seen(reader, "source");
    if (spec->source.dataset || !source || source->kind != YAML_MAP || !spec->source.store)
        return;
    if (strncmp(spec->source.store, "undo:", strlen("undo:")) == 0) {
        spec->source.dataset = "";
        return;
    }
    const struct spec_row *row = spec_row_find("source.dataset");
    if (!rows_seen(reader, row->key))
        yaml_diag(reader->yaml, source, "the key '%s' is missing: %s; for example %s", row->key, row->words,
                  row->example);
}

static void decide_defaults(const struct rows_reader *reader, struct spec *spec)
{
    bool versioned = spec->source.version != NULL;
    if (!rows_seen(reader, "source.duplicates"))
        spec->source.duplicates = versioned ? DUPLICATES_NEWEST : DUPLICATES_ERROR;
    spec->target.conflict_given = rows_seen(reader, "target.conflict") ? SPEC_GIVEN : SPEC_DEFAULT;
    if (spec->target.conflict_given == SPEC_DEFAULT)
        spec->target.conflict = versioned ? CONFLICT_NEWER_WINS : CONFLICT_KEEP_LIVE;
    spec->target.write_given = rows_seen(reader, "target.write") ? SPEC_GIVEN : SPEC_DEFAULT;
    if (spec->target.write_given == SPEC_DEFAULT)
        spec->target.write = WRITE_FILL;
}

/* Of the rows that stand once in a file; those of lists are given where the list is. */
static void note_given(const struct rows_reader *reader, struct spec *spec)
{
    size_t n = reader->rows.n;
    bool *given = arena_alloc0(spec->mem, n * sizeof *given);
    g_assert(given);
    for (size_t i = 0; i < n; i++)
        given[i] = reader->seen[i] != NULL;
    spec->given = given;
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++)
        spec->protect.guards_given |= rows_seen(reader, guard_row(i)->key) ? UINT32_C(1) << i : 0;
}

static const struct spec_stage default_stages[] = {
    {.name = "canary", .scope_share = 0.01},
    {.name = "ramp", .scope_share = 0.25, .order = ORDER_LISTED},
    {.name = "full", .scope_share = 1, .order = ORDER_LISTED},
};

static void default_to_stages(const struct rows_reader *reader, struct spec *spec)
{
    if (rows_seen(reader, "stages"))
        return;
    spec->n_stages = G_N_ELEMENTS(default_stages);
    spec->stages = arena_alloc0(spec->mem, sizeof default_stages);
    g_assert(spec->stages);
    memcpy(spec->stages, default_stages, sizeof default_stages);
}

static bool is_named(const struct spec_may *may, const char *name)
{
    for (size_t i = 0; i < may->n; i++)
        if (may->names[i] && strcmp(may->names[i], name) == 0)
            return true;
    return may->n == 0;
}

/* An approval that `owner.may.approve` lets nobody give. */
static void check_approvers(struct rows_reader *reader, const struct spec *spec)
{
    const struct yaml_node *list = rows_seen(reader, "stages");
    for (size_t i = 0; spec->stages_given && i < spec->n_stages; i++) {
        const char *role = spec->stages[i].approve;
        if (role && !is_named(&spec->may[SPEC_MAY_APPROVE], role))
            yaml_diag(reader->yaml, list->items[i],
                      "the stage '%s' asks '%s' for an approval, whom 'owner.may.approve' does not name",
                      spec->stages[i].name, role);
    }
}

/* A run that waits for itself would wait for ever. */
static void check_after(struct rows_reader *reader, const struct spec *spec)
{
    const struct yaml_node *list = rows_seen(reader, "after");
    for (size_t i = 0; spec->name && i < spec->n_after; i++)
        if (spec->after[i] && strcmp(spec->after[i], spec->name) == 0)
            yaml_diag(reader->yaml, list->items[i], "'%s' is this spec itself: its runs would wait for ever",
                      spec->name);
}

/* An entry says by the record's key whose it is. `\x` is a byte in an entry alone: a place is what a store's own
 * patterns make of it. */
static void check_index(struct rows_reader *reader, const struct spec *spec, size_t i)
{
    const struct spec_expect *of = &spec->expects[i];
    const struct yaml_node *node = rows_seen(reader, "expect")->items[i];
    struct entry_texts texts = {
        .place = of->index, .entry = of->entry ? of->entry : SPEC_ENTRY, .key = &spec->source.key};
    auto_(entry_shape) shape = NULL;
    g_autoptr(GError) failed = NULL;
    if (of->index && strstr(of->index, "\\x"))
        yaml_diag(reader->yaml, node, "'\\x' stands for a byte in an 'entry', and not in the name of an 'index'");
    else if (of->index && !entry_shape_new(&shape, &texts, &failed))
        yaml_diag(reader->yaml, node, "%s", failed->message);
}

/* What a rule over the dataset needs of the rest of the spec. */
static void check_expects(struct rows_reader *reader, const struct spec *spec)
{
    const struct yaml_node *list = rows_seen(reader, "expect");
    for (size_t i = 0; list && i < spec->n_expects && i < list->n; i++) {
        if (spec->expects[i].what == SPEC_EXPECT_VALID && !rows_seen(reader, "contract"))
            yaml_diag(reader->yaml, list->items[i], "an expectation 'valid' needs a contract");
        if (spec->expects[i].what == SPEC_EXPECT_INDEX)
            check_index(reader, spec, i);
        if (spec->expects[i].what != SPEC_EXPECT_RECORD && given(reader, "target.write", "shadow"))
            yaml_diag(reader->yaml, list->items[i],
                      "an expectation of a shadow is about records ('key'): the dataset is whole only when it is live");
    }
}

/* What is measured is the dataset as it is live. */
static void check_measures(struct rows_reader *reader)
{
    static const char *const KEYS[] = {"measures", "buckets"};
    for (size_t i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        const struct yaml_node *list = rows_seen(reader, KEYS[i]);
        if (list && given(reader, "target.write", "shadow"))
            yaml_diag(reader->yaml, list, "'%s' are of the live dataset, and a shadow is none before it is promoted",
                      KEYS[i]);
    }
}

/* A record is fresh or not by its time, and wrong or not by the contract. */
static void check_cause(struct rows_reader *reader, struct spec *spec)
{
    const struct yaml_node *cause = rows_seen(reader, "cause");
    if (!rows_seen(reader, "cause.probe.after"))
        spec->cause.after_us = INT64_MIN;
    if (cause && !rows_seen(reader, "contract"))
        yaml_diag(reader->yaml, cause, "'cause' needs a contract: by it fresh records are right or wrong");
}

/* How fast nothing may be used says nothing. */
static void check_burn(struct rows_reader *reader, const struct spec *spec)
{
    const struct yaml_node *burn = rows_seen(reader, "budget.burn");
    if (burn && !spec->budget.records && !spec->budget.bytes && !spec->budget.cost)
        yaml_diag(reader->yaml, burn,
                  "'budget.burn' needs 'records', 'bytes' or 'cost' beside it: it is a share of one");
}

/* A cap on what costs nothing is none. */
static void check_prices(struct rows_reader *reader, const struct spec *spec)
{
    const struct yaml_node *cost = rows_seen(reader, "budget.cost");
    const struct money_rates rates = money_rates_of(&spec->prices, &(struct money_use){.reads = 1, .writes = 1});
    if (cost && rows_seen(reader, "prices") && !money_given(&rates))
        yaml_diag(reader->yaml, cost,
                  "'budget.cost' needs a price beside it, such as 'prices.writes': without one "
                  "nothing costs anything");
}

void spec_check(struct rows_reader *reader, struct spec *spec)
{
    check_burn(reader, spec);
    check_prices(reader, spec);
    check_after(reader, spec);
    check_contradictions(reader);
    check_needs(reader);
    check_dataset(reader, spec);
    decide_defaults(reader, spec);
    default_to_stages(reader, spec);
    note_given(reader, spec);
    check_approvers(reader, spec);
    check_expects(reader, spec);
    check_cause(reader, spec);
    check_measures(reader);
}
