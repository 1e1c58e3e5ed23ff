/* Which servers of a cluster are asked who they are before what was written counts, and what is made of those that are
 * not: a slow one slows those alone who have something there. */
#include <signal.h>

#include "base/thread.h"
#include "kit/kit.h"
#include "kit/servers.h"
#include "store/calls.h"
#include "store/valkey/slot.h"

#define PATIENCE_US INT64_C(60000000)

enum { SERVERS = 3, HOME = 6000 }; /* the partition, and the slot of its record, which is the second server's */
enum word { NODE, RUN_ID, REPLID, OFFSET, REPLID2, SECOND, HAS, COVERED };
static const char *const SLOTS_OF[SERVERS] = {"0-5460", "5461-10921", "10922-16383"};
#define NO_OFFSET "9223372036854775807"

struct box {
    struct servers servers;
    struct world world; /* the real one, but for a clock that the test sets forward */
    struct world_clock clock;
    atomic_int_fast64_t forward_us;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct dataset ds;
    struct arena *mem;
    struct lane lane;
    uint64_t number; /* written so far */
    unsigned keys;   /* tried so far */
    char *line;      /* the newest */
};

static int64_t wall_ms(void *self)
{
    return world_wall_ms(world_real());
}

static int64_t monotonic_us(void *self)
{
    return world_monotonic_us(world_real()) + atomic_load(&((struct box *)self)->forward_us);
}

static void sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    world_sleep_us(world_real(), us, cancel);
}

static int set_up(void **state)
{
    struct box *box = g_new0(struct box, 1);
    box->world = *world_real();
    box->clock = (struct world_clock){.wall_ms = wall_ms, .monotonic_us = monotonic_us, .sleep_us = sleep_us};
    box->world.clock = &box->clock;
    box->world.clock_self = box;
    servers_find_cluster(&box->servers, SERVERS);
    *state = box;
    return 0;
}

static int tear_down(void **state)
{
    struct box *box = *state;
    servers_end(&box->servers);
    g_free(box);
    return 0;
}

static struct call call_of(struct box *box)
{
    return (struct call){.ds = &box->ds, .mem = box->mem, .deadline_us = world_monotonic_us(&box->world) + PATIENCE_US};
}

/* As an executor does: `number` 0 before anything is written, else behind it. */
static bool note_near(struct box *box, uint64_t number, const char *near, GError **error)
{
    struct call call = call_of(box);
    struct witness witness = {.fence = box->lane.fence, .lane = number ? box->lane.lane : 0, .number = number};
    witness.near = slice_of_text(near);
    struct slice was = box->line ? slice_of_text(box->line) : SLICE_EMPTY;
    const char *now;
    if (!store_history_note(box->session, &call, &witness, was, &now, error))
        return false;
    g_free(box->line);
    box->line = g_strdup(now);
    return number == 0 || store_settle(box->session, &call, error);
}

static bool note(struct box *box, uint64_t number, GError **error)
{
    return note_near(box, number, "", error);
}

static void end(struct box *box)
{
    store_session_close(box->session);
    store_release(box->registry, box->store);
    store_registry_free(box->registry);
    arena_free(box->mem);
    g_clear_pointer(&box->line, g_free);
}

static unsigned server_of(const char *key)
{
    uint16_t slot = slot_of(slice_of_text(key));
    return slot <= 5460 ? 0 : slot <= 10921 ? 1 : 2;
}

enum { KEY_BYTES = 24 };

/* One that the server has, at which nothing stands. */
static void key_on(struct box *box, unsigned server, char into[KEY_BYTES])
{
    do
        g_snprintf(into, KEY_BYTES, "r:%u", box->keys++);
    while (server_of(into) != server);
}

static void write_on(struct box *box, unsigned server)
{
    GError *error = NULL;
    struct call call = call_of(box);
    char key[KEY_BYTES];
    key_on(box, server, key);
    struct cas_op op = {.key = slice_of_text(key), .raw = slice_of_text("Rsvalue"), .number = ++box->number};
    kit_ok(store_cas(box->session, &call, &box->lane, &op, 1, &error));
    assert_int_equal(op.outcome, CAS_WRITTEN);
}

static void enter(struct box *box)
{
    GError *error = NULL;
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u", box->servers.ports[0]);
    struct store_config config = {.uri = uri, .base_dir = box->servers.dir};
    box->mem = arena_new(16 << 20);
    box->ds = (struct dataset){.name = "r:*", .form = FORM_RAW};
    box->lane = (struct lane){.lane = 1, .fence = {.part = HOME}};
    world_random(world_real(), box->lane.fence.run, sizeof box->lane.fence.run);
    box->number = 0;
    box->registry = store_registry_new(&box->world, NULL);
    kit_ok(store_open(&box->store, box->registry, &config, &error));
    kit_ok(store_session_open(&box->session, box->store, &error));
}

/* With a batch through: taking the run over has written on all of them. */
static void begin(struct box *box)
{
    GError *error = NULL;
    struct fence before;
    enter(box);
    struct call call = call_of(box);
    kit_ok(store_lane_open(box->session, &call, &box->lane, &before, &error));
    kit_ok(note(box, 0, &error));
    write_on(box, 1);
    kit_ok(note(box, box->number, &error));
}

static void forget_asked(const struct box *box)
{
    for (unsigned i = 0; i < SERVERS; i++)
        g_free(servers_ask(&box->servers, i, "CONFIG RESETSTAT", false));
}

/* How often, this one left out. */
static uint64_t times_asked(const struct box *box, unsigned server)
{
    static const char CALLS[] = "cmdstat_info:calls=";
    g_autofree char *stats = servers_ask(&box->servers, server, "INFO commandstats", true);
    const char *line = strstr(stats, CALLS);
    return line ? g_ascii_strtoull(line + strlen(CALLS), NULL, 10) : 0;
}

static bool was_asked(const struct box *box, unsigned server)
{
    return times_asked(box, server) > 0;
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

static void change(struct box *box, unsigned server, enum word word, const char *other)
{
    char *changed;
    g_free(word_of(box->line, server, word, other, &changed));
    g_free(box->line);
    box->line = changed;
}

static void assert_word(const struct box *box, unsigned server, enum word word, const char *wanted)
{
    g_autofree char *found = word_of(box->line, server, word, NULL, NULL);
    assert_string_equal(found, wanted);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void who_has_written_on_one_server_asks_that_one_alone(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    servers_or_skip(&box->servers);
    begin(box);
    g_autofree char *run_id = word_of(box->line, 0, RUN_ID, NULL, NULL);
    for (int round = 0; round < 3; round++) {
        write_on(box, 1);
        forget_asked(box);
        kit_ok(note(box, box->number, &error));
        assert_true(was_asked(box, 1));
        assert_false(was_asked(box, 0));
        assert_false(was_asked(box, 2));
        assert_word(box, 0, RUN_ID, run_id);
        assert_word(box, 0, OFFSET, NO_OFFSET);
        assert_word(box, 0, COVERED, "0");
        assert_word(box, 1, COVERED, "1");
    }
    end(box);
}

static void one_that_was_replaced_is_found_out_once_it_is_written_on(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    servers_or_skip(&box->servers);
    begin(box);
    change(box, 2, RUN_ID, "0123456789abcdef");
    write_on(box, 1);
    kit_ok(note(box, box->number, &error));
    assert_word(box, 2, RUN_ID, "0123456789abcdef");
    write_on(box, 2);
    kit_refused(note(box, box->number, &error), UNSETTLED, "replaced");
    end(box);
}

/* What is read of fences is of all of them. */
static void before_anything_is_written_all_are_asked(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    servers_or_skip(&box->servers);
    begin(box);
    change(box, 2, RUN_ID, "0123456789abcdef");
    kit_refused(note(box, 0, &error), UNSETTLED, "replaced");
    end(box);
}

/* Nothing of a partition was written before its first lane: of others it is enough what is known of them. */
static void before_a_first_lane_the_server_of_its_keys_alone_is_asked(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    char near[KEY_BYTES];
    servers_or_skip(&box->servers);
    begin(box);
    key_on(box, 2, near);
    g_autofree char *run_id = word_of(box->line, 0, RUN_ID, NULL, NULL);
    g_clear_pointer(&box->line, g_free);
    for (int round = 0; round < 2; round++) { /* before the lane is opened, and behind it */
        forget_asked(box);
        kit_ok(note_near(box, 0, near, &error));
        assert_true(was_asked(box, 2));
        assert_false(was_asked(box, 0) || was_asked(box, 1));
        assert_word(box, 0, RUN_ID, run_id);
        assert_word(box, 0, OFFSET, NO_OFFSET);
        assert_word(box, 0, COVERED, "0");
    }
    end(box);
}

static void one_that_was_replaced_before_a_first_lane_is_found_out_once_it_is_written_on(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    char near[KEY_BYTES];
    servers_or_skip(&box->servers);
    begin(box);
    key_on(box, 1, near);
    g_clear_pointer(&box->line, g_free);
    kit_ok(note_near(box, 0, near, &error));
    change(box, 2, RUN_ID, "0123456789abcdef");
    write_on(box, 2);
    kit_refused(note(box, box->number, &error), UNSETTLED, "replaced");
    change(box, 2, RUN_ID, "0123456789abcdef");
    key_on(box, 2, near);
    kit_refused(note_near(box, 0, near, &error), UNSETTLED, "replaced");
    end(box);
}

static void who_knows_of_none_asks_all(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    char near[KEY_BYTES];
    servers_or_skip(&box->servers);
    enter(box);
    key_on(box, 1, near);
    kit_ok(note_near(box, 0, near, &error));
    for (unsigned i = 0; i < SERVERS; i++) {
        g_autofree char *offset = word_of(box->line, i, OFFSET, NULL, NULL);
        assert_string_not_equal(offset, NO_OFFSET);
    }
    end(box);
}

static void where_slots_were_given_away_all_are_asked_and_show_it(void **state)
{
    GError *error = NULL;
    struct box *box = *state;
    servers_or_skip(&box->servers);
    begin(box);
    change(box, 0, HAS, "0-5459");
    write_on(box, 1);
    forget_asked(box);
    kit_ok(note(box, box->number, &error));
    for (unsigned i = 0; i < SERVERS; i++) {
        g_autofree char *offset = word_of(box->line, i, OFFSET, NULL, NULL);
        assert_true(was_asked(box, i));
        assert_string_not_equal(offset, NO_OFFSET);
        assert_word(box, i, COVERED, "1");
    }
    end(box);
}

struct silence {
    struct box *box;
    unsigned silent;
    bool others_asked;
};

/* Until all the others were asked; then nobody has any time left. */
static void let_time_pass(void *self)
{
    struct silence *silence = self;
    struct box *box = silence->box;
    int64_t most_us = g_get_monotonic_time() + PATIENCE_US / 2;
    for (uint64_t by_us = 0; !silence->others_asked && g_get_monotonic_time() < most_us; by_us++) {
        silence->others_asked = true;
        for (unsigned i = 0; i < SERVERS; i++)
            silence->others_asked &= i == silence->silent || times_asked(box, i) > by_us;
    }
    atomic_fetch_add(&box->forward_us, PATIENCE_US);
}

static void one_that_keeps_silent_keeps_nobody_from_being_asked(void **state)
{
    static const atomic_bool NEVER; /* who may be given up looks at the clock from time to time */
    struct box *box = *state;
    servers_or_skip(&box->servers);
    begin(box);
    for (unsigned silent = 0; silent < SERVERS; silent++) {
        GError *error = NULL;
        struct call call = call_of(box);
        struct witness none = {.fence = box->lane.fence};
        struct silence silence = {.box = box, .silent = silent};
        struct thread *thread;
        const char *now;
        call.cancel = &NEVER;
        forget_asked(box);
        kill(box->servers.pids[silent], SIGSTOP);
        kit_ok(thread_start(&thread, "time", let_time_pass, &silence, &error));
        assert_false(store_history_note(box->session, &call, &none, SLICE_EMPTY, &now, &error));
        kill(box->servers.pids[silent], SIGCONT);
        thread_join(thread);
        assert_true(error_class(error) == ERROR_TRANSIENT);
        g_clear_error(&error);
        assert_true(silence.others_asked);
    }
    end(box);
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
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
