/* Verification by the sums that a gate leaves: what the target alone tells, what it cannot, and what is then compared.
 */
#include "unit/verify/sums.h"

#include "base/blockfile.h"
#include "run/check.h"

/* --- equal
 * ------------------------------------------------------------------------------------------------------------ */

/* The target is scanned once, in eight stretches for each of two workers. Of a source elsewhere that has keys, those
 * are scanned too: for ones that came up. */
static void equal_sums_pass_and_the_source_is_not_read(void **state)
{
    static const uint64_t SCANS[] = {16, 17, 16};
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, SPECS[i]);
        struct asked asked = verify(&scene, &result);
        assert_int_equal(asked.reads, 0);
        assert_int_equal(asked.scans, SCANS[i]);
        assert_true(result.pass);
        ways(&result, parts_of(&scene), 0);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
        assert_int_equal(result.compared, KEYS);
        assert_int_equal(result.live.count, KEYS);
        assert_true(set_digest_equal(&result.wanted, &result.live));
        done(&scene, &result);
    }
}

static void full_compares_every_key_with_the_source(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, SPECS[i]);
        scene.full = true;
        assert_in_range(verify(&scene, &result).reads, 1, UINT64_MAX);
        ways(&result, 0, parts_of(&scene));
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
        done(&scene, &result);
    }
}

/* What the gate counted beside the equal ones is said again. */
static void counts_of_the_gate_are_kept(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin(&scene, SAME);
    put(&scene, 3, "{\"bad\":true}");
    put(&scene, 33, "{\"skip\":true}");
    scene_ran(&scene, 8);
    assert_int_equal(verify(&scene, &result).reads, 0);
    ways(&result, PARTS, 0);
    assert_int_equal(result.of[VERIFY_EQUAL], KEYS - 2);
    assert_int_equal(result.of[VERIFY_REFUSED], 1);
    assert_int_equal(result.of[VERIFY_FILTERED], 1);
    assert_true(result.pass);
    done(&scene, &result);
}

/* Another number type, another order: the same document. Sums go by the bytes; the comparison in full does not. */
static void the_same_document_in_other_bytes_is_equal(void **state)
{
    struct scene scene;
    struct verify_result result;
    passed(&scene, SAME);
    put(&scene, 7, "{\"times\":1.0,\"id\":\"k07\"}");
    verify(&scene, &result);
    one_key(&result, PARTS);
    assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
    assert_true(set_digest_equal(&result.wanted, &result.live));
    assert_true(result.pass);
    done(&scene, &result);
}

/* --- not equal
 * -------------------------------------------------------------------------------------------------------- */

static void one_record_changed_is_the_one_in_the_report(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, SPECS[i]);
        put(&scene, 13, "{\"mine\":true}");
        verify(&scene, &result);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS - 1);
        assert_int_equal(result.compared, KEYS);
        assert_true(result.pass);
        if (i == 2) /* of files no listing names the key */
            ways(&result, parts_of(&scene) - 1, 1);
        else
            one_key(&result, parts_of(&scene));
        reported(&result, VERIFY_CHANGED_SINCE, "k13");
        done(&scene, &result);
    }
}

static void a_pre_image_that_is_back_is_missing(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, SPECS[i]);
        put(&scene, 39, "{\"id\":\"k39\",\"times\":0}");
        verify(&scene, &result);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS - 1);
        assert_false(result.pass);
        reported(&result, VERIFY_MISSING, "k39");
        done(&scene, &result);
    }
}

static void created_and_deleted_is_missing(void **state)
{
    for (size_t i = 1; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, SPECS[i]);
        scene_remove(&scene, "items", "k00");
        scene_ran(&scene, 0);
        scene_remove(&scene, "items", "k00");
        verify(&scene, &result);
        assert_false(result.pass);
        reported(&result, VERIFY_MISSING, "k00");
        done(&scene, &result);
    }
}

static void another_expiry_is_no_longer_what_was_written(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin(&scene, SAME);
    scene_put_until(&scene, "items", "k20", "{\"times\":4}", scene.fake.wall_ms + 600000);
    scene_ran(&scene, 0);
    scene_put_until(&scene, "items", "k20", "{\"times\":5}", scene.fake.wall_ms + 900000);
    verify(&scene, &result);
    one_key(&result, PARTS);
    reported(&result, VERIFY_CHANGED_SINCE, "k20");
    done(&scene, &result);
}

static void what_expired_since_is_no_difference(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin(&scene, SAME);
    scene_put_until(&scene, "items", "k20", "{\"times\":4}", scene.fake.wall_ms + 600000);
    scene_ran(&scene, 0);
    scene.fake.wall_ms += 600000;
    verify(&scene, &result);
    one_key(&result, PARTS);
    assert_int_equal(result.of[VERIFY_EXPIRED], 1);
    assert_true(result.pass);
    done(&scene, &result);
}

/* --- keys that are not the run's
 * --------------------------------------------------------------------------------------- */

static void a_key_that_came_up_in_the_source_is_unvisited(void **state)
{
    static const char *const SPEC[] = {SAME, ELSEWHERE}, *const WHERE[] = {"items", "origin"};
    for (size_t i = 0; i < G_N_ELEMENTS(SPEC); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, SPEC[i]);
        scene_put(&scene, WHERE[i], "k13b", "{\"times\":0}");
        scene_put(&scene, WHERE[i], "k99", "{\"skip\":true}"); /* the run would have done nothing with it */
        verify(&scene, &result);
        ways(&result, PARTS, 0);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
        assert_int_equal(result.of[VERIFY_APPEARED], 1);
        reported(&result, VERIFY_UNVISITED, "k13b");
        done(&scene, &result);
    }
}

static void keys_of_others_in_the_target_are_not_judged(void **state)
{
    for (size_t i = 1; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, SPECS[i]);
        scene_put(&scene, "items", "a-key-of-another", "{\"times\":0}");
        assert_int_equal(verify(&scene, &result).reads, 0);
        ways(&result, parts_of(&scene), 0);
        assert_true(result.pass);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
        assert_int_equal(result.compared, KEYS);
        done(&scene, &result);
    }
}

/* Whose each key is can no longer be told: every key is compared, and the same is found. */
static void owners_that_are_damaged_or_gone_cost_time_alone(void **state)
{
    for (int gone = 0; gone < 2; gone++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, FILES);
        put(&scene, 13, "{\"mine\":true}");
        g_autofree char *path = g_build_filename(scene.home, "reports", "job.1", "owners.0", NULL);
        if (gone)
            assert_int_equal(g_unlink(path), 0);
        else
            kit_damage(path);
        verify(&scene, &result);
        ways(&result, 0, parts_of(&scene));
        reported(&result, VERIFY_CHANGED_SINCE, "k13");
        done(&scene, &result);
    }
}

/* --- listings in an order of the store's own
 * --------------------------------------------------------------------------------------- */

static void passed_ranked(struct scene *scene, const char *spec)
{
    begin(scene, spec);
    scene->faulty_mem.table.list = &ranked;
    scene_ran(scene, 0);
}

/* A scan of the target does not go along such a listing: whose a key is, the gates wrote down. */
static void ranked_listings_are_told_by_owners(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        struct verify_result result;
        passed_ranked(&scene, SPECS[i]);
        assert_int_equal(verify(&scene, &result).reads, 0);
        ways(&result, PARTS, 0);
        assert_true(result.pass);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
        done(&scene, &result);
    }
}

/* A run that was planned before its store had ranks. */
static void a_listing_without_ranks_beside_a_store_that_has_them_is_found_whole(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, SPECS[i]);
        scene.faulty_mem.table.list = &ranked;
        scene_put(&scene, i == 0 ? "items" : "origin", "k13b", "{\"times\":0}");
        verify(&scene, &result);
        assert_true(result.pass);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
        assert_int_equal(result.of[VERIFY_UNVISITED], 1);
        assert_int_equal(result.of[VERIFY_APPEARED], 0);
        reported(&result, VERIFY_UNVISITED, "k13b");
        done(&scene, &result);
    }
}

static void a_change_below_a_ranked_listing_is_found_in_its_partition(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        struct verify_result result;
        passed_ranked(&scene, SPECS[i]);
        put(&scene, 13, "{\"mine\":true}");
        assert_int_equal(verify(&scene, &result).scans, STRETCHES + 1); /* and one for keys that came up */
        one_key(&result, PARTS);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS - 1);
        assert_int_equal(result.compared, KEYS);
        reported(&result, VERIFY_CHANGED_SINCE, "k13");
        done(&scene, &result);
    }
}

/* --- stores of which a scan gives a key more than once
 * ------------------------------------------------------------------------------------- */

/* Their keys are asked for along the listing: each of them once, and the source not at all. */
static void an_unsorted_target_is_asked_along_the_listing(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, SPECS[i]);
        scene.faulty_mem.table.list = &unsorted;
        scene_ran(&scene, 0);
        struct asked asked = verify(&scene, &result);
        assert_int_equal(asked.reads, PARTS);
        assert_int_equal(asked.scans, 1); /* for keys that came up */
        ways(&result, PARTS, 0);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
        verify_result_done(&result);
        put(&scene, 13, "{\"mine\":true}");
        verify(&scene, &result);
        one_key(&result, PARTS);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS - 1);
        reported(&result, VERIFY_CHANGED_SINCE, "k13");
        done(&scene, &result);
    }
}

/* --- sketches
 * --------------------------------------------------------------------------------------------------------- */

static void a_key_that_is_gone_or_came_back_is_found(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        struct verify_result result;
        passed_ranked(&scene, SPECS[i]);
        scene_remove(&scene, "items", "k07");
        scene_put(&scene, "items", "x-of-others", "{}");
        verify(&scene, &result);
        one_key(&result, PARTS);
        assert_int_equal(result.compared, KEYS);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS - 1);
        assert_int_equal(result.of[VERIFY_CHANGED_SINCE], 1);
        done(&scene, &result);
    }
}

/* Of a partition in which the gate counted another class than equal nobody knows which key it was. */
static void a_partition_that_was_not_all_equal_is_compared_in_full(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        struct process process;
        struct verify_result result;
        begin(&scene, SPECS[i]);
        process_first(&process, &scene);
        process_end(&process);
        put(&scene, 5, "{\"theirs\":true}");
        process_die(&process);
        scene_ran(&scene, 0);
        put(&scene, 5, "{\"theirs\":2}");
        put(&scene, 35, "{\"theirs\":3}");
        verify(&scene, &result);
        assert_int_equal(result.by_sums, PARTS - 2);
        assert_int_equal(result.by_keys, 1);
        assert_int_equal(result.in_full, 1);
        assert_int_equal(result.of[VERIFY_CHANGED_SINCE], 2);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS - 2);
        done(&scene, &result);
    }
}

/* Any of its bytes: the same is found, by partitions. */
static void a_sketch_that_is_damaged_or_gone_costs_time_alone(void **state)
{
    for (int gone = 0; gone < 2; gone++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, ELSEWHERE);
        put(&scene, 13, "{\"mine\":true}");
        g_autofree char *path = sketch_path(&scene);
        if (gone)
            assert_int_equal(g_unlink(path), 0);
        else
            kit_damage(path);
        verify(&scene, &result);
        ways(&result, PARTS - 1, 1);
        assert_int_equal(result.by_keys, 0);
        reported(&result, VERIFY_CHANGED_SINCE, "k13");
        done(&scene, &result);
    }
}

#define TWO_STAGES                                                                                                     \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n"                 \
    "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\nworkers: 2\n"                 \
    "stages: [{ name: a, scope: 50% }, { name: b, scope: 100% }]\npartitions: { count: 4 }\n"

/* Writes the sketch of a stage again as version 1 had it. */
static void keep_as_version_1(struct scene *scene, const char *name)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(scene->home, "reports", "job.1", name, NULL);
    struct blockfile_kind kind = sketch_kind;
    auto_(arena) mem = arena_new(1 << 20);
    struct blockfile *file;
    struct block block;
    struct kept_sketch kept;
    uint8_t tag[16];
    kit_ok(blockfile_open(&file, world_real(), path, &kind, false, &error));
    assert_int_equal(blockfile_read(file, blockfile_begin(file), false, mem, &block, &error), BLOCK_OK);
    assert_true(sketch_block_get(&block, SKETCH_TABLES, &kept));
    memcpy(tag, blockfile_tag(file).data, sizeof tag);
    blockfile_free(file);
    g_autoptr(GByteArray) cells = g_byte_array_new();
    auto_(sketch) old = sketch_new(SKETCH_CELLS, kept.sketch->seed, SKETCH_RATELESS);
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    assert_true(sketch_peel(kept.sketch, entries)); /* few enough that all of them come out */
    assert_int_equal(entries->len, kept.stored.count);
    for (guint i = 0; i < entries->len; i++) {
        const struct sketch_entry *entry = &g_array_index(entries, struct sketch_entry, i);
        sketch_add(old, entry->key, entry->value);
    }
    sketch_put(old, cells);
    sketch_free(kept.sketch);
    kind.version = SKETCH_RATELESS;
    struct block_draft draft = {.type = block.type, .head = block.head, .payload = slice_of(cells->data, cells->len)};
    assert_int_equal(g_unlink(path), 0);
    kit_ok(blockfile_create(&file, world_real(), path, &kind, slice_of(tag, sizeof tag), &error));
    kit_ok(blockfile_append(file, &draft, NULL, &error));
    kit_ok(blockfile_sync_durable(file, &error));
    blockfile_free(file);
}

/* What gates of an older version kept tells keys as it always did; of two versions nothing, but for partitions. */
static void sketches_of_an_older_version_still_tell_keys(void **state)
{
    for (int both = 0; both < 2; both++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, TWO_STAGES);
        scene_ran(&scene, 0);
        keep_as_version_1(&scene, "sketch.0");
        if (both)
            keep_as_version_1(&scene, "sketch.1");
        put(&scene, 13, "{\"mine\":true}");
        verify(&scene, &result);
        assert_int_equal(result.by_sums, PARTS - 1);
        assert_int_equal(result.by_keys, both);
        assert_int_equal(result.in_full, !both);
        reported(&result, VERIFY_CHANGED_SINCE, "k13");
        done(&scene, &result);
    }
}

/* Stage by stage: together they tell all of the run, and where one is gone nothing. */
static void sketches_of_all_stages_are_one_or_none(void **state)
{
    for (int gone = 0; gone < 2; gone++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, TWO_STAGES);
        scene_ran(&scene, 0);
        put(&scene, 13, "{\"mine\":true}");
        g_autofree char *path = g_build_filename(scene.home, "reports", "job.1", "sketch.1", NULL);
        if (gone)
            assert_int_equal(g_unlink(path), 0);
        verify(&scene, &result);
        assert_int_equal(result.by_sums, PARTS - 1);
        assert_int_equal(result.by_keys, !gone);
        reported(&result, VERIFY_CHANGED_SINCE, "k13");
        done(&scene, &result);
    }
}

/* More than the cells can name: it is noticed, and every partition is compared. */
static bool (*reads_well)(struct session *, const struct call *, struct record *, size_t, GError **);
static atomic_size_t most;

static bool reads_counted(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    most = MAX(most, n);
    return reads_well(session, call, io, n, error);
}

/* More of one partition than are read at a time. */
static void each_of_many_keys_that_differ_is_found(void **state)
{
    enum { DIFFER = 1200, MANY = 1300 };
    struct scene scene;
    struct verify_result result;
    scene_init(&scene,
               "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n"
               "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\n"
               "stages: [{ name: full, scope: 100% }]\nworkers: 2\npartitions: { count: 1 }\n",
               LUA);
    for (int i = 0; i < MANY; i++) {
        g_autofree char *key = g_strdup_printf("k%04d", i);
        scene_put(&scene, "origin", key, "{\"times\":0}");
    }
    scene_ran(&scene, 0);
    for (int i = 0; i < DIFFER; i++) {
        g_autofree char *key = g_strdup_printf("k%04d", i);
        scene_put(&scene, "items", key, "{\"mine\":true}");
    }
    reads_well = scene.faulty_mem.table.read;
    scene.faulty_mem.table.read = reads_counted;
    verify(&scene, &result);
    assert_in_range(most, 1, 1000);
    ways(&result, 0, 0);
    assert_int_equal(result.by_keys, 1);
    assert_int_equal(result.of[VERIFY_CHANGED_SINCE], DIFFER);
    assert_int_equal(result.of[VERIFY_EQUAL], MANY - DIFFER);
    done(&scene, &result);
}

static void what_is_too_much_for_a_sketch_is_compared_in_full(void **state)
{
    enum { MANY = 3000 };
    struct scene scene;
    struct verify_result result;
    scene_init(&scene, ELSEWHERE, LUA);
    for (int i = 0; i < MANY; i++) {
        g_autofree char *key = g_strdup_printf("k%04d", i);
        scene_put(&scene, "origin", key, "{\"times\":0}");
    }
    scene_ran(&scene, 0);
    for (int i = 0; i < MANY; i++) {
        g_autofree char *key = g_strdup_printf("k%04d", i);
        scene_put(&scene, "items", key, "{\"mine\":true}");
    }
    verify(&scene, &result);
    ways(&result, 0, PARTS);
    assert_int_equal(result.by_keys, 0);
    assert_int_equal(result.of[VERIFY_CHANGED_SINCE], MANY);
    done(&scene, &result);
}

static void keys_that_a_ranked_listing_lacks_are_found(void **state)
{
    static const char *const WHERE[] = {"items", "origin"};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        struct verify_result result;
        passed_ranked(&scene, SPECS[i]);
        scene_put(&scene, WHERE[i], "k13b", "{\"times\":0}");
        scene_put(&scene, WHERE[i], "k99", "{\"skip\":true}");
        verify(&scene, &result);
        ways(&result, PARTS, 0);
        assert_int_equal(result.of[VERIFY_APPEARED], 1);
        reported(&result, VERIFY_UNVISITED, "k13b");
        done(&scene, &result);
    }
}

/* --- gates
 * ------------------------------------------------------------------------------------------------------------ */

static void check(struct process *process, struct verify_result *ret)
{
    GError *error = NULL;
    struct check_wish wish = {.stage = 0};
    struct watch watch = {0};
    *ret = (struct verify_result){0};
    kit_ok(check_parts(process->hold, &wish, &watch, ret, &error));
}

/* One worker writes the first partition; a key comes up; then the gate is judged. */
static void a_gate_speaks_of_its_partitions_alone(void **state)
{
    static const char *const SPEC[] = {SAME, ELSEWHERE};
    for (size_t i = 0; i < G_N_ELEMENTS(SPEC); i++) {
        struct scene scene;
        struct process process;
        struct verify_result result;
        auto_(arena) mem = arena_new(1 << 20);
        begin(&scene, SPEC[i]);
        process_first(&process, &scene);
        while (scene_row(&scene, mem).parts[PART_WRITTEN] == 0)
            process_step(&process, 0);
        scene_put(&scene, "items", "k05b", "{\"times\":0}");
        scene_put(&scene, "origin", "k05b", "{\"times\":0}");
        check(&process, &result);
        assert_true(result.pass);
        assert_int_equal(result.compared, KEYS / PARTS);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS / PARTS);
        assert_int_equal(result.of[VERIFY_UNVISITED], 0);
        assert_int_equal(scene_sums_kept(&scene), 1);
        verify_result_done(&result);
        process_done(&process);
        scene_done(&scene);
    }
}

static void a_gate_that_fails_leaves_no_sums(void **state)
{
    struct scene scene;
    struct process process;
    struct verify_result result;
    begin(&scene, SAME);
    process_first(&process, &scene);
    process_end(&process);
    put(&scene, 5, "{\"id\":\"k05\",\"times\":0}");
    check(&process, &result);
    assert_false(result.pass);
    assert_int_equal(scene_sums_kept(&scene), 0);
    verify_result_done(&result);
    put(&scene, 5, "{\"id\":\"k05\",\"times\":1}");
    check(&process, &result);
    assert_true(result.pass);
    assert_int_equal(scene_sums_kept(&scene), PARTS);
    verify_result_done(&result);
    process_die(&process);
    scene_done(&scene);
}

/* Keys that a field of the document gives: the listing does not hold them. */
static void made_keys_are_compared_in_full(void **state)
{
    struct scene scene;
    struct verify_result result;
    scene_init(&scene,
               "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin, key: [id, times] }\n"
               "transform: { lua: t.lua }\n" TARGET,
               LUA);
    fill(&scene);
    scene_ran(&scene, 0);
    assert_int_equal(scene_sums_kept(&scene), 0);
    verify(&scene, &result);
    ways(&result, 0, PARTS);
    assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
    done(&scene, &result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_sums_pass_and_the_source_is_not_read),
        cmocka_unit_test(full_compares_every_key_with_the_source),
        cmocka_unit_test(counts_of_the_gate_are_kept),
        cmocka_unit_test(the_same_document_in_other_bytes_is_equal),
        cmocka_unit_test(one_record_changed_is_the_one_in_the_report),
        cmocka_unit_test(a_pre_image_that_is_back_is_missing),
        cmocka_unit_test(created_and_deleted_is_missing),
        cmocka_unit_test(another_expiry_is_no_longer_what_was_written),
        cmocka_unit_test(what_expired_since_is_no_difference),
        cmocka_unit_test(a_key_that_came_up_in_the_source_is_unvisited),
        cmocka_unit_test(keys_of_others_in_the_target_are_not_judged),
        cmocka_unit_test(owners_that_are_damaged_or_gone_cost_time_alone),
        cmocka_unit_test(a_gate_speaks_of_its_partitions_alone),
        cmocka_unit_test(a_gate_that_fails_leaves_no_sums),
        cmocka_unit_test(made_keys_are_compared_in_full),
        cmocka_unit_test(ranked_listings_are_told_by_owners),
        cmocka_unit_test(a_listing_without_ranks_beside_a_store_that_has_them_is_found_whole),
        cmocka_unit_test(a_change_below_a_ranked_listing_is_found_in_its_partition),
        cmocka_unit_test(keys_that_a_ranked_listing_lacks_are_found),
        cmocka_unit_test(an_unsorted_target_is_asked_along_the_listing),
        cmocka_unit_test(a_key_that_is_gone_or_came_back_is_found),
        cmocka_unit_test(a_partition_that_was_not_all_equal_is_compared_in_full),
        cmocka_unit_test(a_sketch_that_is_damaged_or_gone_costs_time_alone),
        cmocka_unit_test(sketches_of_an_older_version_still_tell_keys),
        cmocka_unit_test(sketches_of_all_stages_are_one_or_none),
        cmocka_unit_test(each_of_many_keys_that_differ_is_found),
        cmocka_unit_test(what_is_too_much_for_a_sketch_is_compared_in_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
