#include "kit/kit.h"
#include "store/valkey/history.h"

#define NONE "0000000000000000"
#define M    "0000010000000007 0000010000000009;" /* the line's moments */
#define ALL  " 0-16383 1"
#define LOW  " 0-999 1"
#define HIGH " 1000-16383 1"

#define EVERYWHERE "0000010000000007 0-16383"
#define NOWHERE    NULL

/* Servers then and now; of the servers now, one word a server: what its witnesses say of partition 3, `-` nothing. The
 * checkpoint is that of lane 2, numbers up to 500. */
static const struct {
    const char *was, *now, *witnesses, *where;
} ROWS[] = {
    {M "- run1 repl1 100 " NONE " -1" ALL, M "- run1 repl1 900 " NONE " -1" ALL, "-", NOWHERE},
    /* a first replica: another id, the same process, which never followed anyone */
    {M "- run1 repl1 0 " NONE " -1" ALL, M "- run1 repl2 10 " NONE " -1" ALL, "-", NOWHERE},
    /* it followed another one meanwhile */
    {M "- run1 repl1 100 " NONE " -1" ALL, M "- run1 repl2 10 repl9 50" ALL, "1:900", EVERYWHERE},
    /* a replica that had all of it, or all but the last byte */
    {M "- run1 repl1 100 " NONE " -1" ALL, M "- run2 repl2 120 repl1 101" ALL, "-", NOWHERE},
    {M "- run1 repl1 100 " NONE " -1" ALL, M "- run2 repl2 120 repl1 100" ALL, "1:900", EVERYWHERE},
    /* started anew: with the witness, with a later one, without, with an older one, with one of another lane */
    {M "- run1 repl1 100 " NONE " -1" ALL, M "- run2 repl2 0 " NONE " -1" ALL, "2:500", NOWHERE},
    {M "- run1 repl1 100 " NONE " -1" ALL, M "- run2 repl2 0 " NONE " -1" ALL, "1:90 2:700 12:3", NOWHERE},
    {M "- run1 repl1 100 " NONE " -1" ALL, M "- run2 repl2 0 " NONE " -1" ALL, "1:900 2:499 3:900", EVERYWHERE},
    {M "- run1 repl1 100 " NONE " -1" ALL, M "- run2 repl2 0 " NONE " -1" ALL, "1:900 12:900", EVERYWHERE},
    /* nothing of the run is there: neither is its fence */
    {M "- run1 repl1 100 " NONE " -1" ALL, M "- run2 repl2 0 " NONE " -1" ALL, "-", "0000000000000000 0-16383"},
    /* a service that hides who it is has its witness */
    {M "- - - 0 - 0" ALL, M "- - - 0 - 0" ALL, "2:500", NOWHERE},
    {M "- - - 0 - 0" ALL, M "- - - 0 - 0" ALL, "2:499", EVERYWHERE},
    /* of several servers only what one of them had is in question */
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1" HIGH,
     M "b run2 repl2 2 " NONE " -1" HIGH ";a run1 repl1 2 " NONE " -1" LOW, "- -", NOWHERE},
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1" HIGH,
     M "a run1 repl1 2 " NONE " -1" LOW ";b run9 repl9 2 " NONE " -1" HIGH, "- 2:499", "0000010000000007 1000-16383"},
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1" HIGH,
     M "a run1 repl1 2 " NONE " -1" LOW ";b run9 repl9 2 " NONE " -1" HIGH, "- 2:500", NOWHERE},
    /* another node with just its slots took its place, after several failovers nobody saw */
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1" HIGH,
     M "a run1 repl1 2 " NONE " -1" LOW ";c run9 repl9 2 repl8 2" HIGH, "- 2:500", NOWHERE},
    /* slots that moved between servers that are what they were, or to a new one */
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1" HIGH,
     M "a run1 repl1 2 " NONE " -1 0-1199 1;b run2 repl2 2 " NONE " -1 1200-16383 1", "- -", NOWHERE},
    {M "a run1 repl1 1 " NONE " -1" ALL,
     M "a run1 repl1 2 " NONE " -1 1200-16383 1;n run7 repl7 2 " NONE " -1 0-1199 1", "- -", NOWHERE},
    /* to one that was started anew since: the witness there says nothing of what came later */
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1" HIGH,
     M "a run9 repl9 2 " NONE " -1 0-1199 1;b run2 repl2 2 " NONE " -1 1200-16383 1", "2:500 2:500",
     "0000010000000007 1000-1199"},
    /* away from one that was: nobody knows when */
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1" HIGH,
     M "a run9 repl9 2 " NONE " -1 0-799 1;b run2 repl2 2 " NONE " -1 800-16383 1", "1:1 -", "0000000000000000 0-999"},
    /* of a server on which nothing was written it is no matter */
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1 1000-16383 0",
     M "a run1 repl1 2 " NONE " -1" LOW ";b run9 repl9 2 " NONE " -1" HIGH, "- -", NOWHERE},
    /* one that was not asked, but is what it was, got slots; and one that may have gone on without them */
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 9223372036854775807 " NONE " -1 1000-16383 0",
     M "a run1 repl1 2 " NONE " -1 0-799 1;b run2 repl2 2 " NONE " -1 800-16383 1", "- -", NOWHERE},
    {M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 9223372036854775807 " NONE " -1 1000-16383 0",
     M "a run1 repl1 2 " NONE " -1 0-799 1;b run3 repl3 120 repl2 101 800-16383 1", "- 1:1",
     "0000010000000007 800-999"},
    /* not of ours */
    {"a text of something else", M "- run1 repl1 1 " NONE " -1" ALL, "-", NOWHERE},
};

static struct history *now_of(const char *line, const char *witnesses)
{
    struct history *now;
    g_auto(GStrv) words = g_strsplit(witnesses, " ", 0);
    assert_true(history_read(slice_of_text(line), &now));
    if (now->servers->len == 1)
        history_witness(now->servers->pdata[0], slice_of_text("w3"),
                        slice_of_text(strcmp(witnesses, "-") == 0 ? "" : witnesses));
    for (unsigned i = 0; now->servers->len > 1 && i < now->servers->len; i++)
        if (strcmp(words[i], "-") != 0)
            history_witness(now->servers->pdata[i], slice_of_text("w3"), slice_of_text(words[i]));
    if (strcmp(witnesses, "-") == 0)
        g_hash_table_remove_all(((struct history_server *)now->servers->pdata[0])->witnesses);
    return now;
}

static void what_a_witness_stands_behind_is_there_and_what_nobody_shows_may_be_lost(void **state)
{
    const struct witness witness = {.fence.part = 3, .lane = 2, .number = 500};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        auto_(arena) mem = arena_new(1 << 16);
        auto_(history) now = now_of(ROWS[i].now, ROWS[i].witnesses);
        const char *where;
        for (int twice = 0; twice < 2; twice++)
            assert_true(history_holds(now, slice_of_text(ROWS[i].was), &witness, mem, &where));
        if (g_strcmp0(where, ROWS[i].where) != 0)
            fail_msg("%s, then %s: %s", ROWS[i].was, ROWS[i].now, where ? where : "all there");
    }
}

/* Slots that a server got, and then a later checkpoint that it shows: it had them by then. */
static void what_a_later_checkpoint_shows_counts_for_the_earlier_ones(void **state)
{
    const struct witness first = {.fence.part = 3, .lane = 2, .number = 500};
    const struct witness later = {.fence.part = 3, .lane = 2, .number = 900};
    struct slice before = slice_of_text(M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1" HIGH);
    struct slice behind =
        slice_of_text(M "a run1 repl1 1 " NONE " -1 0-1199 1;b run2 repl2 1 " NONE " -1 1200-16383 1");
    auto_(arena) mem = arena_new(1 << 16);
    auto_(history) now = NULL;
    const char *where;
    assert_true(history_read(
        slice_of_text(M "a run9 repl9 2 " NONE " -1 0-1199 1;b run2 repl2 2 " NONE " -1 1200-16383 1"), &now));
    history_witness(now->servers->pdata[0], slice_of_text("w3"), slice_of_text("2:900"));
    assert_true(history_holds(now, before, &first, mem, &where));
    assert_non_null(where);
    assert_true(history_holds(now, behind, &later, mem, &where));
    assert_null(where);
    assert_true(history_holds(now, before, &first, mem, &where));
    assert_null(where);
}

/* Slots that a node got which nobody knew: what it lost of them is told by a later checkpoint that does know it. */
static void what_a_new_server_lost_of_its_slots_is_told_by_a_later_checkpoint(void **state)
{
    const struct witness first = {.fence.part = 3, .lane = 2, .number = 500};
    const struct witness later = {.fence.part = 3, .lane = 2, .number = 900};
    struct slice before = slice_of_text(M "a run1 repl1 1 " NONE " -1" ALL);
    struct slice behind =
        slice_of_text(M "a run1 repl1 1 " NONE " -1 1200-16383 1;n run7 repl7 1 " NONE " -1 0-1199 1");
    auto_(arena) mem = arena_new(1 << 16);
    auto_(history) now = NULL;
    const char *where;
    assert_true(history_read(
        slice_of_text(M "a run1 repl1 2 " NONE " -1 1200-16383 1;n run9 repl9 2 " NONE " -1 0-1199 1"), &now));
    assert_true(history_holds(now, before, &first, mem, &where));
    assert_true(history_holds(now, behind, &later, mem, &where));
    assert_string_equal(where, "0000000000000000 0-1199");
    assert_true(history_holds(now, before, &first, mem, &where));
    assert_string_equal(where, "0000000000000000 0-1199");
    history_witness(now->servers->pdata[1], slice_of_text("w3"), slice_of_text("2:900"));
    assert_true(history_holds(now, behind, &later, mem, &where));
    assert_null(where);
    assert_true(history_holds(now, before, &first, mem, &where));
    assert_null(where);
}

static void servers_are_the_same_whatever_slots_they_got(void **state)
{
    auto_(history) was = NULL;
    auto_(history) moved = NULL;
    auto_(history) anew = NULL;
    assert_true(history_read(slice_of_text(M "a run1 repl1 1 " NONE " -1" ALL), &was));
    assert_true(
        history_read(slice_of_text(M "a run1 repl1 9 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1" HIGH), &moved));
    assert_true(history_read(slice_of_text(M "a run2 repl2 9 " NONE " -1" ALL), &anew));
    assert_true(history_same(was, moved));
    assert_false(history_same(was, anew));
}

/* Two, of which one was asked. */
static void what_was_not_asked_is_what_it_was(void **state)
{
    static int32_t owner[SLOTS];
    const struct node_state same = {.run_id = "run1", .replid = "repl1", .offset = 9, .second = -1};
    const struct node_state other = {.run_id = "run9", .replid = "repl9", .offset = 9, .second = -1};
    auto_(history) was = NULL;
    auto_(history) last = NULL;
    auto_(history) others = NULL; /* another session has asked b since */
    g_autoptr(GString) text = g_string_new(NULL);
    assert_true(history_read(
        slice_of_text(M "a run1 repl1 1 " NONE " -1" LOW ";b run2 repl2 1 " NONE " -1 1000-16383 0"), &was));
    assert_true(history_read(
        slice_of_text(M "a run7 repl7 1 " NONE " -1" LOW ";b run8 repl8 5 " NONE " -1 1000-16383 0"), &last));
    assert_true(history_read(
        slice_of_text(M "a run1 repl1 1 " NONE " -1" LOW ";b run8 repl8 5 " NONE " -1 1000-16383 0"), &others));
    for (unsigned i = 0; i < SLOTS; i++)
        owner[i] = i >= 1000;
    auto_(history) now = history_new();
    struct history_server *asked = history_add(now, "a", owner, 0), *carried = history_add(now, "b", owner, 1);
    history_asked(asked, &same);
    history_carried(carried, was);
    assert_string_equal(carried->run_id, "run2");
    assert_true(carried->offset == INT64_MAX);
    assert_true(history_same(was, now));
    assert_true(history_same(others, now)); /* of what was asked, and of nothing else */
    assert_false(history_same(last, now));
    history_asked(asked, &other);
    assert_false(history_same(was, now));
    history_remember(now, last);
    history_put(now, text);
    assert_string_equal(text->str, "0000000000000000 0000000000000000;a run9 repl9 9 - -1 0-999 0;b run8 repl8 5 " NONE
                                   " -1 1000-16383 0");
}

static void places_are_told_with_the_earliest_moment(void **state)
{
    g_autofree struct history_where *where = g_new(struct history_where, 1);
    history_where(slice_of_text("0000000000000009 0-5,8-9;0000000000000003 5-6;nonsense;0000000000000001 9-70000"),
                  where);
    assert_true(where->there[0] && where->there[5] && where->there[6] && !where->there[7] && where->there[9]);
    assert_int_equal(where->since[0], 9);
    assert_int_equal(where->since[5], 3);
    assert_int_equal(where->since[9], 9);
}

static void a_line_is_read_as_it_was_written(void **state)
{
    static int32_t owner[SLOTS];
    struct node_state node = {.run_id = "0123456789abcdef0123456789abcdef01234567", .offset = 77, .second = -1};
    auto_(history) history = history_new();
    auto_(history) again = NULL;
    g_autoptr(GString) text = g_string_new(NULL), back = g_string_new(NULL);
    for (unsigned i = 0; i < SLOTS; i++)
        owner[i] = i % 8192 < 100 ? 1 : 0;
    history->since = 5;
    history->next = UINT64_C(3) << 40;
    history_asked(history_add(history, "node1", owner, 1), &node);
    history_put(history, text);
    assert_string_equal(text->str,
                        "0000000000000005 0000030000000000;node1 0123456789abcdef - 77 - -1 0-99,8192-8291 0");
    assert_true(history_read(slice_of_text(text->str), &again));
    history_put(again, back);
    assert_string_equal(back->str, text->str);
    assert_false(history_read(slice_of_text("0000000000000005;x"), &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_witness_stands_behind_is_there_and_what_nobody_shows_may_be_lost),
        cmocka_unit_test(what_a_later_checkpoint_shows_counts_for_the_earlier_ones),
        cmocka_unit_test(what_a_new_server_lost_of_its_slots_is_told_by_a_later_checkpoint),
        cmocka_unit_test(servers_are_the_same_whatever_slots_they_got),
        cmocka_unit_test(what_was_not_asked_is_what_it_was),
        cmocka_unit_test(places_are_told_with_the_earliest_moment),
        cmocka_unit_test(a_line_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
