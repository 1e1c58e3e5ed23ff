/* What a router does while it waits for its pace. Its clock stands but for its own sleeps, which it counts; where what
 * is promised is taken off, somebody else's as well. */
#include "kit/patient.h"
#include "test_valkey_kit.h"

enum { COMMANDS = 20, LOOKS_MOST = 7, LATE_US = 100000 };

/* A server, and who asks it. */
struct asked {
    struct patient patient;
    struct routes
        *unpaced;    /* who is told when the first command has come that nothing is promised any more; NULL: nobody */
    bool has_script; /* the server */
    int scripts;     /* that it was asked for, those included that it had not */
};

/* The router looks again while it waits for the answer: what it is paced by is gone then. */
static void unpace(struct asked *asked)
{
    if (!asked->unpaced)
        return;
    routes_set_pace(asked->unpaced, NULL);
    asked->unpaced = NULL;
    world_sleep_us(world_real(), LATE_US, NULL);
}

static const char *script_says(struct asked *asked)
{
    asked->scripts++;
    return asked->has_script ? "+OK\r\n" : "-NOSCRIPT No matching script.\r\n";
}

static const char *load_says(struct asked *asked)
{
    asked->has_script = true;
    return "+OK\r\n";
}

static const char *get_says(struct asked *asked)
{
    unpace(asked);
    return "+OK\r\n";
}

static const char *hello_says(struct asked *asked)
{
    return "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n";
}

static const char *info_says(struct asked *asked)
{
    return "$11\r\nrole:master\r\n";
}

static const struct {
    const char *begins;
    const char *(*says)(struct asked *asked);
} ANSWERS[] = {
    {"HELLO", hello_says}, {"INFO", info_says}, {"GET", get_says}, {"EVALSHA", script_says}, {"SCRIPT", load_says}};

static void serve(struct peer *peer, int fd)
{
    for (;;) {
        g_autofree char *command = peer_command(fd);
        const char *says = "+OK\r\n";
        for (size_t i = 0; command && i < G_N_ELEMENTS(ANSWERS); i++)
            if (g_str_has_prefix(command, ANSWERS[i].begins))
                says = ANSWERS[i].says(peer_self(peer));
        if (!command || !peer_say_text(fd, says))
            return;
    }
}

static bool take(void *self, size_t i, const struct reply *reply, GError **error)
{
    (*(int *)self)++;
    return true;
}

static struct route_wish wish_of(const struct command *like, struct command commands[COMMANDS])
{
    for (int i = 0; i < COMMANDS; i++)
        commands[i] = *like;
    return (struct route_wish){.commands = commands, .n = COMMANDS, .answer = take};
}

/* Commands like `like`, of which so many count as one. */
static void ask_like(struct asked *asked, struct pace *pace, bool taken_off, const struct command *like, uint32_t light)
{
    GError *error = NULL;
    struct lone_router lone;
    struct command commands[COMMANDS];
    int taken = 0;
    *asked = (struct asked){0};
    patient_init(&asked->patient, taken_off);
    auto_(peer) peer = peer_start(serve, asked);
    if (pace)
        patient_feel(&asked->patient, pace, peer_port(peer));
    lone_router_init(&lone, &asked->patient.world, peer);
    routes_set_pace(lone.routes, pace);
    asked->unpaced = taken_off ? lone.routes : NULL;
    struct route_wish wish = wish_of(like, commands);
    wish.light = light;
    wish.self = &taken;
    struct call call = {.deadline_us = INT64_MAX / 2};
    kit_ok(router_run(lone.router, &call, &wish, &error));
    assert_int_equal(taken, COMMANDS);
    lone_router_done(&lone);
}

static void ask_all(struct asked *asked, struct pace *pace, bool taken_off)
{
    struct slice args[] = {slice_of_text("GET"), slice_of_text("k")};
    struct command get = {.args = args, .n_args = G_N_ELEMENTS(args), .repeatable = true};
    ask_like(asked, pace, taken_off, &get, 0);
}

static void of_light_commands_many_go_for_one_wait(void **state)
{
    enum { LIGHT = 5 };
    struct asked one, many;
    struct slice args[] = {slice_of_text("GET"), slice_of_text("k")};
    struct command get = {.args = args, .n_args = G_N_ELEMENTS(args), .repeatable = true};
    auto_(pace) pace = pace_new(&(struct governor_promise){.share = 0.1}, 0);
    auto_(pace) same = pace_new(&(struct governor_promise){.share = 0.1}, 0);
    ask_like(&one, pace, false, &get, 1);
    ask_like(&many, same, false, &get, LIGHT);
    assert_true(many.patient.sleeps > 0);
    assert_true(many.patient.slept_us <= one.patient.slept_us / (LIGHT - 1));
}

static void a_script_that_a_server_lacks_is_loaded_ahead_of_all_that_wait_for_it(void **state)
{
    struct asked asked;
    struct slice args[] = {slice_of_text("EVALSHA"), slice_of_text("digest"), slice_of_text("1"), slice_of_text("k")};
    struct command call = {.args = args, .n_args = G_N_ELEMENTS(args), .repeatable = true, .script = "return 0"};
    auto_(pace) pace = pace_new(&(struct governor_promise){.share = 0.1}, 0);
    ask_like(&asked, pace, false, &call, 0);
    assert_true(asked.has_script);
    assert_int_equal(asked.scripts, COMMANDS + 1);
}

static void who_is_paced_gives_way_and_is_not_woken_before_it_is_due(void **state)
{
    struct asked asked;
    auto_(pace) pace = pace_new(&(struct governor_promise){.share = 0.1}, 0);
    ask_all(&asked, pace, false);
    assert_true(asked.patient.slept_us >= (COMMANDS - 1) * PATIENT_GAP_US / 2);
    assert_in_range(asked.patient.sleeps, COMMANDS - 1, LOOKS_MOST * COMMANDS);
    assert_true(asked.patient.gave_way > 0);
}

static void who_is_not_paced_neither_waits_nor_gives_way(void **state)
{
    struct asked asked;
    ask_all(&asked, NULL, false);
    assert_int_equal(asked.patient.sleeps, 0);
    assert_int_equal(asked.patient.gave_way, 0);
}

static void a_promise_that_is_taken_off_while_a_reply_is_waited_for_is_gone_at_once(void **state)
{
    struct asked asked;
    auto_(pace) pace = pace_new(&(struct governor_promise){.share = 0.1}, world_monotonic_us(world_real()));
    ask_all(&asked, pace, true);
    assert_null(asked.unpaced);
    assert_in_range(asked.patient.sleeps, 0, LOOKS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_paced_gives_way_and_is_not_woken_before_it_is_due),
        cmocka_unit_test(a_promise_that_is_taken_off_while_a_reply_is_waited_for_is_gone_at_once),
        cmocka_unit_test(of_light_commands_many_go_for_one_wait),
        cmocka_unit_test(a_script_that_a_server_lacks_is_loaded_ahead_of_all_that_wait_for_it),
        cmocka_unit_test(who_is_not_paced_neither_waits_nor_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
