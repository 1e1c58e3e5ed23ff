#include "listing/unique.h"

#include "kit/fake_world.h"
#include "kit/kit.h"
#include "listing/skips.h"

struct lists {
    void *dir;
    char *path;
    struct fake_world fake;
    GPtrArray *names;
};

static const uint8_t uid[16] = {1, 2, 3};
static const char *const fields[] = {"mail", "number"};

static int setup(void **state)
{
    struct lists *lists = g_new0(struct lists, 1);
    if (kit_dir_setup(&lists->dir) != 0)
        return -1;
    fake_world_init(&lists->fake);
    lists->path = g_build_filename(lists->dir, "listing", "a.skip", NULL);
    lists->names = g_ptr_array_new();
    for (int i = 0; i < 4; i++)
        g_ptr_array_add(lists->names, (char *)(uintptr_t)(i < 2 ? "a.ndjson" : "b.ndjson"));
    *state = lists;
    return 0;
}

static int teardown(void **state)
{
    struct lists *lists = *state;
    assert_int_equal(lists->fake.opened, lists->fake.closed);
    g_ptr_array_unref(lists->names);
    g_free(lists->path);
    int result = kit_dir_teardown(&lists->dir);
    g_free(lists);
    return result;
}

static struct unique *begin(struct lists *lists)
{
    GError *error = NULL;
    struct unique *unique = NULL;
    struct unique_wish wish = {
        .world = &lists->fake.world, .path = lists->path, .fields = fields, .n_fields = G_N_ELEMENTS(fields)};
    memcpy(wish.run_uid, uid, sizeof uid);
    kit_ok(unique_new(&unique, &wish, &error));
    return unique;
}

/* Number `at` of a partition, of that version (0: none). */
static void add(struct unique *unique, const char *value, const char *key, int64_t version, uint32_t part, uint64_t at)
{
    GError *error = NULL;
    struct unique_value one = {.field = value[0] == '#',
                               .value = digest_bytes(slice_of_text(value), 0),
                               .key = slice_of_text(key),
                               .version = {version ? VERSION_INTEGER : VERSION_NONE, version},
                               .part = part,
                               .offset = at,
                               .line = at + 1};
    kit_ok(unique_add(unique, &one, &error));
}

static bool end(struct lists *lists, struct unique *unique)
{
    GError *error = NULL;
    bool listed = false;
    kit_ok(unique_finish_durable(unique, lists->names, &listed, &error));
    unique_free(unique);
    return listed;
}

/* What the list says of a place: NULL, or the text. */
static char *said(struct lists *lists, uint32_t part, uint64_t at)
{
    GError *error = NULL;
    auto_(skiplist) list = NULL;
    struct skip skip;
    kit_ok(skiplist_open(&list, &lists->fake.world, lists->path, uid, &error));
    kit_ok(skiplist_find(list, part, at, &skip, &error));
    assert_true(skip.reason == SKIP_NOTHING || skip.reason == SKIP_UNIQUE);
    return skip.reason == SKIP_UNIQUE ? g_strdup(skip.text) : NULL;
}

static void assert_said(struct lists *lists, uint32_t part, uint64_t at, const char *words)
{
    g_autofree char *text = said(lists, part, at);
    if (!words != !text || (words && !strstr(text, words)))
        fail_msg("%u:%u says '%s', not '%s'", part, (unsigned)at, text ? text : "nothing", words ? words : "nothing");
}

static void the_highest_version_is_taken_then_the_smallest_key(void **state)
{
    struct lists *lists = *state;
    struct unique *unique = begin(lists);
    add(unique, "one", "a", -5, 0, 10);
    add(unique, "one", "b", 7, 3, 20);
    add(unique, "one", "c", 0, 0, 30);
    add(unique, "two", "zz", 1, 1, 0);
    add(unique, "two", "zy", 1, 2, 0);
    add(unique, "three", "x", 1, 2, 50);
    assert_true(end(lists, unique));
    assert_said(lists, 0, 10, "mail: the record 'b' at b.ndjson:21 has the same value");
    assert_said(lists, 0, 30, "'b' at b.ndjson:21");
    assert_said(lists, 3, 20, NULL);
    assert_said(lists, 1, 0, "'zy' at b.ndjson:1");
    assert_said(lists, 2, 0, NULL);
    assert_said(lists, 2, 50, NULL);
}

static void fields_are_decided_each_by_itself_and_a_record_is_listed_once(void **state)
{
    struct lists *lists = *state;
    struct unique *unique = begin(lists);
    add(unique, "one", "a", 0, 0, 0);
    add(unique, "one", "b", 0, 0, 1);
    add(unique, "#1", "a", 0, 0, 0);
    add(unique, "#1", "b", 0, 0, 1);
    add(unique, "#1", "c", 0, 0, 2);
    assert_true(end(lists, unique));
    auto_(skiplist) list = NULL;
    GError *error = NULL;
    kit_ok(skiplist_open(&list, &lists->fake.world, lists->path, uid, &error));
    assert_int_equal(skiplist_count(list), 2);
    assert_said(lists, 0, 1, "mail: the record 'a'");
    assert_said(lists, 0, 2, "number: the record 'a'");
}

static void states_of_one_key_do_not_exclude_each_other_but_documents_of_one_record_do(void **state)
{
    struct lists *lists = *state;
    struct unique *unique = begin(lists);
    add(unique, "one", "a", 0, 0, 0);
    add(unique, "one", "a", 0, 1, 0);
    assert_false(end(lists, unique));
    unique = begin(lists);
    add(unique, "one", "a", 0, 0, 0);
    add(unique, "one", "a", 0, 0, 0);
    assert_true(end(lists, unique));
    assert_said(lists, 0, 0, "'a'");
}

static void keys_are_told_apart_beyond_what_is_kept_of_them(void **state)
{
    struct lists *lists = *state;
    struct unique *unique = begin(lists);
    g_autofree char *same = g_strnfill(UNIQUE_KEY_BYTES, 'k');
    g_autofree char *one = g_strconcat(same, "1", NULL), *other = g_strconcat(same, "2", NULL);
    add(unique, "one", one, 0, 0, 0);
    add(unique, "one", other, 0, 0, 1);
    assert_true(end(lists, unique));
    g_autofree char *first = said(lists, 0, 0), *second = said(lists, 0, 1);
    assert_true(!first != !second);
}

/* A list of the duplicates pass with every third record of partition 1. */
static void write_skips(struct lists *lists, uint64_t n)
{
    GError *error = NULL;
    auto_(skips_writer) writer = NULL;
    struct digest digest;
    kit_ok(skips_writer_new(&writer, &lists->fake.world, lists->path, uid, &error));
    for (uint64_t i = 0; i < n; i += 3)
        kit_ok(skips_writer_add(writer, &(struct skip_entry){.part = 1, .offset = i, .reason = SKIP_EQUAL, .line = 1},
                                &error));
    kit_ok(skips_writer_finish_durable(writer, lists->names, &digest, &error));
}

static void what_the_duplicates_pass_found_stays_in_the_list(void **state)
{
    enum { RECORDS = 300000 }; /* more than fit into memory at once */
    struct lists *lists = *state;
    GError *error = NULL;
    g_autofree char *dir = g_path_get_dirname(lists->path);
    kit_ok(file_make_dirs(&lists->fake.world, dir, &error));
    write_skips(lists, RECORDS);
    struct unique *unique = begin(lists);
    for (uint32_t i = 0; i < RECORDS; i++) {
        char value[16], key[16];
        g_snprintf(value, sizeof value, "v%u", i / 2);
        g_snprintf(key, sizeof key, "k%08u", i);
        add(unique, value, key, 0, i % 4, i);
    }
    assert_true(end(lists, unique));
    auto_(skiplist) list = NULL;
    kit_ok(skiplist_open(&list, &lists->fake.world, lists->path, uid, &error));
    /* Of two records with one value the second loses: those with an odd number, in partitions 1 and 3. */
    for (uint32_t part = 0; part < 4; part++)
        for (uint64_t i = 0; i < RECORDS; i++) {
            struct skip skip;
            bool loses = i % 4 == part && i % 2 == 1, before = part == 1 && i % 3 == 0;
            kit_ok(skiplist_find(list, part, i, &skip, &error));
            if (loses && before)
                assert_true(skip.reason == SKIP_UNIQUE || skip.reason == SKIP_EQUAL);
            else
                assert_int_equal(skip.reason, loses ? SKIP_UNIQUE : before ? SKIP_EQUAL : SKIP_NOTHING);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_highest_version_is_taken_then_the_smallest_key, setup, teardown),
        cmocka_unit_test_setup_teardown(fields_are_decided_each_by_itself_and_a_record_is_listed_once, setup, teardown),
        cmocka_unit_test_setup_teardown(states_of_one_key_do_not_exclude_each_other_but_documents_of_one_record_do,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_told_apart_beyond_what_is_kept_of_them, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_duplicates_pass_found_stays_in_the_list, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
