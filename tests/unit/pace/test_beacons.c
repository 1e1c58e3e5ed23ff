#include "kit/kit.h"
#include "pace/servers.h"

static void what_is_written_is_read_and_what_is_no_beacon_is_not(void **state)
{
    static const char *const STRANGE[] = {
        "",
        "1",
        "2 1 5 0 20000 0 a later version",
        "1 1 10 0 20000 0 a priority that is none",
        "1 1 5 16 0",
        "1 -1 5 0 0 0 a",
        "1 1 5 16 20000 0 a flag that is none",
        "1 1 5 0 nan 0 a",
    };
    (void)state;
    char text[BEACON_TEXT];
    struct beacon read, beacon = {.beat = 7,
                                  .priority = 9,
                                  .window = 0.25,
                                  .allowed_us = 120,
                                  .hungry = true,
                                  .lacks = true,
                                  .who = "fix.1 of here"};
    beacon_write(&beacon, text);
    assert_true(beacon_read(text, &read));
    assert_memory_equal(&read, &beacon, sizeof read);
    for (size_t i = 0; i < G_N_ELEMENTS(STRANGE); i++)
        assert_false(beacon_read(STRANGE[i], &read));
    assert_true(beacon_read("1 1 5 0 99999999999999 0 \x1b[31mred", &read));
    assert_string_equal(read.who, "?[31mred");
    assert_true(read.window <= 1024);
}

static void who_does_not_beat_is_gone_and_in_the_end_forgotten(void **state)
{
    (void)state;
    struct beacons beacons = {0};
    struct beacon beacon = {.beat = 1};
    size_t at = 0;
    assert_true(beacons_see(&beacons, "a", &beacon, 0));
    assert_non_null(beacons_next(&beacons, &at, BEACONS_LIVE_US - 1));
    assert_null(beacons_next(&beacons, &at, BEACONS_LIVE_US - 1));
    assert_true(beacons_see(&beacons, "a", &beacon, BEACONS_LIVE_US));
    at = 0;
    assert_null(beacons_next(&beacons, &at, BEACONS_LIVE_US));
    assert_false(beacons_see(&beacons, "a", &beacon, BEACONS_DEAD_US));
    beacon.beat++;
    assert_true(beacons_see(&beacons, "a", &beacon, BEACONS_DEAD_US));
    at = 0;
    assert_non_null(beacons_next(&beacons, &at, BEACONS_DEAD_US));
}

static void more_than_there_is_room_for_are_ignored_until_some_are_gone(void **state)
{
    (void)state;
    struct beacons beacons = {0};
    struct beacon beacon = {.beat = 1};
    for (int i = 0; i <= BEACONS_MOST; i++) {
        g_autofree char *id = g_strdup_printf("%d", i);
        assert_true(beacons_see(&beacons, id, &beacon, 0));
    }
    assert_int_equal(beacons.n, BEACONS_MOST);
    assert_true(beacons_see(&beacons, "late", &beacon, BEACONS_DEAD_US));
    size_t at = 0;
    assert_non_null(beacons_next(&beacons, &at, BEACONS_DEAD_US));
    assert_null(beacons_next(&beacons, &at, BEACONS_DEAD_US));
}

/* --- two that pace themselves on one server ----------------------------------------------------------------------- */

enum { STEP_US = 1000, SHIFT_US = 400 };

/* The server takes so much longer while anyone else works. */
struct pair {
    int64_t now;
    struct pace *of[2];
    struct pace_server *server[2];
    char id[2][BEACON_ID], text[2][BEACON_TEXT];
    int64_t went_us[2]; /* when each last sent */
    bool waits[2];      /* for the answer, which takes a step */
    int64_t deaf_us;    /* until then the first reads no beacons */
    uint64_t sent[2];
};

static void come(struct pair *pair, int i)
{
    struct governor_promise promise = {.absolute_us = 10000};
    pair->of[i] = pace_new(&promise, pair->now);
    pair->server[i] = pace_server(pair->of[i], "server");
    pace_introduce(pair->of[i], i ? "b" : "a", i ? "b of there" : "a of here");
    pace_priority(pair->of[i], 5);
}

static void step(struct pair *pair, int i)
{
    int64_t due, other = pair->went_us[!i];
    bool disturbed = other && pair->now - other < 20000;
    if (pair->now % 5000 == 0)
        pace_felt(pair->server[i], pair->now - 200 - (disturbed ? SHIFT_US : 0) - pair->now / 5000 % 20, pair->now);
    if (pair->waits[i])
        pace_reply(pair->server[i], 0, pair->now);
    pair->waits[i] = pace_take(pair->server[i], 0, pair->now, 1, 1, &due) > 0;
    if (pair->waits[i]) {
        pair->went_us[i] = pair->now;
        pair->sent[i]++;
    }
}

static void go(struct pair *pair, double seconds)
{
    int64_t until = pair->now + (int64_t)(seconds * 1e6);
    memset(pair->sent, 0, sizeof pair->sent);
    for (; pair->now < until; pair->now += STEP_US)
        for (int i = 0; i < 2; i++) {
            if (!pair->of[i])
                continue;
            step(pair, i);
            if (pair->now % GOVERNOR_TICK_US != i * STEP_US)
                continue;
            if (*pair->text[!i] && (i || pair->now >= pair->deaf_us))
                pace_saw(pair->server[i], pair->now, pair->id[!i], pair->text[!i]);
            pace_tick(pair->of[i], pair->now, pair->now);
            pace_beacon(pair->server[i], pair->now, pair->id[i], pair->text[i]);
        }
}

static struct pace_look look_at(struct pair *pair, int i)
{
    struct pace_look look = {0};
    assert_int_equal(pace_look(pair->of[i], pair->now, &look, 1), 1);
    return look;
}

static void pair_done(struct pair *pair)
{
    for (int i = 0; i < 2; i++)
        pace_free(pair->of[i]);
}

static void who_is_at_work_is_silent_until_who_comes_has_a_baseline_of_the_world_alone(void **state)
{
    (void)state;
    struct pair pair = {.now = 1000000};
    come(&pair, 0);
    go(&pair, 25);
    assert_true(pair.sent[0] > 0);
    come(&pair, 1);
    pair.deaf_us = pair.now + 2000000;
    go(&pair, 5);
    assert_int_equal(pair.sent[1], 0);
    go(&pair, 4);
    assert_true(pair.sent[0] > 0 && pair.sent[1] > 0);
    assert_true(look_at(&pair, 1).baseline_us < 200 + SHIFT_US / 2);
    assert_int_equal(look_at(&pair, 1).others, 1);
    assert_string_equal(look_at(&pair, 1).other, "a of here");
    go(&pair, 150); /* so many lulls that the first ones are forgotten */
    assert_true(look_at(&pair, 0).baseline_us < 200 + SHIFT_US / 2);
    assert_true(look_at(&pair, 1).baseline_us < 200 + SHIFT_US / 2);
    pair_done(&pair);
}

static void who_asks_for_silence_again_and_again_is_not_heeded_for_ever(void **state)
{
    (void)state;
    struct pair pair = {.now = 1000000};
    uint64_t sent = 0;
    come(&pair, 0);
    go(&pair, 12);
    for (uint64_t beat = 1; beat <= 120; beat++) {
        struct beacon beacon = {.beat = beat, .priority = 5, .lacks = true, .quiet = true, .who = "b"};
        beacon_write(&beacon, pair.text[1]);
        g_strlcpy(pair.id[1], "b", BEACON_ID);
        go(&pair, 0.25);
        sent += beat > 60 ? pair.sent[0] : 0;
    }
    assert_true(sent > 0);
    pair_done(&pair);
}

/* As if another were at work, and had promised so much. */
static void beside(struct pair *pair, double seconds, double allowed_us)
{
    static uint64_t beat;
    g_strlcpy(pair->id[1], "b", BEACON_ID);
    for (double left = seconds; left > 0; left -= 0.01) {
        struct beacon beacon = {.beat = ++beat, .priority = 3, .allowed_us = allowed_us, .active = true, .who = "b"};
        beacon_write(&beacon, pair->text[1]);
        pair->went_us[1] = pair->now;
        go(pair, 0.01);
    }
}

static void the_strictest_promise_of_those_at_work_holds_for_all(void **state)
{
    (void)state;
    struct pair pair = {.now = 1000000};
    struct beacon first = {0};
    come(&pair, 0);
    go(&pair, 30);
    beside(&pair, 8, 20000);
    double easy = look_at(&pair, 0).window;
    beside(&pair, 8, 100);
    assert_true(look_at(&pair, 0).window < easy / 2);
    assert_false(pace_first(pair.of[0], pair.now, 3, &first));
    assert_true(pace_first(pair.of[0], pair.now, 2, &first));
    assert_string_equal(first.who, "b");
    pair_done(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_what_is_no_beacon_is_not),
        cmocka_unit_test(who_does_not_beat_is_gone_and_in_the_end_forgotten),
        cmocka_unit_test(more_than_there_is_room_for_are_ignored_until_some_are_gone),
        cmocka_unit_test(who_is_at_work_is_silent_until_who_comes_has_a_baseline_of_the_world_alone),
        cmocka_unit_test(who_asks_for_silence_again_and_again_is_not_heeded_for_ever),
        cmocka_unit_test(the_strictest_promise_of_those_at_work_holds_for_all),
    };
    return cmocka_run_group_tests_name("beacons", tests, NULL, NULL);
}
