/* Who is told to stop while a server is slow: how much of what was asked for is sent still. The clock is the server's:
 * a millisecond for each command that it answers, and none otherwise. It answers when the reply before is taken: it is
 * slow, and who asks is not. */
#include "test_valkey_kit.h"

enum { COMMANDS = 4000, STOPS_AT = 1000, EACH_US = 1000 };

struct slow {
    struct world world;
    struct world_clock clock;
    atomic_int_fast64_t now_us;
    atomic_bool stop;
    atomic_int heard; /* commands, of those that are asked for */
    atomic_int taken; /* those whose reply came */
    atomic_bool over; /* nobody takes any more */
    int stops_at;     /* the stop comes when it has heard so many */
};

static int64_t monotonic_us(void *self)
{
    return atomic_load(&((struct slow *)self)->now_us);
}

static void sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    atomic_fetch_add(&((struct slow *)self)->now_us, us);
}

static void slow_init(struct slow *slow, int stops_at)
{
    *slow = (struct slow){.world = *world_real(), .now_us = 1000000, .stops_at = stops_at};
    slow->clock = *slow->world.clock;
    slow->clock.monotonic_us = monotonic_us;
    slow->clock.sleep_us = sleep_us;
    slow->world.clock = &slow->clock;
    slow->world.clock_self = slow;
}

/* What is said in the handshake, and then of each command that it was executed. */
static const char *answer(struct slow *slow, const char *asked)
{
    if (g_str_has_prefix(asked, "HELLO"))
        return "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n";
    if (g_str_has_prefix(asked, "INFO"))
        return "$11\r\nrole:master\r\n";
    atomic_fetch_add(&slow->now_us, EACH_US);
    if (atomic_fetch_add(&slow->heard, 1) + 1 == slow->stops_at)
        atomic_store(&slow->stop, true);
    return "+OK\r\n";
}

static void serve(struct peer *peer, int fd)
{
    struct slow *slow = peer_self(peer);
    for (;;) {
        g_autofree char *asked = peer_command(fd);
        if (!asked || !peer_say_text(fd, answer(slow, asked)))
            return;
        while (atomic_load(&slow->taken) < atomic_load(&slow->heard) && !atomic_load(&slow->over))
            g_thread_yield();
    }
}

static bool take(void *self, size_t i, const struct reply *reply, GError **error)
{
    atomic_fetch_add(&((struct slow *)self)->taken, 1);
    return true;
}

/* All of them in one call. */
static bool ask_all(struct slow *slow, struct peer *peer, struct command *commands, GError **error)
{
    struct lone_router lone;
    lone_router_init(&lone, &slow->world, peer);
    struct call call = {.stop = &slow->stop, .deadline_us = INT64_MAX / 2};
    struct slice args[] = {slice_of_text("SET"), slice_of_text("k"), slice_of_text("v")};
    for (int i = 0; i < COMMANDS; i++)
        commands[i] = (struct command){.args = args, .n_args = G_N_ELEMENTS(args)};
    struct route_wish wish = {.commands = commands, .n = COMMANDS, .answer = take, .self = slow};
    bool went = router_run(lone.router, &call, &wish, error);
    atomic_store(&slow->over, true);
    lone_router_done(&lone);
    return went;
}

static int fates(const struct command *commands, enum route_fate fate)
{
    int n = 0;
    for (int i = 0; i < COMMANDS; i++)
        n += commands[i].fate == fate;
    return n;
}

/* What is in flight then, which is what the server answers in some 20 ms, and what goes within the grace of 20 ms. */
static void of_a_batch_that_lasts_little_is_sent_after_the_stop_and_all_that_was_is_answered(void **state)
{
    GError *error = NULL;
    struct slow slow;
    g_autofree struct command *commands = g_new0(struct command, COMMANDS);
    slow_init(&slow, STOPS_AT);
    auto_(peer) peer = peer_start(serve, &slow);
    kit_refused(ask_all(&slow, peer, commands, &error), CANCELLED, "told to stop before everything was sent");
    int heard = atomic_load(&slow.heard);
    assert_in_range(heard, STOPS_AT, STOPS_AT + 150);
    assert_int_equal(atomic_load(&slow.taken), heard);
    assert_int_equal(fates(commands, ROUTE_ANSWERED), heard);
    assert_int_equal(fates(commands, ROUTE_NOT_SENT), COMMANDS - heard);
}

static void without_a_stop_all_of_it_goes(void **state)
{
    GError *error = NULL;
    struct slow slow;
    g_autofree struct command *commands = g_new0(struct command, COMMANDS);
    slow_init(&slow, 0);
    auto_(peer) peer = peer_start(serve, &slow);
    kit_ok(ask_all(&slow, peer, commands, &error));
    assert_int_equal(atomic_load(&slow.taken), COMMANDS);
    assert_int_equal(atomic_load(&slow.heard), COMMANDS);
}

static void what_is_nearly_through_is_finished(void **state)
{
    GError *error = NULL;
    struct slow slow;
    g_autofree struct command *commands = g_new0(struct command, COMMANDS);
    slow_init(&slow, COMMANDS - 2);
    auto_(peer) peer = peer_start(serve, &slow);
    kit_ok(ask_all(&slow, peer, commands, &error));
    assert_int_equal(atomic_load(&slow.taken), COMMANDS);
}

/* --- what a connection waits for at once -------------------------------------------------------------------------- */

/* Rounds in which as much as may be is in flight, each command `each_us`, behind a way of `far_us`. */
static void answer_rounds(struct link_window *window, int64_t *io_now_us, int rounds, int64_t each_us, int64_t far_us)
{
    while (rounds-- > 0) {
        int64_t sent_us = *io_now_us;
        *io_now_us += far_us + each_us * link_window_most(window);
        link_window_answered(window, sent_us, *io_now_us, true);
    }
}

static void a_server_owes_what_it_answers_soon_however_fast_and_far_it_is(void **state)
{
    static const struct {
        int64_t each_us, far_us;
        uint32_t least, most;
    } ROWS[] = {
        {10, 100, 512, 512}, {10, 300000, 512, 512}, {200, 100, 50, 150},
        {1000, 100, 10, 35}, {1000, 100000, 10, 35}, {50000, 100, 2, 2},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct link_window window = {0};
        int64_t now_us = 1;
        link_window_answered(&window, now_us, now_us + ROWS[i].far_us + ROWS[i].each_us, false);
        now_us += ROWS[i].far_us + ROWS[i].each_us;
        answer_rounds(&window, &now_us, 50, ROWS[i].each_us, ROWS[i].far_us);
        assert_in_range(link_window_most(&window), ROWS[i].least, ROWS[i].most);
        answer_rounds(&window, &now_us, 20, 10, ROWS[i].far_us); /* it is fast again */
        assert_int_equal(link_window_most(&window), 512);
    }
}

static void what_nobody_waits_for_does_not_widen_it_and_one_round_changes_it_once(void **state)
{
    struct link_window window = {0};
    for (int i = 0; i < 50; i++)
        link_window_answered(&window, 1000 * i + 1, 1000 * i + 101, false);
    uint32_t first = link_window_most(&window);
    link_window_answered(&window, 60001, 60101, true);
    assert_int_equal(link_window_most(&window), 2 * first);
    link_window_answered(&window, 60002, 60102, true); /* sent before that */
    assert_int_equal(link_window_most(&window), 2 * first);
    link_window_answered(&window, 60003, 90102, true);
    assert_int_equal(link_window_most(&window), 2 * first);
    link_window_answered(&window, 60102, 90102, true);
    assert_int_equal(link_window_most(&window), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_batch_that_lasts_little_is_sent_after_the_stop_and_all_that_was_is_answered),
        cmocka_unit_test(without_a_stop_all_of_it_goes),
        cmocka_unit_test(what_is_nearly_through_is_finished),
        cmocka_unit_test(a_server_owes_what_it_answers_soon_however_fast_and_far_it_is),
        cmocka_unit_test(what_nobody_waits_for_does_not_widen_it_and_one_round_changes_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
