#include "kit/kit.h"
#include "pace/servers.h"

enum { STEP_US = 100, PROBE_US = 5000 };

/* Servers that answer each request after a time of their own; one sender, who sends to each what he may. */
struct field {
    struct pace *pace;
    int64_t now;
    struct {
        struct pace_server *server;
        int64_t latency_us; /* of what is asked of it; 0: it does not answer */
        bool felt;          /* there is a probe */
        int64_t every_us;   /* so seldom somebody comes, and with more than may go at once; 0: all the time */
        int64_t asleep_us;  /* so much later does a probe come back that finds it resting */
        int64_t back[PACER_IN_FLIGHT];
        unsigned waiting;
        uint64_t sent;
    } of[2];
};

static void pace_begin(struct field *field, double share)
{
    struct governor_promise promise = {.share = share};
    field->pace = pace_new(&promise, field->now);
    for (int i = 0; i < 2; i++) {
        field->of[i].server = pace_server(field->pace, i ? "two" : "one");
        field->of[i].waiting = 0;
    }
}

static void field_begin(struct field *field)
{
    *field = (struct field){.now = 1000000};
    pace_begin(field, 0.1);
    for (int i = 0; i < 2; i++) {
        field->of[i].latency_us = 200;
        field->of[i].felt = true;
    }
}

/* One has ended; the next has what it learnt. */
static void pace_next(struct field *field, double after_s, double share)
{
    struct pace_learned *learned = pace_learn(field->pace, field->now);
    pace_free(field->pace);
    field->now += (int64_t)(after_s * 1e6);
    pace_begin(field, share);
    pace_go_on(field->pace, learned);
}

static void send_to(struct field *field, int i)
{
    int64_t due;
    while (field->of[i].waiting > 0 && field->of[i].back[0] <= field->now) {
        memmove(field->of[i].back, field->of[i].back + 1, --field->of[i].waiting * sizeof(int64_t));
        pace_reply(field->of[i].server, 0, field->now);
    }
    if (field->of[i].every_us && field->now % field->of[i].every_us != 0)
        return;
    unsigned went = pace_take(field->of[i].server, 0, field->now, 1, 100, &due);
    if (went == 0) {
        assert_true(due > field->now);
        return;
    }
    if (field->of[i].every_us)
        assert_int_equal(pace_take(field->of[i].server, 0, field->now, 1, 100, &due), 0);
    assert_true(went <= PACER_BATCH_MOST);
    field->of[i].sent += went;
    if (field->of[i].waiting < PACER_IN_FLIGHT)
        field->of[i].back[field->of[i].waiting++] = field->now + field->of[i].latency_us;
}

static int64_t asleep(const struct field *field, int i)
{
    return pace_probe_us(field->of[i].server) == PACE_PROBE_REST_US ? field->of[i].asleep_us : 0;
}

static void go(struct field *field, double seconds)
{
    int64_t until = field->now + (int64_t)(seconds * 1e6);
    for (int i = 0; i < 2; i++)
        field->of[i].sent = 0;
    for (; field->now < until; field->now += STEP_US) {
        for (int i = 0; i < 2; i++) {
            if (field->of[i].felt && field->of[i].latency_us && field->now % PROBE_US == 0)
                pace_felt(field->of[i].server,
                          field->now - field->of[i].latency_us - field->now / PROBE_US % 20 - asleep(field, i),
                          field->now);
            send_to(field, i);
        }
        if (field->now % GOVERNOR_TICK_US == 0)
            pace_tick(field->pace, field->now, field->now);
    }
}

static struct pace_look look_at(struct field *field, const char *name)
{
    struct pace_look looks[2];
    size_t n = pace_look(field->pace, field->now, looks, 2);
    for (size_t i = 0; i < n; i++)
        if (strcmp(looks[i].name, name) == 0)
            return looks[i];
    fail_msg("%s is not paced", name);
    return (struct pace_look){0};
}

static void nothing_goes_before_there_is_a_baseline_and_a_lull_comes_every_ten_seconds(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    go(&field, 2.5);
    assert_int_equal(field.of[0].sent + field.of[1].sent, 0);
    assert_int_equal(look_at(&field, "one").cause, GOVERNOR_BASELINE);
    go(&field, 4);
    assert_true(field.of[0].sent > 0 && field.of[1].sent > 0);
    assert_false(look_at(&field, "one").in_lull);
    assert_true(look_at(&field, "one").baseline_us > 190);
    unsigned silent = 0;
    for (int i = 0; i < 200; i++) {
        go(&field, 0.1);
        silent += field.of[0].sent == 0 && field.of[1].sent == 0;
    }
    assert_in_range(silent, 8, 16); /* two lulls of half a second in twenty */
    pace_free(field.pace);
}

static void a_slow_server_slows_only_what_goes_to_it(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    go(&field, 20);
    uint64_t both[2] = {field.of[0].sent, field.of[1].sent};
    field.of[1].latency_us = 2000;
    go(&field, 20);
    assert_true(field.of[0].sent >= both[0]);
    assert_true(field.of[1].sent * 20 < both[1]);
    assert_true(look_at(&field, "two").p99_us > look_at(&field, "two").most_us);
    pace_free(field.pace);
}

/* Threads that are held up elsewhere come by seldom, and wait a moment between two micro-batches. */
static void a_window_of_which_little_is_used_does_not_grow(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    field.of[1].every_us = 50000;
    go(&field, 60);
    assert_true(look_at(&field, "two").window < look_at(&field, "one").window / 4);
    pace_free(field.pace);
}

static void a_server_whose_probe_is_not_answered_gets_nothing_until_it_is(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    go(&field, 12);
    field.of[1].felt = false;
    go(&field, 3);
    go(&field, 8);
    assert_int_equal(field.of[1].sent, 0);
    assert_true(field.of[0].sent > 0);
    assert_int_equal(look_at(&field, "two").cause, GOVERNOR_UNFELT);
    field.of[1].felt = true;
    go(&field, 5);
    assert_true(field.of[1].sent > 0);
    pace_free(field.pace);
}

/* Its place is another's: it is no server that does not answer. */
static void a_server_that_has_left_is_told_of_no_more_and_is_measured_when_it_is_back(void **state)
{
    (void)state;
    struct field field;
    struct pace_look looks[2];
    field_begin(&field);
    go(&field, 12);
    field.of[1].felt = false;
    pace_left(field.of[1].server);
    go(&field, 6);
    assert_true(field.of[0].sent > 0);
    assert_int_equal(pace_look(field.pace, field.now, looks, 2), 1);
    assert_string_equal(looks[0].name, "one");
    go(&field, 0.01); /* behind a tick */
    field.of[1].felt = true;
    go(&field, 0.2);
    assert_in_range(field.of[1].sent, 0, 2);
    go(&field, 0.3);
    go(&field, 2);
    assert_int_equal(field.of[0].sent + field.of[1].sent, 0);
    go(&field, 3);
    assert_true(field.of[0].sent > 0 && field.of[1].sent > 0);
    pace_free(field.pace);
}

static void a_server_that_was_never_felt_gets_a_trickle_and_holds_no_other_up(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    field.of[1].felt = false;
    go(&field, 6);
    assert_true(field.of[0].sent > 0);
    assert_in_range(field.of[1].sent, 100, 700);
    pace_free(field.pace);
}

static void what_is_worth_more_than_may_go_goes_alone_and_pushes_the_next_out(void **state)
{
    (void)state;
    struct field field;
    int64_t due, soon;
    field_begin(&field);
    go(&field, 8);
    struct pace_server *server = field.of[0].server;
    field.now += 200000; /* all is answered, and it is long due */
    send_to(&field, 0);
    while (field.of[0].waiting-- > 0)
        pace_reply(server, 0, field.now);
    field.now += 200000;
    int64_t at = field.now;
    assert_int_equal(pace_take(server, 0, at, 1, 1, &due), 1);
    assert_int_equal(pace_take(server, 0, at, 1, 1, &soon), 0);
    pace_reply(server, 0, at + 200);
    field.now += 200000;
    assert_int_equal(pace_take(server, 0, field.now, 50, 50, &due), 50);
    assert_int_equal(pace_take(server, 0, field.now, 1, 1, &due), 0);
    assert_true(due - field.now >= 20 * (soon - at)); /* fifty times the gap, of which half may be past */
    pace_free(field.pace);
}

static void a_new_promise_counts_at_once(void **state)
{
    (void)state;
    struct field field;
    struct governor_promise more = {.absolute_us = 5000};
    field_begin(&field);
    go(&field, 12);
    pace_promise(field.pace, &more);
    go(&field, 1);
    assert_true(field.of[0].sent > 0);
    struct pace_look look = look_at(&field, "one");
    assert_in_range((uint64_t)(look.most_us - look.baseline_us), 4999, 5001);
    pace_free(field.pace);
}

/* A window says what may be sent, and little of what is where nobody waits for it. */
static void what_is_told_to_be_sent_a_second_has_been_sent(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    field.of[1].every_us = 50000;
    go(&field, 15); /* the next lull is ahead */
    go(&field, 1);
    for (int i = 0; i < 2; i++) {
        double told = look_at(&field, i ? "two" : "one").per_s, sent = (double)field.of[i].sent;
        assert_true(sent > 0 && told >= 0.75 * sent && told <= 1.25 * sent + 4);
    }
    field.of[0].every_us = 1000000000; /* nobody comes any more */
    go(&field, 1.5);
    assert_true(look_at(&field, "one").per_s <= 0);
    pace_free(field.pace);
}

/* In `seconds`, looked at ten times a second: how often its probe was to rest. */
static unsigned rests_in(struct field *field, int i, double seconds)
{
    unsigned rests = 0;
    for (int k = 0; k < (int)(10 * seconds); k++) {
        go(field, 0.1);
        rests += pace_probe_us(field->of[i].server) == PACE_PROBE_REST_US;
    }
    return rests;
}

static void a_server_to_which_next_to_nothing_goes_is_probed_seldom_but_in_lulls(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    field.of[1].every_us = 1000000;
    assert_int_equal(pace_probe_us(field.of[0].server), PACE_PROBE_US);
    assert_int_equal(rests_in(&field, 0, 1.2) + rests_in(&field, 1, 1.2), 0); /* there is no baseline yet */
    go(&field, 3);
    assert_in_range(rests_in(&field, 1, 20), 160, 172); /* of eight ticks one, and two lulls of half a second */
    assert_int_equal(rests_in(&field, 0, 20), 0);
    field.of[0].every_us = 1000000000; /* nobody comes any more */
    go(&field, 20);
    assert_in_range(rests_in(&field, 0, 8), 62, 72);
    field.of[0].every_us = 0;
    go(&field, 2 * GOVERNOR_TICK_US / 1e6);
    assert_int_equal(rests_in(&field, 0, 2), 0);
    pace_free(field.pace);
}

static void what_finds_a_server_resting_tells_that_it_is_there_and_nothing_of_its_latency(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    field.of[0].every_us = 1000000000;
    field.of[0].asleep_us = 400;
    go(&field, 60);
    struct pace_look look = look_at(&field, "one");
    assert_true(look.p99_us < look.most_us);
    assert_true(field.now - look.felt_us < 2 * GOVERNOR_TICK_US);
    field.of[0].latency_us += 400; /* and in what counts */
    go(&field, 60);
    look = look_at(&field, "one");
    assert_true(look.p99_us > look.most_us || look.baseline_us > 500);
    pace_free(field.pace);
}

static void a_server_that_does_not_answer_is_probed_as_often_as_ever(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    field.of[0].every_us = 1000000000;
    go(&field, 6);
    assert_int_equal(rests_in(&field, 0, 0.7), 7);
    field.of[0].latency_us = 0;
    go(&field, 3);
    assert_int_equal(pace_probe_us(field.of[0].server), PACE_PROBE_US);
    pace_free(field.pace);
}

static void what_own_requests_take_and_how_often_a_server_asks_for_air_is_told_of_each(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    go(&field, 6);
    pace_throttled(field.of[1].server);
    pace_throttled(field.of[1].server);
    pace_throttled(NULL);
    struct pace_look one = look_at(&field, "one"), two = look_at(&field, "two");
    assert_in_range((uint64_t)one.own_us, 190, 210);
    assert_int_equal(one.throttled, 0);
    assert_int_equal(two.throttled, 2);
    pace_free(field.pace);
}

static void what_one_has_learnt_the_next_begins_with(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    go(&field, 30);
    struct pace_look was = look_at(&field, "one");
    pace_next(&field, 1, 0.1);
    assert_false(pace_went_on(field.pace));
    go(&field, 0.4);
    struct pace_look now = look_at(&field, "one");
    assert_true(pace_went_on(field.pace));
    assert_true(field.of[0].sent > 0 && field.of[1].sent > 0);
    assert_in_range((uint64_t)now.baseline_us, (uint64_t)was.baseline_us, (uint64_t)was.baseline_us);
    assert_true(was.window > 1); /* an eighth of it, which grows from there */
    assert_true(now.window >= was.window / 8 && now.window < was.window / 4);
    unsigned silent = 0;
    for (int i = 0; i < 100; i++) {
        go(&field, 0.1);
        silent += field.of[0].sent == 0 && field.of[1].sent == 0;
    }
    assert_in_range(silent, 4, 8); /* the lull of every ten seconds */
    pace_free(field.pace);
}

/* One that is due soon after is not left out because somebody has just begun, nor comes one at once that is not due. */
static void the_next_is_silent_when_the_one_before_would_have_been(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field); /* at one second of the clock that all share */
    go(&field, 38.2);
    pace_next(&field, 0.2, 0.1);
    go(&field, 0.5);
    assert_true(pace_went_on(field.pace) && field.of[0].sent > 0);
    go(&field, 0.2);
    go(&field, 0.3);
    assert_int_equal(field.of[0].sent + field.of[1].sent, 0);
    go(&field, 0.5);
    assert_true(field.of[0].sent > 0);
    pace_free(field.pace);
}

static void feel(struct field *field, unsigned which)
{
    for (unsigned i = 0; i < 2; i++)
        field->of[i].felt = which >> i & 1;
}

static void what_is_of_other_servers_or_another_promise_or_old_counts_for_nothing(void **state)
{
    enum { ONE = 1, TWO = 2, BOTH = 3 };
    static const struct {
        double after_s, share;
        unsigned before, after; /* the servers that are felt */
        bool goes_on;
    } ROWS[] = {
        {1, 0.1, BOTH, BOTH, true},   {45, 0.1, BOTH, BOTH, true}, {61, 0.1, BOTH, BOTH, false},
        {1, 0.05, BOTH, BOTH, false}, {1, 0.1, BOTH, ONE, false},  {1, 0.1, ONE, BOTH, false},
        {1, 0.1, ONE, ONE, true},     {1, 0.1, ONE, TWO, false},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct field field;
        field_begin(&field);
        feel(&field, ROWS[i].before);
        go(&field, 12);
        feel(&field, ROWS[i].after);
        pace_next(&field, ROWS[i].after_s, ROWS[i].share);
        go(&field, 2.4);
        if (pace_went_on(field.pace) != ROWS[i].goes_on || (field.of[0].sent > 0) != ROWS[i].goes_on)
            fail_msg("row %zu", i);
        go(&field, 4);
        assert_true(field.of[0].sent > 0);
        pace_free(field.pace);
    }
}

static void a_server_that_comes_later_is_measured_first_as_ever(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    field.of[1].felt = false;
    go(&field, 12);
    pace_next(&field, 1, 0.1);
    go(&field, 1);
    assert_true(field.of[0].sent > 0);
    field.of[1].felt = true;
    go(&field, 0.3);
    go(&field, 2);
    assert_int_equal(field.of[0].sent + field.of[1].sent, 0);
    go(&field, 3);
    assert_true(field.of[0].sent > 0 && field.of[1].sent > 0);
    pace_free(field.pace);
}

static void without_a_baseline_nothing_has_been_learnt(void **state)
{
    (void)state;
    struct field field;
    field_begin(&field);
    assert_null(pace_learn(field.pace, field.now));
    go(&field, 2);
    assert_null(pace_learn(field.pace, field.now));
    pace_go_on(field.pace, NULL);
    go(&field, 3);
    assert_true(field.of[0].sent > 0);
    assert_false(pace_went_on(field.pace));
    pace_free(field.pace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_goes_before_there_is_a_baseline_and_a_lull_comes_every_ten_seconds),
        cmocka_unit_test(a_slow_server_slows_only_what_goes_to_it),
        cmocka_unit_test(a_window_of_which_little_is_used_does_not_grow),
        cmocka_unit_test(a_server_whose_probe_is_not_answered_gets_nothing_until_it_is),
        cmocka_unit_test(a_server_that_has_left_is_told_of_no_more_and_is_measured_when_it_is_back),
        cmocka_unit_test(a_server_that_was_never_felt_gets_a_trickle_and_holds_no_other_up),
        cmocka_unit_test(what_is_worth_more_than_may_go_goes_alone_and_pushes_the_next_out),
        cmocka_unit_test(a_new_promise_counts_at_once),
        cmocka_unit_test(what_one_has_learnt_the_next_begins_with),
        cmocka_unit_test(the_next_is_silent_when_the_one_before_would_have_been),
        cmocka_unit_test(what_is_of_other_servers_or_another_promise_or_old_counts_for_nothing),
        cmocka_unit_test(a_server_that_comes_later_is_measured_first_as_ever),
        cmocka_unit_test(without_a_baseline_nothing_has_been_learnt),
        cmocka_unit_test(what_is_told_to_be_sent_a_second_has_been_sent),
        cmocka_unit_test(a_server_to_which_next_to_nothing_goes_is_probed_seldom_but_in_lulls),
        cmocka_unit_test(what_finds_a_server_resting_tells_that_it_is_there_and_nothing_of_its_latency),
        cmocka_unit_test(a_server_that_does_not_answer_is_probed_as_often_as_ever),
        cmocka_unit_test(what_own_requests_take_and_how_often_a_server_asks_for_air_is_told_of_each),
    };
    return cmocka_run_group_tests_name("servers", tests, NULL, NULL);
}
