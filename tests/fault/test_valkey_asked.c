/* Which servers of a cluster are asked who they are before what was written counts, and what is made of those that are
 * not: a slow one slows those alone who have something there. */
#include <signal.h>

#include "base/thread.h"
#include "holder.h"

enum { HOME = 6000 }; /* the partition, and the slot of its record, which is the second server's */
enum word { NODE, RUN_ID, REPLID, OFFSET, REPLID2, SECOND, HAS, COVERED };
static const char *const SLOTS_OF[HOLDER_SERVERS] = {"0-5460", "5461-10921", "10922-16383"};
#define NO_OFFSET "9223372036854775807"

/* Before anything is written, or behind it. */
static bool note_near(struct box *box, struct holder *holder, uint64_t number, struct slice near, GError **error)
{
    struct call call = holder_call(box);
    return holder_note(box, holder, number, near, error) &&
           (number == 0 || store_settle(holder->session, &call, error));
}

static bool note(struct box *box, struct holder *holder, uint64_t number, GError **error)
{
    return note_near(box, holder, number, SLICE_EMPTY, error);
}

static void write_on(struct box *box, struct holder *holder, unsigned server)
{
    assert_int_equal(holder_write_on(box, holder, server), CAS_WRITTEN);
}

static struct holder enter(struct box *box, const struct world *world)
{
    holder_begin(box, HOME);
    return holder_enter(box, world, 0);
}

/* With a batch through: taking the run over has written on all of them. */
static struct holder begin_in(struct box *box, const struct world *world)
{
    GError *error = NULL;
    struct holder holder = enter(box, world);
    kit_ok(holder_open_lane(box, &holder, 1, SLICE_EMPTY, &error));
    kit_ok(note(box, &holder, 0, &error));
    write_on(box, &holder, 1);
    kit_ok(note(box, &holder, holder.number, &error));
    return holder;
}

static struct holder begin(struct box *box)
{
    return begin_in(box, world_real());
}

static bool was_asked(const struct box *box, unsigned server)
{
    return holder_asked(box, server, "info") > 0;
}

/* What a line says of a server; `into`, if any, becomes the line with another word in its place. */
static char *word_of(const char *line, unsigned server, enum word word, const char *other, char **into)
{
    g_auto(GStrv) parts = g_strsplit(line, ";", 0);
    char *found = NULL;
    for (char **part = parts + 1; *part; part++) {
        g_auto(GStrv) words = g_strsplit(*part, " ", 0);
        if (strcmp(words[HAS], SLOTS_OF[server]) != 0)
            continue;
        found = g_strdup(words[word]);
        if (!other)
            continue;
        g_free(words[word]);
        words[word] = g_strdup(other);
        g_free(*part);
        *part = g_strjoinv(" ", words);
    }
    if (into)
        *into = g_strjoinv(";", parts);
    assert_non_null(found);
    return found;
}

static void change(struct holder *holder, unsigned server, enum word word, const char *other)
{
    char *changed;
    g_free(word_of(holder->line, server, word, other, &changed));
    g_free(holder->line);
    holder->line = changed;
}

static void assert_word(const struct holder *holder, unsigned server, enum word word, const char *wanted)
{
    g_autofree char *found = word_of(holder->line, server, word, NULL, NULL);
    assert_string_equal(found, wanted);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void who_has_written_on_one_server_asks_that_one_alone(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    struct holder one = begin(box), *at = &one;
    g_autofree char *run_id = word_of(at->line, 0, RUN_ID, NULL, NULL);
    for (int round = 0; round < 3; round++) {
        write_on(box, at, 1);
        holder_forget_asked(box);
        kit_ok(note(box, at, at->number, &error));
        assert_true(was_asked(box, 1));
        assert_false(was_asked(box, 0));
        assert_false(was_asked(box, 2));
        assert_word(at, 0, RUN_ID, run_id);
        assert_word(at, 0, OFFSET, NO_OFFSET);
        assert_word(at, 0, COVERED, "0");
        assert_word(at, 1, COVERED, "1");
    }
    holder_leave(at);
}

static void one_that_was_replaced_is_found_out_once_it_is_written_on(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    struct holder one = begin(box), *at = &one;
    change(at, 2, RUN_ID, "0123456789abcdef");
    write_on(box, at, 1);
    kit_ok(note(box, at, at->number, &error));
    assert_word(at, 2, RUN_ID, "0123456789abcdef");
    write_on(box, at, 2);
    kit_refused(note(box, at, at->number, &error), UNSETTLED, "replaced");
    holder_leave(at);
}

/* What is read of fences is of all of them. */
static void before_anything_is_written_all_are_asked(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    struct holder one = begin(box), *at = &one;
    change(at, 2, RUN_ID, "0123456789abcdef");
    kit_refused(note(box, at, 0, &error), UNSETTLED, "replaced");
    holder_leave(at);
}

/* Nothing of a partition was written before its first lane: of others it is enough what is known of them. */
static void before_a_first_lane_the_server_of_its_keys_alone_is_asked(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    struct holder one = begin(box), *at = &one;
    struct slice near = holder_key_on(box, 2);
    g_autofree char *run_id = word_of(at->line, 0, RUN_ID, NULL, NULL);
    g_clear_pointer(&at->line, g_free);
    for (int round = 0; round < 2; round++) { /* before the lane is opened, and behind it */
        holder_forget_asked(box);
        kit_ok(note_near(box, at, 0, near, &error));
        assert_true(was_asked(box, 2));
        assert_false(was_asked(box, 0) || was_asked(box, 1));
        assert_word(at, 0, RUN_ID, run_id);
        assert_word(at, 0, OFFSET, NO_OFFSET);
        assert_word(at, 0, COVERED, "0");
    }
    holder_leave(at);
}

static void one_that_was_replaced_before_a_first_lane_is_found_out_once_it_is_written_on(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    struct holder one = begin(box), *at = &one;
    struct slice near = holder_key_on(box, 1);
    g_clear_pointer(&at->line, g_free);
    kit_ok(note_near(box, at, 0, near, &error));
    change(at, 2, RUN_ID, "0123456789abcdef");
    write_on(box, at, 2);
    kit_refused(note(box, at, at->number, &error), UNSETTLED, "replaced");
    change(at, 2, RUN_ID, "0123456789abcdef");
    kit_refused(note_near(box, at, 0, holder_key_on(box, 2), &error), UNSETTLED, "replaced");
    holder_leave(at);
}

static void who_knows_of_none_asks_all(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    struct holder one = enter(box, world_real()), *at = &one;
    struct slice near = holder_key_on(box, 1);
    struct call call = holder_call(box);
    kit_ok(store_settle(at->session, &call, &error)); /* nothing is owed to any of them */
    kit_ok(note_near(box, at, 0, near, &error));
    for (unsigned i = 0; i < HOLDER_SERVERS; i++) {
        g_autofree char *offset = word_of(at->line, i, OFFSET, NULL, NULL);
        g_autofree char *run_id = word_of(at->line, i, RUN_ID, NULL, NULL);
        g_autofree char *told = servers_ask(&box->servers, i, "INFO server", true);
        assert_string_not_equal(offset, NO_OFFSET);
        g_autofree char *row = g_strdup_printf("run_id:%s", *run_id ? run_id : "-");
        assert_non_null(strstr(told, row));
    }
    holder_leave(at);
}

static void where_slots_were_given_away_all_are_asked_and_show_it(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    struct holder one = begin(box), *at = &one;
    change(at, 0, HAS, "0-5459");
    write_on(box, at, 1);
    holder_forget_asked(box);
    kit_ok(note(box, at, at->number, &error));
    for (unsigned i = 0; i < HOLDER_SERVERS; i++) {
        g_autofree char *offset = word_of(at->line, i, OFFSET, NULL, NULL);
        assert_true(was_asked(box, i));
        assert_string_not_equal(offset, NO_OFFSET);
        assert_word(at, i, COVERED, "1");
    }
    holder_leave(at);
}

/* The real world, but for a clock that is set forward; and who does it. */
struct silence {
    struct box *box;
    unsigned silent;
    bool others_asked;
    struct world world;
    struct world_clock clock;
    atomic_int_fast64_t forward_us;
};

static int64_t wall_ms(void *self)
{
    return world_wall_ms(world_real());
}

static int64_t monotonic_us(void *self)
{
    return world_monotonic_us(world_real()) + atomic_load(&((struct silence *)self)->forward_us);
}

static void sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    world_sleep_us(world_real(), us, cancel);
}

/* Until all the others were asked, each look at that left out; then nobody has any time left. */
static void let_time_pass(void *self)
{
    struct silence *silence = self;
    int64_t most_us = g_get_monotonic_time() + HOLDER_MOST_US / 2;
    for (unsigned by_us = 0; !silence->others_asked && g_get_monotonic_time() < most_us; by_us++) {
        silence->others_asked = true;
        for (unsigned i = 0; i < HOLDER_SERVERS; i++)
            silence->others_asked &= i == silence->silent || holder_asked(silence->box, i, "info") > by_us;
    }
    atomic_fetch_add(&silence->forward_us, HOLDER_MOST_US);
}

static void one_that_keeps_silent_keeps_nobody_from_being_asked(void **state)
{
    static const atomic_bool NEVER; /* who may be given up looks at the clock from time to time */
    struct box *box = *state;
    struct silence silence = {.box = box, .world = *world_real()};
    silence.clock = (struct world_clock){.wall_ms = wall_ms, .monotonic_us = monotonic_us, .sleep_us = sleep_us};
    silence.world.clock = &silence.clock;
    silence.world.clock_self = &silence;
    struct holder one = begin_in(box, &silence.world), *at = &one;
    for (silence.silent = 0; silence.silent < HOLDER_SERVERS; silence.silent++) {
        GError *error = NULL;
        struct call call = holder_call(box);
        struct witness none = {.fence = at->lane.fence};
        struct thread *thread;
        const char *now;
        silence.others_asked = false;
        call.deadline_us = world_monotonic_us(&silence.world) + HOLDER_MOST_US;
        call.cancel = &NEVER;
        holder_forget_asked(box);
        kill(box->servers.pids[silence.silent], SIGSTOP);
        kit_ok(thread_start(&thread, "time", let_time_pass, &silence, &error));
        assert_false(store_history_note(at->session, &call, &none, SLICE_EMPTY, &now, &error));
        kill(box->servers.pids[silence.silent], SIGCONT);
        thread_join(thread);
        assert_true(error_class(error) == ERROR_TRANSIENT);
        g_clear_error(&error);
        assert_true(silence.others_asked);
    }
    holder_leave(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_written_on_one_server_asks_that_one_alone),
        cmocka_unit_test(one_that_was_replaced_is_found_out_once_it_is_written_on),
        cmocka_unit_test(before_anything_is_written_all_are_asked),
        cmocka_unit_test(before_a_first_lane_the_server_of_its_keys_alone_is_asked),
        cmocka_unit_test(one_that_was_replaced_before_a_first_lane_is_found_out_once_it_is_written_on),
        cmocka_unit_test(who_knows_of_none_asks_all),
        cmocka_unit_test(where_slots_were_given_away_all_are_asked_and_show_it),
        cmocka_unit_test(one_that_keeps_silent_keeps_nobody_from_being_asked),
    };
    return cmocka_run_group_tests(tests, holder_set_up, holder_tear_down);
}
