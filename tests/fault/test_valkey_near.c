/* Where the record of a partition's lanes lies, in a cluster: near the partition's keys, so that a server that is slow
 * holds nobody up who has nothing there; found wherever it is, and never two of them believed in. */
#include <signal.h>

#include "kit/kit.h"
#include "kit/servers.h"
#include "store/calls.h"
#include "store/valkey/fence.h"

enum { SERVERS = 3, PART = 5, MOST_US = 60000000 }; /* the place of the partition's number is the first server's */

/* An opening of the store, as a process has it. */
struct holder {
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct lane lane;
    uint64_t number; /* written so far */
    char *line;      /* the newest */
};

struct box {
    struct servers servers;
    struct dataset ds;
    struct arena *mem;
    struct fence_id id;
    unsigned keys; /* tried so far */
};

static int set_up(void **state)
{
    struct box *box = g_new0(struct box, 1);
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
    return (struct call){.ds = &box->ds, .mem = box->mem, .deadline_us = world_monotonic_us(world_real()) + MOST_US};
}

static void begin(struct box *box)
{
    servers_or_skip(&box->servers);
    box->mem = arena_new(16 << 20);
    box->ds = (struct dataset){.name = "r:*", .form = FORM_RAW};
    box->id = (struct fence_id){.part = PART};
    world_random(world_real(), box->id.run, sizeof box->id.run);
}

static struct holder enter(struct box *box)
{
    GError *error = NULL;
    struct holder holder = {.registry = store_registry_new(world_real(), NULL), .lane = {.fence = box->id}};
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u", box->servers.ports[1]);
    struct store_config config = {.uri = uri, .base_dir = box->servers.dir};
    kit_ok(store_open(&holder.store, holder.registry, &config, &error));
    kit_ok(store_session_open(&holder.session, holder.store, &error));
    return holder;
}

static void leave(struct holder *holder)
{
    store_session_close(holder->session);
    store_release(holder->registry, holder->store);
    store_registry_free(holder->registry);
    g_free(holder->line);
}

static unsigned server_of(uint32_t place)
{
    return place <= 5460 ? 0 : place <= 10921 ? 1 : 2;
}

/* A key that nothing stands at. */
static struct slice key_on(struct box *box, unsigned server)
{
    for (;;) {
        char key[24];
        g_snprintf(key, sizeof key, "r:%u", box->keys++);
        if (server_of(slot_of(slice_of_text(key))) == server)
            return slice_of_text(arena_text(box->mem, slice_of_text(key)));
    }
}

static bool open_lane(struct box *box, struct holder *holder, uint32_t lane, struct slice near, GError **error)
{
    struct call call = call_of(box);
    struct fence before;
    struct lane next = {.fence = holder->lane.fence, .lane = lane, .near = near};
    if (!store_lane_open(holder->session, &call, &next, &before, error))
        return false;
    next.near = SLICE_EMPTY;
    holder->lane = next;
    holder->number = 0;
    return true;
}

static enum cas_outcome write_on(struct box *box, struct holder *holder, unsigned server)
{
    GError *error = NULL;
    struct call call = call_of(box);
    struct cas_op op = {.key = key_on(box, server), .raw = slice_of_text("Rsvalue"), .number = ++holder->number};
    kit_ok(store_cas(holder->session, &call, &holder->lane, &op, 1, &error));
    return op.outcome;
}

static void settle(struct box *box, struct holder *holder)
{
    GError *error = NULL;
    struct call call = call_of(box);
    kit_ok(store_settle(holder->session, &call, &error));
}

/* As an executor does before a lane (`number` 0), and behind a batch. */
static bool note(struct box *box, struct holder *holder, uint64_t number, struct slice near, GError **error)
{
    struct call call = call_of(box);
    struct witness witness = {
        .fence = holder->lane.fence, .lane = number ? holder->lane.lane : 0, .number = number, .near = near};
    struct slice was = holder->line ? slice_of_text(holder->line) : SLICE_EMPTY;
    const char *now;
    if (!store_history_note(holder->session, &call, &witness, was, &now, error))
        return false;
    g_free(holder->line);
    holder->line = g_strdup(now);
    return true;
}

/* --- what stands in the store ------------------------------------------------------------------------------------- */

static char *fence_key_of(const struct box *box, uint32_t place)
{
    auto_(fences) fences = fences_new(world_real(), SLOTS);
    g_autoptr(GString) key = g_string_new(NULL);
    fence_key(fences, fences_run(fences, box->id.run), place, key);
    return g_strdup(key->str);
}

static char *ask_at(const struct box *box, uint32_t place, const char *format, ...) G_GNUC_PRINTF(3, 4);
static char *ask_at(const struct box *box, uint32_t place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    return servers_ask(&box->servers, server_of(place), command, false);
}

static bool has_record(const struct box *box, uint32_t place, char name)
{
    g_autofree char *key = fence_key_of(box, place);
    g_autofree char *reply = ask_at(box, place, "HEXISTS %s %c%u", key, name, box->id.part);
    return g_str_has_prefix(reply, ":1");
}

static void forget_asked(const struct box *box)
{
    for (unsigned i = 0; i < SERVERS; i++)
        g_free(servers_ask(&box->servers, i, "CONFIG RESETSTAT", false));
}

static unsigned scripts_run(const struct box *box, unsigned server)
{
    g_autofree char *stats = servers_ask(&box->servers, server, "INFO commandstats", true);
    const char *at = strstr(stats, "cmdstat_evalsha:calls=");
    return at ? (unsigned)g_ascii_strtoull(at + strlen("cmdstat_evalsha:calls="), NULL, 10) : 0;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void a_new_record_lies_near_the_key(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    begin(box);
    struct holder first = enter(box);
    struct slice near = key_on(box, 2);
    kit_ok(open_lane(box, &first, 1, near, &error));
    assert_true(has_record(box, slot_of(near), 'r'));
    assert_false(has_record(box, PART, 'l'));
    kit_ok(open_lane(box, &first, 2, key_on(box, 1), &error));
    struct holder second = enter(box);
    kit_refused(open_lane(box, &second, 2, SLICE_EMPTY, &error), BEHIND, "lane 2");
    kit_ok(open_lane(box, &second, 3, SLICE_EMPTY, &error));
    assert_false(has_record(box, PART, 'l'));
    leave(&first);
    leave(&second);
    arena_free(box->mem);
}

/* As programs before there was a choice left it. */
static void a_record_at_the_place_of_its_number_stays_there(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    begin(box);
    struct holder first = enter(box), second = enter(box);
    struct slice near = key_on(box, 2);
    kit_ok(open_lane(box, &first, 1, SLICE_EMPTY, &error));
    assert_true(has_record(box, PART, 'l'));
    assert_int_equal(write_on(box, &first, 2), CAS_WRITTEN);
    kit_refused(open_lane(box, &second, 1, near, &error), BEHIND, "lane 1");
    kit_ok(open_lane(box, &second, 2, near, &error));
    assert_int_equal(write_on(box, &second, 2), CAS_WRITTEN);
    settle(box, &second);
    assert_int_equal(write_on(box, &second, 2), CAS_WRITTEN); /* the record goes along */
    assert_false(has_record(box, slot_of(near), 'r'));
    struct holder third = enter(box);
    kit_refused(open_lane(box, &third, 2, near, &error), BEHIND, "lane 2");
    leave(&first);
    leave(&second);
    leave(&third);
    arena_free(box->mem);
}

/* Before anything is taken from who has the run. */
static void an_older_home_is_refused_and_disturbs_nobody(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    begin(box);
    for (unsigned server = 0; server < SERVERS; server++) {
        box->id.part++;
        struct holder first = enter(box), second = enter(box);
        struct slice near = key_on(box, server);
        kit_ok(open_lane(box, &first, 2, near, &error));
        kit_refused(open_lane(box, &second, 2, near, &error), BEHIND, "lane 2");
        assert_int_equal(write_on(box, &first, server), CAS_WRITTEN);
        leave(&first);
        leave(&second);
    }
    arena_free(box->mem);
}

/* Its writes, and what it knows of the lanes, which goes along with them. */
static void who_wakes_late_is_refused_at_whichever_place(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    begin(box);
    struct holder first = enter(box), second = enter(box), third = enter(box);
    struct slice near = key_on(box, 1);
    kit_ok(open_lane(box, &first, 1, near, &error));
    assert_int_equal(write_on(box, &first, 1), CAS_WRITTEN);
    settle(box, &first);
    kit_ok(open_lane(box, &second, 2, key_on(box, 2), &error));
    assert_int_equal(write_on(box, &first, 1), CAS_FENCED);
    kit_refused(open_lane(box, &third, 2, near, &error), BEHIND, "lane 2"); /* of which no mark tells yet */
    assert_int_equal(write_on(box, &second, 1), CAS_WRITTEN);
    kit_ok(open_lane(box, &third, 3, near, &error));
    leave(&first);
    leave(&second);
    leave(&third);
    arena_free(box->mem);
}

/* A server that had lost the one comes back with it: what was written since is what counts. */
static void of_two_records_the_higher_lane_counts(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    begin(box);
    struct holder first = enter(box), second = enter(box), third = enter(box);
    struct slice near = key_on(box, 2);
    uint32_t place = slot_of(near);
    g_autofree char *key = fence_key_of(box, place);
    kit_ok(open_lane(box, &first, 1, near, &error));
    g_free(ask_at(box, place, "COPY %s {%s}:kept", key, slot_tag((uint16_t)place)));
    g_free(ask_at(box, place, "HDEL %s r%u", key, PART));
    kit_ok(open_lane(box, &second, 2, SLICE_EMPTY, &error));
    assert_int_equal(write_on(box, &second, 1), CAS_WRITTEN);
    g_autofree char *back =
        ask_at(box, place,
               "EVAL \"return redis.call('HSET', KEYS[1], 'r%u', redis.call('HGET', KEYS[2], 'r%u'))\" 2 %s {%s}:kept",
               PART, PART, key, slot_tag((uint16_t)place));
    assert_true(g_str_has_prefix(back, ":1"));
    assert_true(has_record(box, place, 'r') && has_record(box, PART, 'l'));
    kit_refused(open_lane(box, &third, 2, near, &error), BEHIND, "lane 2");
    struct call call = call_of(box);
    struct fence before;
    struct lane next = {.fence = box->id, .lane = 3, .near = near};
    kit_ok(store_lane_open(third.session, &call, &next, &before, &error));
    assert_int_equal(before.highest, 2);
    assert_int_equal(before.n, 1);
    assert_true(fence_lane_applied(&before.lanes[0], 1));
    g_free(ask_at(box, place, "UNLINK {%s}:kept", slot_tag((uint16_t)place)));
    leave(&first);
    leave(&second);
    leave(&third);
    arena_free(box->mem);
}

/* From the grant to behind the settled batch, and on to the next one, which takes the record along. */
static void a_partition_is_written_while_another_server_keeps_silent(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    begin(box);
    struct holder one = enter(box), *at = &one;
    kit_ok(note(box, at, 0, SLICE_EMPTY, &error));
    kit_ok(open_lane(box, at, 1, key_on(box, 0), &error));
    kit_ok(note(box, at, 0, SLICE_EMPTY, &error));
    assert_int_equal(write_on(box, at, 0), CAS_WRITTEN);
    kit_ok(note(box, at, at->number, SLICE_EMPTY, &error));
    settle(box, at); /* the record of this one is due */
    at->lane.fence.part += 1;
    struct slice near = key_on(box, 1);
    forget_asked(box);
    kill(box->servers.pids[0], SIGSTOP);
    g_clear_pointer(&at->line, g_free);
    kit_ok(note(box, at, 0, near, &error));
    kit_ok(open_lane(box, at, 1, near, &error));
    kit_ok(note(box, at, 0, near, &error));
    for (int batch = 0; batch < 3; batch++) {
        assert_int_equal(write_on(box, at, 1), CAS_WRITTEN);
        kit_ok(note(box, at, at->number, SLICE_EMPTY, &error));
        settle(box, at);
    }
    kill(box->servers.pids[0], SIGCONT);
    assert_int_equal(scripts_run(box, 0), 0);
    at->lane.fence.part += 1;
    kit_ok(open_lane(box, at, 1, key_on(box, 0), &error));
    assert_int_equal(write_on(box, at, 0), CAS_WRITTEN);
    assert_int_equal(scripts_run(box, 0), 3); /* the lane, the write, and what was due */
    leave(at);
    arena_free(box->mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_record_lies_near_the_key),
        cmocka_unit_test(a_record_at_the_place_of_its_number_stays_there),
        cmocka_unit_test(an_older_home_is_refused_and_disturbs_nobody),
        cmocka_unit_test(who_wakes_late_is_refused_at_whichever_place),
        cmocka_unit_test(of_two_records_the_higher_lane_counts),
        cmocka_unit_test(a_partition_is_written_while_another_server_keeps_silent),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
