/* An index that is a set, by members that a test says: what is told of entries that are wrong, come twice, move, or do
 * not fit into memory. */
#include "kit/document.h"
#include "kit/scene.h"
#include "record/path.h"
#include "verify/expect.h"
#include "verify/index_parts.h"
#include "verify/verify_parts.h"

#define AGAIN_US 200000
#define SPEC                                                                                                           \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\n"                                            \
    "target: { store: \"mem:s\", dataset: items, write: in-place }\n"

/* --- one set ------------------------------------------------------------------------------------------------------ */

static const struct member *members; /* up to one without a name */
static const char *is_a;             /* another type; NULL: it is the set */
static bool comes_anew;              /* the walk begins once more behind its first page */

struct walk {
    struct member_walk_base base;
    int page;
};

static bool walk_open(struct member_walk **ret, struct session *session, const struct dataset *ds, struct slice key,
                      GError **error)
{
    *ret = (struct member_walk *)g_new0(struct walk, 1);
    return true;
}

static size_t count(void)
{
    size_t n = 0;
    while (members[n].name.len)
        n++;
    return n;
}

static bool walk_next(struct member_walk *base, const struct call *call, struct member_page *ret, GError **error)
{
    struct walk *walk = (struct walk *)base;
    *ret = (struct member_page){.done = !comes_anew || walk->page > 0, .anew = walk->page++ > 0, .found = is_a};
    ret->n = is_a ? 0 : count();
    ret->members = (struct member *)(uintptr_t)members;
    return true;
}

static void walk_close(struct member_walk *walk)
{
    g_free(walk);
}

static bool set_ask(struct session *session, const struct call *call, struct member_question *io, size_t n,
                    GError **error)
{
    for (size_t i = 0; i < n; i++) {
        io[i].found = is_a;
        for (size_t k = 0; !is_a && k < count(); k++)
            if (slice_equal(members[k].name, io[i].name)) {
                io[i].stands = true;
                io[i].scored = members[k].scored;
                io[i].score = members[k].score;
            }
    }
    return true;
}

static bool examine(struct session *session, const struct call *call, GArray *into, GError **error)
{
    return true;
}

static const struct member_ops SETS = {
    .open = walk_open, .next = walk_next, .close = walk_close, .ask = set_ask, .examine = examine};

#define MEMBER(text, ...)                                                                                              \
    {                                                                                                                  \
        .name = {(const uint8_t *)(text), sizeof(text) - 1}, __VA_ARGS__                                               \
    }
#define COLONS "a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:" /* twenty ways each */
#define NOBODY                                                                                                         \
    {                                                                                                                  \
        .scored = false                                                                                                \
    }

/* --- what is told of it ------------------------------------------------------------------------------------------- */

static bool decode_some(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret,
                        GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    assert_true(document_to_json(raw, text, NULL));
    *ret = raw;
    return !strstr(text->str, "\"odd\"") || error_set(error, SLUICE_ERROR_BAD_RECORD, "no document of this store");
}

struct judged {
    struct scene scene;
    struct store_registry *registry;
    struct verify_input input;
    char *report;
    GString *faults;
};

static bool note_fault(void *self, const struct spec_expect *of, const struct index_fault *fault, GError **error)
{
    GString *faults = self;
    g_string_append_printf(faults, "%s %.*s;", fault->what, (int)fault->entry.len, (const char *)fault->entry.data);
    return true;
}

static void begin(struct judged *judged)
{
    GError *error = NULL;
    scene_init(&judged->scene, SPEC, NULL);
    judged->scene.faulty_mem.table.members = &SETS;
    judged->scene.faulty_mem.table.decode = decode_some;
    judged->registry = store_registry_new(&judged->scene.fake.world, judged->scene.ours);
    judged->report = g_build_filename(judged->scene.dir, "r.ndjson", NULL);
    judged->faults = g_string_new(NULL);
    judged->input = (struct verify_input){.world = &judged->scene.fake.world,
                                          .target_ds = {.name = "items"},
                                          .report_path = judged->report,
                                          .again_after_ms = AGAIN_US / 1000};
    struct store_config config = {.uri = "mem:s", .base_dir = judged->scene.dir};
    kit_ok(store_open(&judged->input.target, judged->registry, &config, &error));
}

static void done(struct judged *judged)
{
    store_release(judged->registry, judged->input.target);
    store_registry_free(judged->registry);
    g_string_free(judged->faults, TRUE);
    g_free(judged->report);
    scene_done(&judged->scene);
}

/* The words of the one expectation. */
static char *found_of(struct judged *judged, const struct spec_expect *of, bool *ret_holds)
{
    GError *error = NULL;
    GArray *results;
    judged->input.expects = of;
    judged->input.n_expects = 1;
    struct expect_wish wish = {.input = &judged->input, .fault = note_fault, .self = judged->faults};
    kit_ok(expect_judge(&wish, &results, &error));
    const struct expect_result *result = &g_array_index(results, struct expect_result, 0);
    char *found = g_strdup(result->found);
    *ret_holds = result->holds;
    g_array_unref(results);
    return found;
}

static const struct member WHOLE[] = {MEMBER("7:a", .scored = true, .score = 7), NOBODY};
static const struct member OTHER[] = {MEMBER("7:a", .scored = true, .score = 8), NOBODY};
static const struct member PLAIN[] = {MEMBER("7:a", .scored = false), NOBODY};
static const struct member TIMED[] = {MEMBER("7:a", .scored = true, .score = 1767225600.75), NOBODY};
static const struct member STRAY[] = {MEMBER("7:a", .scored = true, .score = 7), MEMBER("9:z", .scored = true), NOBODY};
static const struct member FORMLESS[] = {MEMBER("7:a", .scored = true, .score = 7), MEMBER("none", .scored = true),
                                         NOBODY};
static const struct member MILLIS[] = {MEMBER("7:a", .scored = true, .score = 1767225600750), NOBODY};
static const struct member BOTH[] = {MEMBER("7:x:a", .scored = true), NOBODY};
static const struct member MANY_WAYS[] = {MEMBER(COLONS COLONS COLONS COLONS "a", .scored = true), NOBODY};
static const struct member EMPTY[] = {NOBODY};

static const struct {
    const char *json; /* of the record `a`; NULL: there is none */
    const struct member *members;
    const char *score; /* a field; NULL: it is a plain set */
    const char *is_a;
    bool anew;
    const char *found, *faults; /* NULL: it holds */
    const char *key;            /* NULL: a */
    enum spec_unit unit;
} INDEXES[] = {
    {"{\"n\":7}", WHOLE, "n", NULL, false, "1 records have their entries, 1 entries their record", NULL},
    {"{\"n\":7}", WHOLE, NULL, NULL, true, "1 records have their entries, 1 entries their record", NULL},
    {"{\"n\":7}", OTHER, "n", NULL, false, "its score is 8, not 7", "missing_entry 7:a;"},
    {"{\"n\":7}", PLAIN, "n", NULL, false, "it stands in a set, which has no scores", "missing_entry 7:a;"},
    {"{\"n\":7,\"at\":\"2026-01-01T00:00:00Z\"}", TIMED, "at", NULL, false, "1 records have their entries", NULL,
     .unit = UNIT_S},
    {"{\"n\":7,\"at\":[1]}", EMPTY, "at", NULL, false, "its score 'at'", "no_entry ;"},
    {"{\"n\":7}", EMPTY, "at", NULL, false, "nothing was held against anything", ""},
    {"{}", EMPTY, NULL, NULL, false, "nothing was held against anything", ""},
    {"{\"odd\":1}", EMPTY, NULL, NULL, false, "it cannot be read", "no_entry ;"},
    {"{\"n\":{}}", EMPTY, NULL, NULL, false, "1 cannot be held against the other side", "no_entry ;"},
    {"{\"n\":7}", EMPTY, NULL, NULL, false, "1 entry is missing: '7:a' in 'all' of 'a': it is not there",
     "missing_entry 7:a;"},
    {"{\"n\":7}", STRAY, NULL, NULL, false, "1 entry leads nowhere: '9:z' in 'all' of 'z': its record is not there",
     "dangling_entry 9:z;"},
    {"{\"n\":7}", STRAY, NULL, NULL, true, "1 entry leads nowhere",
     "dangling_entry 9:z;"}, /* once, though it came twice */
    {"{\"n\":7}", FORMLESS, NULL, NULL, false, "it has not the form of an entry", "dangling_entry none;"},
    {NULL, EMPTY, NULL, NULL, false, "0 records have their entries, 0 entries their record", NULL},
    {"{\"n\":[7,8]}", EMPTY, NULL, NULL, false, "2 entries are missing", "missing_entry 7:a;missing_entry 8:a;"},
    {"{\"n\":7,\"at\":\"2026-01-01T00:00:00.75Z\"}", MILLIS, "at", NULL, false, "1 records have their entries", NULL},
    {"{\"odd\":1,\"n\":7}", WHOLE, NULL, NULL, false, "its record has another value", "no_entry ;dangling_entry 7:a;"},
    {"{\"n\":7}", BOTH, NULL, NULL, false, "1 records have their entries, 1 entries their record", NULL, .key = "x:a"},
    {"{\"n\":7}", MANY_WAYS, NULL, NULL, false, "it can be taken apart in more than 64 ways",
     "missing_entry 7:a;dangling_entry " COLONS COLONS COLONS COLONS "a;"},
    {"{\"n\":7}", EMPTY, NULL, "hash", false, "it is a hash; an index is a set or a sorted set",
     "missing_entry 7:a;no_index ;"},
};

static void what_does_not_agree_is_told_by_name(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(INDEXES); i++) {
        GError *error = NULL;
        struct judged judged;
        auto_(path) score = NULL;
        bool holds;
        begin(&judged);
        if (INDEXES[i].score)
            kit_ok(path_parse(&score, INDEXES[i].score, &error));
        struct spec_expect of = {.name = "by-n",
                                 .what = SPEC_EXPECT_INDEX,
                                 .index = "all",
                                 .entry = "{n}:{key}",
                                 .score = score,
                                 .unit = INDEXES[i].unit};
        if (INDEXES[i].json)
            scene_put(&judged.scene, "items", INDEXES[i].key ? INDEXES[i].key : "a", INDEXES[i].json);
        members = INDEXES[i].members;
        is_a = INDEXES[i].is_a;
        comes_anew = INDEXES[i].anew;
        g_autofree char *found = found_of(&judged, &of, &holds);
        const char *faults = INDEXES[i].faults ? INDEXES[i].faults : "";
        if (holds != !INDEXES[i].faults || !strstr(found, INDEXES[i].found) || strcmp(judged.faults->str, faults) != 0)
            fail_msg("row %zu: %s (%s)", i, found, judged.faults->str);
        done(&judged);
    }
}

/* Another value in every look: the application's, and neither right nor wrong; then right after all. */
static int moves;

static void move_on(struct scene *scene, int64_t us)
{
    if (us > AGAIN_US || moves <= 0)
        return;
    g_autofree char *json = g_strdup_printf("{\"n\":%d}", --moves > 0 ? 100 + moves : 7);
    scene_put(scene, "items", "a", json);
}

static void a_record_that_moves_is_looked_at_until_it_stands(void **state)
{
    static const struct {
        int moves;
        const char *found;
    } ROWS[] = {{3, "1 records have their entries"}, {1000, "1 never still (0 entries, 1 records)"}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct judged judged;
        bool holds;
        struct spec_expect of = {.name = "by-n", .what = SPEC_EXPECT_INDEX, .index = "all", .entry = "{n}:{key}"};
        begin(&judged);
        scene_put(&judged.scene, "items", "a", "{\"n\":1}");
        members = i == 0 ? WHOLE : EMPTY;
        is_a = NULL;
        comes_anew = false;
        moves = ROWS[i].moves;
        judged.scene.asleep = move_on;
        g_autofree char *found = found_of(&judged, &of, &holds);
        assert_true(holds);
        assert_string_equal(judged.faults->str, "");
        if (!strstr(found, ROWS[i].found))
            fail_msg("row %zu: %s", i, found);
        done(&judged);
    }
}

/* Gone between two looks, it claims nothing any more. */
static void go_away(struct scene *scene, int64_t us)
{
    scene_remove(scene, "items", "a");
}

static void a_record_that_goes_away_has_no_entry_to_miss(void **state)
{
    struct judged judged;
    bool holds;
    struct spec_expect of = {.name = "by-n", .what = SPEC_EXPECT_INDEX, .index = "all", .entry = "{n}:{key}"};
    begin(&judged);
    scene_put(&judged.scene, "items", "a", "{\"n\":1}");
    members = EMPTY;
    is_a = NULL;
    comes_anew = false;
    judged.scene.asleep = go_away;
    g_autofree char *found = found_of(&judged, &of, &holds);
    assert_true(holds);
    assert_non_null(strstr(found, "0 entries"));
    assert_string_equal(judged.faults->str, "");
    done(&judged);
}

static bool (*read_really)(struct session *, const struct call *, struct record *, size_t, GError **);

static bool read_one(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    return n <= 1 ? read_really(session, call, io, n, error)
                  : error_set(error, SLUICE_ERROR_TOO_BIG, "it does not fit into the memory of the call");
}

static void records_that_do_not_fit_together_are_held_against_their_entries_one_by_one(void **state)
{
    static const struct member TWO[] = {MEMBER("7:a", .scored = true), MEMBER("8:b", .scored = true),
                                        MEMBER("9:z", .scored = true), NOBODY};
    struct judged judged;
    bool holds;
    struct spec_expect of = {.name = "by-n", .what = SPEC_EXPECT_INDEX, .index = "all", .entry = "{n}:{key}"};
    begin(&judged);
    scene_put(&judged.scene, "items", "a", "{\"n\":7}");
    scene_put(&judged.scene, "items", "b", "{\"n\":8}");
    members = TWO;
    is_a = NULL;
    comes_anew = false;
    read_really = judged.scene.faulty_mem.table.read;
    judged.scene.faulty_mem.table.read = read_one;
    g_autofree char *found = found_of(&judged, &of, &holds);
    assert_false(holds);
    assert_non_null(strstr(found, "1 entry leads nowhere"));
    assert_string_equal(judged.faults->str, "dangling_entry 9:z;");
    g_string_set_size(judged.faults, 0);
    members = EMPTY;
    g_autofree char *none = found_of(&judged, &of, &holds);
    assert_non_null(strstr(none, "2 entries are missing"));
    assert_string_equal(judged.faults->str, "missing_entry 7:a;missing_entry 8:b;");
    done(&judged);
}

/* Of a record with many entries: all of them, or an error; whatever memory there is, the first time and again. */
static void entries_that_do_not_fit_into_memory_are_never_left_out(void **state)
{
    enum { ITEMS = 100 };
    GError *error = NULL;
    struct judged judged;
    auto_(session) session = NULL;
    auto_(indexed) indexed = NULL;
    auto_(arena) roomy = arena_new(1 << 20);
    g_autoptr(GString) json = g_string_new("{\"n\":[0");
    struct spec_expect of = {.name = "by-n", .what = SPEC_EXPECT_INDEX, .index = "all", .entry = "{n}:{key}"};
    for (int i = 1; i < ITEMS; i++)
        g_string_append_printf(json, ",%d", i);
    g_string_append(json, "]}");
    begin(&judged);
    scene_put(&judged.scene, "items", "a", json->str);
    kit_ok(store_session_open(&session, judged.input.target, &error));
    struct index_wish wish = {
        .input = &judged.input, .of = &of, .session = session, .fault = note_fault, .self = judged.faults};
    kit_ok(indexed_new(&indexed, &wish, &error));
    struct claimant first = {.key = slice_of_text("a"), .document = kit_document(json->str, roomy)};
    for (int again = 0; again < 2; again++)
        for (size_t room = 1024, ok = 0; !ok; room += 1024) {
            auto_(arena) mem = arena_new(room);
            g_autoptr(GArray) claims = g_array_new(FALSE, FALSE, sizeof(struct claim)),
                              keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
            g_array_append_val(keys, first.key);
            ok = again ? index_claims_now(indexed, mem, keys, claims, &error)
                       : index_claims(indexed, &first, mem, claims, &error);
            assert_true(ok ? claims->len == ITEMS && !first.why : error_is(error, SLUICE_ERROR_TOO_BIG));
            assert_true(!ok || room > 1024);
            g_clear_error(&error);
        }
    g_clear_pointer(&indexed, indexed_free);
    g_clear_pointer(&session, store_session_close);
    done(&judged);
}

/* Of all that is judged together: what was not looked at is not taken for right. */
static void a_record_of_more_entries_than_there_is_memory_ends_the_judgement(void **state)
{
    enum { ITEMS = 600, PAD = 500000 };
    GError *error = NULL;
    struct judged judged;
    GArray *results;
    g_autofree char *pad = g_strnfill(PAD, 'x');
    g_autoptr(GString) json = g_string_new(NULL);
    struct spec_expect of = {.name = "by-n", .what = SPEC_EXPECT_INDEX, .index = "all", .entry = "{n}:{pad}:{key}"};
    g_string_printf(json, "{\"pad\":\"%s\",\"n\":[0", pad);
    for (int i = 1; i < ITEMS; i++)
        g_string_append_printf(json, ",%d", i);
    g_string_append(json, "]}");
    begin(&judged);
    scene_put(&judged.scene, "items", "a", json->str);
    members = EMPTY;
    is_a = NULL;
    judged.input.expects = &of;
    judged.input.n_expects = 1;
    struct expect_wish wish = {.input = &judged.input, .fault = note_fault, .self = judged.faults};
    kit_refused(expect_judge(&wish, &results, &error), TOO_BIG, "");
    assert_string_equal(judged.faults->str, "");
    done(&judged);
}

/* Where the store has no sets an index is a dataset, each of whose keys is an entry. */
static void each_call_of_the_store_that_fails_ends_the_judgement(void **state)
{
    enum { AT_LEAST = 4 }; /* both sides opened and scanned */
    struct spec_expect of = {.name = "by-n", .what = SPEC_EXPECT_INDEX, .index = "all", .entry = "{n}:{key}"};
    bool met = true;
    for (uint64_t nth = 1; met; nth++) {
        g_autoptr(GError) error = NULL;
        struct fault_row fails = {.op = FAULT_ANY, .nth = nth, .effect = FAULT_FATAL};
        struct judged judged;
        GArray *results = NULL;
        begin(&judged);
        judged.scene.faulty_mem.table.members = NULL;
        scene_put(&judged.scene, "items", "a", "{\"n\":7}");
        scene_put(&judged.scene, "all", "7:a", "{}");
        judged.input.expects = &of;
        judged.input.n_expects = 1;
        struct expect_wish wish = {.input = &judged.input, .fault = note_fault, .self = judged.faults};
        scene_fault(&judged.scene, &fails);
        bool ok = expect_judge(&wish, &results, &error);
        met = judged.scene.plan.calls[FAULT_ANY] >= nth;
        if (ok == met || ok != !error || (!met && nth <= AT_LEAST))
            fail_msg("call %d: %s", (int)nth, error ? error->message : "nothing is said");
        if (ok)
            assert_true(g_array_index(results, struct expect_result, 0).holds);
        if (ok)
            g_array_unref(results);
        scene_fault(&judged.scene, NULL);
        done(&judged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_agree_is_told_by_name),
        cmocka_unit_test(a_record_that_moves_is_looked_at_until_it_stands),
        cmocka_unit_test(a_record_that_goes_away_has_no_entry_to_miss),
        cmocka_unit_test(records_that_do_not_fit_together_are_held_against_their_entries_one_by_one),
        cmocka_unit_test(a_record_of_more_entries_than_there_is_memory_ends_the_judgement),
        cmocka_unit_test(entries_that_do_not_fit_into_memory_are_never_left_out),
        cmocka_unit_test(each_call_of_the_store_that_fails_ends_the_judgement),
    };
    return cmocka_run_group_tests_name("verify/index", tests, NULL, NULL);
}
