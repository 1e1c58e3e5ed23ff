/* The files of every version there has been read as they always did: tests/golden/listing. */
#include "base/file.h"
#include "kit/kit.h"
#include "listing/dump.h"
#include "listing/listing.h"
#include "listing/seen.h"
#include "listing/skips.h"

static const uint8_t uid[16] = {0x5e, 0xed, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

/* What v1 was made from. Run with SLUICE_GOLDEN_WRITE=DIR to make it again. */
static void write_listing(const char *path)
{
    GError *error = NULL;
    struct listing_draft draft = {.world = world_real(), .path = path};
    memcpy(draft.run_uid, uid, sizeof uid);
    auto_(listing_writer) writer = NULL;
    struct listing_totals totals;
    g_autofree char *large = g_strnfill(70000, 'm'); /* a block of its own */
    kit_ok(listing_writer_new(&writer, &draft, &error));
    kit_ok(listing_writer_add(writer, slice_of_text("a"), &error));
    kit_ok(listing_writer_add(writer, slice_of_text("a:1"), &error));
    kit_ok(listing_writer_add(writer, slice_of_text("a:10"), &error));
    kit_ok(listing_writer_add(writer, slice_of_text(large), &error));
    kit_ok(listing_writer_add(writer, slice_of("z\0\xff", 3), &error));
    kit_ok(listing_writer_add(writer, slice_of_text("zürich"), &error));
    kit_ok(listing_writer_finish_durable(writer, &(struct listing_cut){.size = 4}, &totals, &error));
}

static void write_ranked(const char *path)
{
    GError *error = NULL;
    struct listing_draft draft = {.world = world_real(), .path = path, .ranked = true};
    memcpy(draft.run_uid, uid, sizeof uid);
    auto_(listing_writer) writer = NULL;
    struct listing_totals totals;
    kit_ok(listing_writer_new(&writer, &draft, &error));
    kit_ok(listing_writer_add(writer, slice_of("\0\0z", 3), &error));
    kit_ok(listing_writer_add(writer, slice_of("\0\1", 2), &error)); /* the empty key */
    kit_ok(listing_writer_add(writer, slice_of("\0\1b", 3), &error));
    kit_ok(listing_writer_add(writer, slice_of("\x3f\xff\0\xff", 4), &error));
    kit_ok(listing_writer_finish_durable(writer, &(struct listing_cut){.size = 3}, &totals, &error));
}

static void write_skips(const char *path)
{
    static const struct skip_entry entries[] = {
        {.part = 0, .offset = 0, .reason = SKIP_SUPERSEDED, .other = 1, .line = 7},
        {.part = 0, .offset = 300, .reason = SKIP_EQUAL, .other = 0, .line = 2},
        {.part = 2, .offset = 17, .reason = SKIP_CONFLICT, .other = 3, .line = 1},
        {.part = 2, .offset = 18, .reason = SKIP_UNORDERED, .other = 0, .line = 99},
        {.part = 3, .offset = 1ull << 40, .reason = SKIP_CONFLICT, .other = 2, .line = 5000000000},
    };
    GError *error = NULL;
    auto_(skips_writer) writer = NULL;
    struct digest digest;
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (int i = 0; i < 2; i++)
        g_ptr_array_add(names, (char *)(uintptr_t) "2024/a.ndjson");
    g_ptr_array_add(names, (char *)(uintptr_t) "2024/b.csv.gz");
    g_ptr_array_add(names, (char *)(uintptr_t) "ü.json");
    kit_ok(skips_writer_new(&writer, world_real(), path, uid, &error));
    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++)
        kit_ok(skips_writer_add(writer, &entries[i], &error));
    kit_ok(skips_writer_finish_durable(writer, names, &digest, &error));
}

/* Version 2: it says who takes part. */
static void write_chosen(const char *path)
{
    static const struct skip_entry entries[] = {
        {.part = 0, .offset = 42, .reason = SKIP_NOTHING, .other = 1, .line = 3},
        {.part = 1, .offset = 7, .reason = SKIP_SUPERSEDED, .other = 0, .line = 9},
        {.part = 1, .offset = 70, .reason = SKIP_NOTHING, .other = 1, .line = 8},
    };
    GError *error = NULL;
    auto_(skips_writer) writer = NULL;
    struct digest digest;
    g_autoptr(GPtrArray) names = g_ptr_array_new(), gone = g_ptr_array_new();
    g_ptr_array_add(names, (char *)(uintptr_t) "a.ndjson");
    g_ptr_array_add(names, (char *)(uintptr_t) "b.ndjson");
    kit_ok(skips_writer_new_chosen(&writer, world_real(), path, uid, &error));
    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++)
        kit_ok(skips_writer_add(writer, &entries[i], &error));
    g_ptr_array_add(gone, (char *)(uintptr_t) "rosa");
    skips_writer_gone(writer, gone);
    kit_ok(skips_writer_finish_durable(writer, names, &digest, &error));
}

/* For a repair. */
static void write_seen(const char *path)
{
    GError *error = NULL;
    const struct seen seen[] = {
        {.key = slice_of_text("rosa"), .present = true, .stored = digest_bytes(slice_of_text("what stood"), 0)},
        {.key = slice_of("\0\xff", 2)},
        {.key = slice_of_text("zürich"), .present = true, .stored = digest_bytes(slice_of_text("other"), 0)},
    };
    auto_(seen_list) list = seen_list_new(seen, G_N_ELEMENTS(seen));
    kit_ok(seen_list_write_durable(list, world_real(), path, uid, &error));
}

static bool keep_line(void *self, const char *text, GError **error)
{
    g_string_append(self, text);
    g_string_append_c(self, '\n');
    return true;
}

static char *dump_of(const char *path)
{
    GError *error = NULL;
    GString *text = g_string_new(NULL);
    kit_ok(listing_dump(world_real(), path, &(struct document_lines){keep_line, text}, &error));
    return g_string_free(text, FALSE);
}

static void assert_golden(const char *version, const char *name, void (*write)(const char *path))
{
    const char *into = g_getenv("SLUICE_GOLDEN_WRITE");
    g_autofree char *dir = g_build_filename(g_getenv("SLUICE_SOURCE"), "tests", "golden", "listing", version, NULL);
    g_autofree char *path = g_build_filename(into ? into : dir, name, NULL);
    g_autofree char *dump_path = g_strconcat(path, ".ndjson", NULL);
    if (into) {
        write(path);
        g_autofree char *dump = dump_of(path);
        assert_true(g_file_set_contents(dump_path, dump, -1, NULL));
    }
    g_autofree char *expected = NULL, *found = dump_of(path);
    assert_true(g_file_get_contents(dump_path, &expected, NULL, NULL));
    assert_string_equal(found, expected);
}

static void listings_of_version_1_read_as_they_always_did(void **state)
{
    assert_golden("v1", "keys.list", write_listing);
    assert_golden("v1", "ranked.list", write_ranked);
}

static void skip_lists_of_version_1_read_as_they_always_did(void **state)
{
    assert_golden("v1", "states.skip", write_skips);
}

static void lists_of_who_takes_part_read_as_they_always_did(void **state)
{
    assert_golden("v2", "chosen.skip", write_chosen);
}

static void what_a_verification_saw_reads_as_it_always_did(void **state)
{
    GError *error = NULL;
    struct digest stored;
    auto_(seen_list) list = NULL;
    const char *into = g_getenv("SLUICE_GOLDEN_WRITE");
    g_autofree char *dir = g_build_filename(g_getenv("SLUICE_SOURCE"), "tests", "golden", "listing", "v1", NULL);
    g_autofree char *path = g_build_filename(into ? into : dir, "repair.seen", NULL);
    if (into)
        write_seen(path);
    kit_ok(seen_list_open(&list, world_real(), path, uid, &error));
    assert_int_equal(seen_list_count(list), 3);
    assert_int_equal(seen_list_find(list, slice_of_text("rosa"), &stored), SEEN_PRESENT);
    assert_true(digest_equal(stored, digest_bytes(slice_of_text("what stood"), 0)));
    assert_int_equal(seen_list_find(list, slice_of("\0\xff", 2), &stored), SEEN_ABSENT);
    assert_int_equal(seen_list_find(list, slice_of_text("zürich"), &stored), SEEN_PRESENT);
    assert_int_equal(seen_list_find(list, slice_of_text("nobody"), &stored), SEEN_NEVER);
    g_autofree char *again = g_build_filename(*state, "again.seen", NULL), *then = NULL, *now = NULL;
    gsize then_len, now_len;
    write_seen(again);
    assert_true(g_file_get_contents(path, &then, &then_len, NULL));
    assert_true(g_file_get_contents(again, &now, &now_len, NULL));
    assert_int_equal(now_len, then_len);
    assert_memory_equal(now, then, then_len);
}

static void the_writer_still_writes_what_it_wrote(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "keys.list", NULL);
    g_autofree char *golden =
        g_build_filename(g_getenv("SLUICE_SOURCE"), "tests", "golden", "listing", "v1", "keys.list.ndjson", NULL);
    g_autofree char *expected = NULL;
    write_listing(path);
    g_autofree char *found = dump_of(path);
    assert_true(g_file_get_contents(golden, &expected, NULL, &error));
    assert_string_equal(found, expected); /* the digest too */
}

static void a_file_that_is_neither_is_refused(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "other", NULL);
    assert_true(g_file_set_contents(path, "neither", -1, NULL));
    kit_refused(listing_dump(world_real(), path, &(struct document_lines){keep_line, NULL}, &error), CORRUPT, "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listings_of_version_1_read_as_they_always_did),
        cmocka_unit_test(skip_lists_of_version_1_read_as_they_always_did),
        cmocka_unit_test(lists_of_who_takes_part_read_as_they_always_did),
        cmocka_unit_test_setup_teardown(what_a_verification_saw_reads_as_it_always_did, kit_dir_setup,
                                        kit_dir_teardown),
        cmocka_unit_test_setup_teardown(the_writer_still_writes_what_it_wrote, kit_dir_setup, kit_dir_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_neither_is_refused, kit_dir_setup, kit_dir_teardown),
    };
    return cmocka_run_group_tests_name("listing/golden", tests, NULL, NULL);
}
