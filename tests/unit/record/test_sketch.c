/* Sketches: what two sets do not share comes out, all of it or none is claimed, and never anything else. */
#include "kit/kit.h"
#include "record/sketch.h"

#define SEED UINT64_C(0x5eed)

/* Entries by number: any two are as different as digests are. */
static struct digest digest_of(uint64_t number)
{
    return digest_bytes(slice_of(&number, sizeof number), 7);
}

static void add(struct sketch *sketch, uint64_t number)
{
    sketch_add(sketch, digest_of(number).low, digest_of(number + (UINT64_C(1) << 40)));
}

/* Every case is of both layouts. */
static enum sketch_layout layout;

static struct sketch *sketch_of(uint32_t cells, uint64_t from, uint64_t to)
{
    struct sketch *sketch = sketch_new(cells, SEED, layout);
    for (uint64_t i = from; i < to; i++)
        add(sketch, i);
    return sketch;
}

static gint by_key(gconstpointer a, gconstpointer b)
{
    const struct sketch_entry *one = a, *other = b;
    return one->key < other->key ? -1 : one->key > other->key;
}

/* Just the numbers from … to of that side, whatever else was found. */
static void holds(GArray *found, uint64_t from, uint64_t to, bool second)
{
    uint64_t n = 0;
    g_array_sort(found, by_key);
    for (uint64_t i = from; i < to; i++) {
        struct sketch_entry wanted = {.key = digest_of(i).low}, *got;
        guint at;
        assert_true(g_array_binary_search(found, &wanted, by_key, &at));
        got = &g_array_index(found, struct sketch_entry, at);
        assert_true(digest_equal(got->value, digest_of(i + (UINT64_C(1) << 40))));
        assert_int_equal(got->second, second);
    }
    for (guint i = 0; i < found->len; i++)
        n += g_array_index(found, struct sketch_entry, i).second == second;
    assert_int_equal(n, to - from);
}

static void what_one_side_alone_has_is_found(void **state)
{
    auto_(sketch) mine = sketch_of(256, 0, 20000);
    auto_(sketch) theirs = sketch_of(256, 50, 20030);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    sketch_subtract(mine, theirs);
    assert_true(sketch_peel(mine, found));
    holds(found, 0, 50, false);
    holds(found, 20000, 20030, true);
}

static void equal_sets_leave_nothing(void **state)
{
    auto_(sketch) mine = sketch_of(64, 0, 5000);
    auto_(sketch) theirs = sketch_new(64, SEED, layout);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    for (uint64_t i = 5000; i-- > 0;) /* in any order */
        add(theirs, i);
    sketch_subtract(mine, theirs);
    assert_true(sketch_peel(mine, found));
    assert_int_equal(found->len, 0);
}

/* Stage by stage, thread by thread. */
static void parts_of_a_set_make_up_the_whole(void **state)
{
    auto_(sketch) one = sketch_of(512, 0, 4000);
    auto_(sketch) other = sketch_of(512, 4000, 9000);
    auto_(sketch) all = sketch_of(512, 10, 9000);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    sketch_merge(one, other);
    sketch_subtract(one, all);
    assert_true(sketch_peel(one, found));
    holds(found, 0, 10, false);
}

/* Of 100 draws each. Rateless: 1.35 (as the paper has it) to 1.7 cells an entry, the fewer entries the more. */
static void so_many_cells_are_enough(void **state)
{
    static const struct {
        uint32_t cells;
        uint64_t entries;
        unsigned least; /* of a hundred */
    } ROWS[] = {{4096, 2750, 97}, {4096, 2000, 100}, {1024, 640, 97}, {64, 20, 90}};
    for (size_t row = 0; row < G_N_ELEMENTS(ROWS); row++) {
        unsigned peeled = 0;
        for (uint64_t i = 0; i < 100; i++) {
            auto_(sketch) sketch = sketch_of(ROWS[row].cells, i << 20, (i << 20) + ROWS[row].entries);
            g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
            peeled += sketch_peel(sketch, found);
        }
        assert_in_range(peeled, ROWS[row].least, 100);
    }
}

/* More than could be found: it says so, and what it gives is true all the same. */
static void too_many_are_not_called_all(void **state)
{
    static const uint64_t TOO_MANY[] = {400, 1000, 100000};
    for (size_t i = 0; i < G_N_ELEMENTS(TOO_MANY); i++) {
        auto_(sketch) sketch = sketch_of(256, 0, TOO_MANY[i]);
        g_autoptr(GHashTable) keys = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
        assert_false(sketch_peel(sketch, found));
        for (uint64_t k = 0; k < TOO_MANY[i]; k++) {
            uint64_t key = digest_of(k).low;
            g_hash_table_add(keys, g_memdup2(&key, sizeof key));
        }
        for (guint k = 0; k < found->len; k++)
            assert_true(g_hash_table_contains(keys, &g_array_index(found, struct sketch_entry, k).key));
    }
}

/* A changed record is two entries of one key. */
static void a_changed_record_is_found_on_both_sides(void **state)
{
    auto_(sketch) mine = sketch_of(64, 0, 1000);
    auto_(sketch) theirs = sketch_of(64, 1, 1000);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    sketch_add(theirs, digest_of(0).low, digest_of(77));
    sketch_subtract(mine, theirs);
    assert_true(sketch_peel(mine, found));
    assert_int_equal(found->len, 2);
    for (guint i = 0; i < 2; i++)
        assert_int_equal(g_array_index(found, struct sketch_entry, i).key, digest_of(0).low);
}

/* Any bit: what was written never becomes an entry that nobody put in. */
static void damage_gives_no_wrong_entry(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    auto_(sketch) sketch = sketch_of(32, 0, 6);
    sketch_put(sketch, bytes);
    for (size_t bit = 0; bit < (size_t)bytes->len * 8; bit++) {
        g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        auto_(sketch) damaged = sketch_get(slice_of(bytes->data, bytes->len), SEED, layout);
        assert_false(sketch_peel(damaged, found));
        for (guint i = 0; i < found->len; i++) {
            const struct sketch_entry *entry = &g_array_index(found, struct sketch_entry, i);
            bool known = false;
            for (uint64_t k = 0; k < 6; k++)
                known |= entry->key == digest_of(k).low;
            assert_true(known);
        }
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void what_is_put_is_got(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    auto_(sketch) mine = sketch_of(100, 0, 30);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    sketch_put(mine, bytes);
    assert_int_equal(bytes->len, 100 * SKETCH_CELL_BYTES);
    auto_(sketch) got = sketch_get(slice_of(bytes->data, bytes->len), SEED, layout);
    assert_true(sketch_peel(got, found));
    holds(found, 0, 30, false);
    assert_null(sketch_get(slice_of(bytes->data, bytes->len - 1), SEED, layout));
    assert_null(sketch_get(SLICE_EMPTY, SEED, layout));
}

/* However many at a time. */
static void all_at_once_are_as_one_after_the_other(void **state)
{
    enum { ENTRIES = 100 };
    struct sketch_entry entries[ENTRIES];
    for (uint64_t i = 0; i < ENTRIES; i++)
        entries[i] = (struct sketch_entry){digest_of(i).low, digest_of(i + (UINT64_C(1) << 40)), false};
    for (size_t n = 0; n <= ENTRIES; n++) {
        auto_(sketch) one_by_one = sketch_of(256, 0, n);
        auto_(sketch) at_once = sketch_new(256, SEED, layout);
        sketch_add_all(at_once, entries, n);
        assert_memory_equal(at_once->cells, one_by_one->cells, 256 * sizeof *at_once->cells);
    }
}

static int take_layout(void **state)
{
    layout = *(const enum sketch_layout *)*state;
    return 0;
}

int main(void)
{
    static enum sketch_layout tables = SKETCH_TABLES, rateless = SKETCH_RATELESS;
#define BOTH(test)                                                                                                     \
    {#test ", tables", test, take_layout, NULL, &tables},                                                              \
    {                                                                                                                  \
#test ", rateless", test, take_layout, NULL, &rateless                                                         \
    }
    const struct CMUnitTest tests[] = {
        BOTH(what_one_side_alone_has_is_found),
        BOTH(equal_sets_leave_nothing),
        BOTH(parts_of_a_set_make_up_the_whole),
        BOTH(so_many_cells_are_enough),
        BOTH(too_many_are_not_called_all),
        BOTH(a_changed_record_is_found_on_both_sides),
        BOTH(damage_gives_no_wrong_entry),
        BOTH(what_is_put_is_got),
        BOTH(all_at_once_are_as_one_after_the_other),
    };
#undef BOTH
    return cmocka_run_group_tests(tests, NULL, NULL);
}
