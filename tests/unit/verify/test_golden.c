/* What verifications of every version have left is read as it always was: tests/golden/verify. */
#include "base/blockfile.h"
#include "base/file.h"
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "verify/dump.h"
#include "verify/past.h"
#include "verify/progress.h"
#include "verify/verify_parts.h"

static const uint8_t uid[16] = {0x5e, 0xed, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

enum { CELLS = 64, ENTRIES = 12 };
#define SEED UINT64_C(0x1234567890abcdef)

/* --- what they were made from: SLUICE_GOLDEN_WRITE=DIR makes it again ------------------------------------------------
 */

static struct digest value_of(uint64_t i)
{
    return digest_bytes(slice_of(&i, sizeof i), SEED);
}

static uint64_t key_of(uint64_t i)
{
    return value_of(i + 1000).low;
}

static struct sketch *sketch_of_entries(enum sketch_layout layout, uint64_t first, uint64_t n)
{
    struct sketch *sketch = sketch_new(CELLS, SEED, layout);
    for (uint64_t i = first; i < first + n; i++)
        sketch_add(sketch, key_of(i), value_of(i));
    return sketch;
}

static void write_sketch(const char *path)
{
    GError *error = NULL;
    auto_(sketch) sketch = sketch_of_entries(SKETCH_TABLES, 0, ENTRIES);
    struct verify_input input = {.world = world_real(), .sketch_path = path, .run_uid = uid};
    struct verification verification = {.input = &input, .sketch = sketch, .made_keys = true};
    verification.found.stored = (struct set_digest){.count = ENTRIES, .sum = {.low = 7, .high = 9}};
    kit_ok(sketch_keep_durable(&verification, &error));
}

static void write_owners(const char *path)
{
    GError *error = NULL;
    struct owners_writer *writer;
    kit_ok(owners_writer_new(&writer, world_real(), path, uid, &error));
    for (uint32_t part = 0; part < 3; part++) {
        struct digest keys[] = {value_of(part), value_of(part + 50)};
        kit_ok(owners_writer_add(writer, part, keys, G_N_ELEMENTS(keys), &error));
    }
    kit_ok(owners_writer_finish_durable(writer, &error));
    owners_writer_free(writer);
}

static struct progress progress_of(struct slice *bounds, bool *done, struct set_digest *sums)
{
    bounds[0] = slice_of_text("a to m");
    bounds[1] = slice_of("n\0\xff", 3);
    done[0] = true;
    sums[0] = (struct set_digest){.count = 3, .sum = {.low = 1, .high = 2}};
    return (struct progress){.of = value_of(77),
                             .begun_ms = INT64_C(1783684800000),
                             .seen = 1234567,
                             .appeared = 8,
                             .bounds = bounds,
                             .done = done,
                             .n_units = 2,
                             .sums = sums,
                             .n_sums = 1};
}

#define KEPT_MS INT64_C(1783684860000)

static void write_progress(const char *path)
{
    GError *error = NULL;
    struct slice bounds[2];
    bool done[2] = {false};
    struct set_digest sums[1];
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    auto_(sketch) sketch = sketch_of_entries(SKETCH_RATELESS, 0, 2);
    struct progress progress = progress_of(bounds, done, sums);
    progress.sketch = sketch;
    progress_put(&progress, KEPT_MS, bytes);
    kit_ok(progress_keep_durable(world_real(), path, uid, slice_of(bytes->data, bytes->len), &error));
}

/* Of the values alone: where a number lies is reckoned, and may be reckoned otherwise some day. */
static void write_profile(const char *path)
{
    GError *error = NULL;
    struct fake_world fake;
    uint8_t digest[32];
    auto_(arena) mem = arena_new(1 << 20);
    auto_(profile) profile = profile_new();
    struct verify_input input = {
        .world = &fake.world, .run = "nightly.3", .stage = "canary", .run_uid = uid, .profile_path = path};
    fake_world_init(&fake);
    fake.wall_ms = KEPT_MS;
    for (int i = 0; i < 5; i++) {
        struct slice document;
        g_autofree char *json =
            g_strdup_printf("{\"tier\":\"%s\",\"n\":%d,\"none\":null}", i % 2 ? "gold" : "silver", i / 4);
        assert_true(document_from_json(slice_of_text(json), mem, &document, NULL, NULL));
        profile_add(profile, document);
    }
    profile_find(profile, "n")->moved = true;
    kit_ok(past_keep_durable(&input, profile, 1, digest, &error));
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool keep_line(void *self, const char *text, GError **error)
{
    g_string_append(self, text);
    g_string_append_c(self, '\n');
    return true;
}

struct dumping {
    bool (*dump)(const struct world *world, const char *path, const struct document_lines *into, GError **error);
};

static char *dump_of(const char *path, struct dumping how)
{
    GError *error = NULL;
    GString *text = g_string_new(NULL);
    kit_ok(how.dump(world_real(), path, &(struct document_lines){keep_line, text}, &error));
    return g_string_free(text, FALSE);
}

static char *golden_of(const char *version, const char *name)
{
    return g_build_filename(g_getenv("SLUICE_SOURCE"), "tests", "golden", "verify", version, name, NULL);
}

/* As this program writes it; only of a sketch that is not version 1. */
static char *golden(const char *name)
{
    const char *into = g_getenv("SLUICE_GOLDEN_WRITE");
    return into ? g_build_filename(into, name, NULL) : golden_of(strcmp(name, "sketch.0") == 0 ? "v2" : "v1", name);
}

/* As it was written then, and as it is written now. */
static void assert_golden(const char *scratch, const char *name, void (*write)(const char *path), struct dumping how)
{
    g_autofree char *path = golden(name);
    g_autofree char *dump_path = g_strconcat(path, ".ndjson", NULL), *again = g_build_filename(scratch, name, NULL);
    if (g_getenv("SLUICE_GOLDEN_WRITE")) {
        write(path);
        g_autofree char *made = dump_of(path, how);
        assert_true(g_file_set_contents(dump_path, made, -1, NULL));
    }
    g_autofree char *expected = NULL, *then = NULL, *found = dump_of(path, how), *written = NULL;
    gsize then_len, written_len;
    assert_true(g_file_get_contents(dump_path, &expected, NULL, NULL));
    assert_string_equal(found, expected);
    write(again);
    assert_true(g_file_get_contents(path, &then, &then_len, NULL));
    assert_true(g_file_get_contents(again, &written, &written_len, NULL));
    assert_int_equal(written_len, then_len);
    assert_memory_equal(written, then, then_len);
}

static void assert_sketch(const char *path, enum sketch_layout layout)
{
    GError *error = NULL;
    auto_(blockfile) file = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct block block;
    struct kept_sketch kept;
    kit_ok(blockfile_open(&file, world_real(), path, &sketch_kind, false, &error));
    assert_int_equal(blockfile_version(file), layout);
    assert_int_equal(blockfile_read(file, blockfile_begin(file), false, mem, &block, &error), BLOCK_OK);
    assert_true(sketch_block_get(&block, layout, &kept));
    assert_true(kept.made_keys && kept.sketch->seed == SEED);
    assert_int_equal(kept.stored.count, ENTRIES);
    assert_int_equal(kept.stored.sum.low, 7);
    assert_int_equal(kept.stored.sum.high, 9);
    auto_(sketch) now = sketch_of_entries(layout, 3, ENTRIES - 3);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    sketch_subtract(kept.sketch, now);
    assert_true(sketch_peel(kept.sketch, found));
    assert_int_equal(found->len, 3);
    for (guint i = 0; i < found->len; i++) {
        const struct sketch_entry *entry = &g_array_index(found, struct sketch_entry, i);
        assert_true(!entry->second && (entry->key == key_of(0) || entry->key == key_of(1) || entry->key == key_of(2)));
    }
    sketch_free(kept.sketch);
}

/* What a gate kept years ago still tells what differs from it. */
static void a_sketch_of_version_1_gives_its_entries(void **state)
{
    g_autofree char *path = golden_of("v1", "sketch.0"), *dump_path = golden_of("v1", "sketch.0.ndjson");
    g_autofree char *found = dump_of(path, (struct dumping){sketch_dump}), *expected = NULL;
    assert_true(g_file_get_contents(dump_path, &expected, NULL, NULL));
    assert_string_equal(found, expected);
    assert_sketch(path, SKETCH_RATELESS);
}

static void a_sketch_of_version_2_gives_its_entries(void **state)
{
    assert_golden(*state, "sketch.0", write_sketch, (struct dumping){sketch_dump});
    g_autofree char *path = golden("sketch.0");
    assert_sketch(path, SKETCH_TABLES);
}

static void owners_of_version_1_read_as_they_always_did(void **state)
{
    GError *error = NULL;
    auto_(owners_reader) reader = NULL;
    struct owner owner;
    bool more;
    uint32_t n = 0, sum = 0;
    assert_golden(*state, "owners.0", write_owners, (struct dumping){owners_dump});
    g_autofree char *path = golden("owners.0");
    kit_ok(owners_reader_open(&reader, world_real(), path, &error));
    for (kit_ok(owners_reader_next(reader, &owner, &more, &error)); more;
         kit_ok(owners_reader_next(reader, &owner, &more, &error))) {
        n++;
        sum += owner.part;
    }
    assert_int_equal(n, 6);
    assert_int_equal(sum, 6);
}

static void progress_of_version_1_is_gone_on_with(void **state)
{
    GError *error = NULL;
    struct fake_world fake;
    struct slice bounds[2];
    bool done[2], taken = false;
    struct set_digest sums[1];
    auto_(arena) mem = arena_new(1 << 20);
    auto_(sketch) empty = sketch_new(CELLS, SEED, SKETCH_RATELESS);
    auto_(sketch) expected = sketch_of_entries(SKETCH_RATELESS, 0, 2);
    assert_golden(*state, "progress", write_progress, (struct dumping){progress_dump});
    g_autofree char *path = golden("progress");
    fake_world_init(&fake);
    fake.wall_ms = KEPT_MS + 1000;
    struct progress found = progress_of(bounds, done, sums);
    found.seen = found.appeared = 0;
    found.sketch = empty;
    kit_ok(progress_read(&fake.world, path, mem, &found, &taken, &error));
    assert_true(taken);
    assert_int_equal(found.seen, 1234567);
    assert_int_equal(found.appeared, 8);
    assert_int_equal(found.begun_ms, INT64_C(1783684800000));
    assert_int_equal(found.n_units, 2);
    assert_true(found.done[0] && !found.done[1]);
    kit_equal_text(found.bounds[0], "a to m");
    assert_true(slice_equal(found.bounds[1], slice_of("n\0\xff", 3)));
    assert_int_equal(found.sums[0].count, 3);
    assert_memory_equal(found.sketch->cells, expected->cells, CELLS * sizeof *expected->cells);
    sketch_free(found.sketch);
}

static void a_profile_of_version_1_is_held_against_as_it_always_was(void **state)
{
    GError *error = NULL;
    auto_(past) past = past_new("file", true);
    assert_golden(*state, "profile.0", write_profile, (struct dumping){past_dump});
    g_autofree char *path = golden("profile.0");
    kit_ok(past_add(past, world_real(), path, NULL, &error));
    past_join(past);
    const struct past_part *part = &g_array_index(past->parts, struct past_part, 0);
    assert_string_equal(part->run, "nightly.3");
    assert_string_equal(part->stage, "canary");
    assert_int_equal(past->kept_ms, KEPT_MS);
    assert_int_equal(profile_records(past->profile), 5);
    assert_true(profile_find(past->profile, "n")->moved && !profile_find(past->profile, "tier")->moved);
    assert_int_equal(profile_find(past->profile, "tier")->top.n, 2);
    static const uint8_t other[32] = {1};
    kit_refused(past_add(past, world_real(), path, other, &error), CORRUPT, "not what its gate kept");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sketch_of_version_1_gives_its_entries),
        cmocka_unit_test_setup_teardown(a_sketch_of_version_2_gives_its_entries, kit_dir_setup, kit_dir_teardown),
        cmocka_unit_test_setup_teardown(owners_of_version_1_read_as_they_always_did, kit_dir_setup, kit_dir_teardown),
        cmocka_unit_test_setup_teardown(a_profile_of_version_1_is_held_against_as_it_always_was, kit_dir_setup,
                                        kit_dir_teardown),
        cmocka_unit_test_setup_teardown(progress_of_version_1_is_gone_on_with, kit_dir_setup, kit_dir_teardown),
    };
    return cmocka_run_group_tests_name("verify/golden", tests, NULL, NULL);
}
