/* What a scan of the target meets that a gate had not left so: records that are none any more, that move, that the run
 * set aside, or none at all. */
#include "unit/verify/sums.h"

/* Keys that stand in the target and that the run set aside are none of what it left. */
static void what_the_run_left_out_does_not_count(void **state)
{
    static const struct {
        const char *spec;
        const struct list_ops *list;
        size_t parts;
    } ROWS[] = {{ELSEWHERE, &ranked, PARTS}, {ELSEWHERE, &unsorted, PARTS}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, ROWS[i].spec);
        scene_put(&scene, "origin", "k13", "{\"skip\":true}");
        scene.faulty_mem.table.list = ROWS[i].list;
        scene_ran(&scene, 0);
        scene_put(&scene, "items", "k13", "{\"mine\":true}");
        verify(&scene, &result);
        if (result.of[VERIFY_EQUAL] != KEYS - 1 || result.of[VERIFY_FILTERED] != 1 || result.by_sums != PARTS)
            fail_msg("row %zu: %s", i, result.sentence);
        done(&scene, &result);
    }
}

static bool (*read_really)(struct session *, const struct call *, struct record *, size_t, GError **);
static bool (*next_really)(struct scan *, const struct call *, struct batch *, GError **);

static void tear(const struct call *call, struct record *records, size_t n)
{
    for (size_t i = 0; i < n && strcmp(call->ds->name, "items") == 0; i++)
        if (slice_equal(records[i].key, slice_of_text("k13"))) {
            records[i].presence = RECORD_FAULT;
            records[i].fault.text = "of another type";
        }
}

static bool read_torn(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    bool ok = read_really(session, call, io, n, error);
    tear(call, io, ok ? n : 0);
    return ok;
}

static bool next_torn(struct scan *scan, const struct call *call, struct batch *ret, GError **error)
{
    bool ok = next_really(scan, call, ret, error);
    tear(call, ret->records, ok ? ret->n : 0);
    return ok;
}

/* Whichever way it is met, and whether sketches name it or not. */
static void what_is_no_record_any_more_is_not_what_the_gate_left(void **state)
{
    for (int row = 0; row < 4; row++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, SPECS[row % 2]);
        if (row >= 2)
            scene.faulty_mem.table.list = &ranked;
        scene_ran(&scene, 0);
        if (row == 3) { /* so that owners are asked */
            g_autofree char *path = sketch_path(&scene);
            assert_int_equal(g_unlink(path), 0);
        }
        read_really = scene.faulty_mem.table.read;
        next_really = scene.faulty_mem.table.scan_next;
        scene.faulty_mem.table.read = read_torn;
        scene.faulty_mem.table.scan_next = next_torn;
        verify(&scene, &result);
        if (result.of[VERIFY_EQUAL] != KEYS - 1 || result.of[VERIFY_NOT_COMPARABLE] != 1 || result.by_sums != PARTS - 1)
            fail_msg("row %d: %s", row, result.sentence);
        done(&scene, &result);
    }
}

/* What the scan found is not what stands there when it is looked at: it is looked at as often as any other. */
static int changes;
static bool gone;

static void put_once_more(struct scene *scene, int64_t us)
{
    if (us != AGAIN_US)
        return;
    if (changes++ == 0 && gone)
        scene_remove(scene, "items", "k13");
    else if (changes == 1)
        scene_put(scene, "items", "k13", "{\"mine\":2}");
}

static void what_moves_on_behind_the_scan_is_looked_at_again(void **state)
{
    for (int row = 0; row < 2; row++) {
        struct scene scene;
        struct verify_result result;
        gone = row;
        passed(&scene, SAME);
        put(&scene, 13, "{\"mine\":true}");
        scene.asleep = put_once_more;
        changes = 0;
        verify(&scene, &result);
        one_key(&result, PARTS);
        assert_true(changes > 1);
        assert_int_equal(result.of[VERIFY_CHANGED_SINCE], 1);
        done(&scene, &result);
    }
}

static void a_target_that_was_emptied_is_seen_to_be(void **state)
{
    struct scene scene;
    struct verify_result result;
    passed(&scene, ELSEWHERE);
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        key_of(i, key);
        scene_remove(&scene, "items", key);
    }
    verify(&scene, &result);
    assert_int_equal(result.of[VERIFY_CHANGED_SINCE], KEYS); /* there was something before the run */
    done(&scene, &result);
}

/* Owners tell in which partition a key is that no listing holds. */
static void made_keys_of_a_ranked_listing_are_told_by_owners(void **state)
{
    struct scene scene;
    struct verify_result result;
    scene_init(&scene,
               "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin, key: [id, kind] }\n"
               "transform: { lua: t.lua }\n" TARGET,
               LUA);
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        key_of(i, key);
        g_autofree char *json = g_strdup_printf("{\"id\":\"%s\",\"kind\":1,\"times\":0}", key);
        scene_put(&scene, "origin", key, json);
    }
    scene.faulty_mem.table.list = &ranked;
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "k13:1", "{\"mine\":true}");
    verify(&scene, &result);
    ways(&result, PARTS - 1, 1);
    assert_int_equal(result.of[VERIFY_EQUAL], KEYS - 1);
    assert_int_equal(result.of[VERIFY_CHANGED_SINCE], 1);
    done(&scene, &result);
}

/* Of a key that the run wrote twice the pre-image is the one from before the run, and not what it wrote first. */
static void of_two_writes_the_first_has_the_pre_image(void **state)
{
    static const struct {
        const char *json;
        enum verify_class class;
        uint64_t n; /* of its two states */
    } ROWS[] = {{"{\"id\":\"k\",\"at\":0}", VERIFY_MISSING, 2}, {"{\"id\":\"k\",\"at\":1}", VERIFY_CHANGED_SINCE, 1}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        scene_init(&scene,
                   "sluice: 1\nname: job\nsource: { store: \"file:.\", dataset: in.ndjson, key: id, version: at, "
                   "duplicates: all }\ntransform: { lua: t.lua }\n"
                   "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: newer-wins }\nworkers: 1\n",
                   "function transform(doc)\n  return doc\nend\n");
        scene_file(&scene, "in.ndjson", "{\"id\":\"k\",\"at\":1}\n{\"id\":\"k\",\"at\":2}\n");
        scene_put(&scene, "items", "k", ROWS[0].json);
        struct process process;
        process_first(&process, &scene);
        process_done(&process);
        scene_put(&scene, "items", "k", ROWS[i].json);
        struct verify_result result;
        scene_verify(&scene, &result);
        if (result.of[ROWS[i].class] != ROWS[i].n)
            fail_msg("%s: %s", ROWS[i].json, result.sentence);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_run_left_out_does_not_count),
        cmocka_unit_test(what_is_no_record_any_more_is_not_what_the_gate_left),
        cmocka_unit_test(what_moves_on_behind_the_scan_is_looked_at_again),
        cmocka_unit_test(a_target_that_was_emptied_is_seen_to_be),
        cmocka_unit_test(made_keys_of_a_ranked_listing_are_told_by_owners),
        cmocka_unit_test(of_two_writes_the_first_has_the_pre_image),
    };
    return cmocka_run_group_tests_name("verify/swept", tests, NULL, NULL);
}
