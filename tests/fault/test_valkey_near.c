/* Where the record of a partition's lanes lies, in a cluster: near the partition's keys, so that a server that is slow
 * holds nobody up who has nothing there; found wherever it is, and never two of them believed in. */
#include <signal.h>

#include "holder.h"
#include "store/valkey/fence.h"

enum { PART = 5 }; /* the place of the partition's number is the first server's */

static struct holder enter(struct box *box)
{
    return holder_enter(box, world_real(), 1);
}

static void settle(struct box *box, struct holder *holder)
{
    GError *error = NULL;
    struct call call = holder_call(box);
    kit_ok(store_settle(holder->session, &call, &error));
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
    return servers_ask(&box->servers, holder_server_of(place), command, false);
}

static bool has_record(const struct box *box, uint32_t place, char name)
{
    g_autofree char *key = fence_key_of(box, place);
    g_autofree char *reply = ask_at(box, place, "HEXISTS %s %c%u", key, name, box->id.part);
    return g_str_has_prefix(reply, ":1");
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void a_new_record_lies_near_the_key(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    holder_begin(box, PART);
    struct holder first = enter(box);
    struct slice near = holder_key_on(box, 2);
    kit_ok(holder_open_lane(box, &first, 1, near, &error));
    assert_true(has_record(box, slot_of(near), 'r'));
    assert_false(has_record(box, PART, 'l'));
    kit_ok(holder_open_lane(box, &first, 2, holder_key_on(box, 1), &error));
    struct holder second = enter(box);
    kit_refused(holder_open_lane(box, &second, 2, SLICE_EMPTY, &error), BEHIND, "lane 2");
    kit_ok(holder_open_lane(box, &second, 3, SLICE_EMPTY, &error));
    assert_false(has_record(box, PART, 'l'));
    holder_leave(&first);
    holder_leave(&second);
}

/* As programs before there was a choice left it. */
static void a_record_at_the_place_of_its_number_stays_there(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    holder_begin(box, PART);
    struct holder first = enter(box), second = enter(box);
    struct slice near = holder_key_on(box, 2);
    kit_ok(holder_open_lane(box, &first, 1, SLICE_EMPTY, &error));
    assert_true(has_record(box, PART, 'l'));
    assert_int_equal(holder_write_on(box, &first, 2), CAS_WRITTEN);
    kit_refused(holder_open_lane(box, &second, 1, near, &error), BEHIND, "lane 1");
    kit_ok(holder_open_lane(box, &second, 2, near, &error));
    assert_int_equal(holder_write_on(box, &second, 2), CAS_WRITTEN);
    settle(box, &second);
    assert_int_equal(holder_write_on(box, &second, 2), CAS_WRITTEN); /* the record goes along */
    assert_false(has_record(box, slot_of(near), 'r'));
    struct holder third = enter(box);
    kit_refused(holder_open_lane(box, &third, 2, near, &error), BEHIND, "lane 2");
    holder_leave(&first);
    holder_leave(&second);
    holder_leave(&third);
}

/* Before anything is taken from who has the run. */
static void an_older_home_is_refused_and_disturbs_nobody(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    holder_begin(box, PART);
    for (unsigned server = 0; server < HOLDER_SERVERS; server++) {
        box->id.part++;
        struct holder first = enter(box), second = enter(box);
        struct slice near = holder_key_on(box, server);
        kit_ok(holder_open_lane(box, &first, 2, near, &error));
        kit_refused(holder_open_lane(box, &second, 2, near, &error), BEHIND, "lane 2");
        assert_int_equal(holder_write_on(box, &first, server), CAS_WRITTEN);
        holder_leave(&first);
        holder_leave(&second);
    }
}

/* Its writes, and what it knows of the lanes, which goes along with them. */
static void who_wakes_late_is_refused_at_whichever_place(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    holder_begin(box, PART);
    struct holder first = enter(box), second = enter(box), third = enter(box);
    struct slice near = holder_key_on(box, 1);
    kit_ok(holder_open_lane(box, &first, 1, near, &error));
    assert_int_equal(holder_write_on(box, &first, 1), CAS_WRITTEN);
    settle(box, &first);
    kit_ok(holder_open_lane(box, &second, 2, holder_key_on(box, 2), &error));
    assert_int_equal(holder_write_on(box, &first, 1), CAS_FENCED);
    kit_refused(holder_open_lane(box, &third, 2, near, &error), BEHIND, "lane 2"); /* of which no mark tells yet */
    assert_int_equal(holder_write_on(box, &second, 1), CAS_WRITTEN);
    kit_ok(holder_open_lane(box, &third, 3, near, &error));
    holder_leave(&first);
    holder_leave(&second);
    holder_leave(&third);
}

/* A server that had lost the one comes back with it: what was written since is what counts. */
static void of_two_records_the_higher_lane_counts(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    holder_begin(box, PART);
    struct holder first = enter(box), second = enter(box), third = enter(box);
    struct slice near = holder_key_on(box, 2);
    uint32_t place = slot_of(near);
    g_autofree char *key = fence_key_of(box, place);
    kit_ok(holder_open_lane(box, &first, 1, near, &error));
    g_free(ask_at(box, place, "COPY %s {%s}:kept", key, slot_tag((uint16_t)place)));
    g_free(ask_at(box, place, "HDEL %s r%u", key, PART));
    kit_ok(holder_open_lane(box, &second, 2, SLICE_EMPTY, &error));
    assert_int_equal(holder_write_on(box, &second, 1), CAS_WRITTEN);
    g_autofree char *back =
        ask_at(box, place,
               "EVAL \"return redis.call('HSET', KEYS[1], 'r%u', redis.call('HGET', KEYS[2], 'r%u'))\" 2 %s {%s}:kept",
               PART, PART, key, slot_tag((uint16_t)place));
    assert_true(g_str_has_prefix(back, ":1"));
    assert_true(has_record(box, place, 'r') && has_record(box, PART, 'l'));
    kit_refused(holder_open_lane(box, &third, 2, near, &error), BEHIND, "lane 2");
    struct call call = holder_call(box);
    struct fence before;
    struct lane next = {.fence = box->id, .lane = 3, .near = near};
    kit_ok(store_lane_open(third.session, &call, &next, &before, &error));
    assert_int_equal(before.highest, 2);
    assert_int_equal(before.n, 1);
    assert_true(fence_lane_applied(&before.lanes[0], 1));
    g_free(ask_at(box, place, "UNLINK {%s}:kept", slot_tag((uint16_t)place)));
    holder_leave(&first);
    holder_leave(&second);
    holder_leave(&third);
}

/* From the grant to behind the settled batch, and on to the next one, which takes the record along. */
static void a_partition_is_written_while_another_server_keeps_silent(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    holder_begin(box, PART);
    struct holder one = enter(box), *at = &one;
    kit_ok(holder_note(box, at, 0, SLICE_EMPTY, &error));
    kit_ok(holder_open_lane(box, at, 1, holder_key_on(box, 0), &error));
    kit_ok(holder_note(box, at, 0, SLICE_EMPTY, &error));
    assert_int_equal(holder_write_on(box, at, 0), CAS_WRITTEN);
    kit_ok(holder_note(box, at, at->number, SLICE_EMPTY, &error));
    settle(box, at); /* the record of this one is due */
    at->lane.fence.part += 1;
    struct slice near = holder_key_on(box, 1);
    holder_forget_asked(box);
    kill(box->servers.pids[0], SIGSTOP);
    g_clear_pointer(&at->line, g_free);
    kit_ok(holder_note(box, at, 0, near, &error));
    kit_ok(holder_open_lane(box, at, 1, near, &error));
    kit_ok(holder_note(box, at, 0, near, &error));
    for (int batch = 0; batch < 3; batch++) {
        assert_int_equal(holder_write_on(box, at, 1), CAS_WRITTEN);
        kit_ok(holder_note(box, at, at->number, SLICE_EMPTY, &error));
        settle(box, at);
    }
    kill(box->servers.pids[0], SIGCONT);
    assert_int_equal(holder_asked(box, 0, "evalsha"), 0);
    at->lane.fence.part += 1;
    kit_ok(holder_open_lane(box, at, 1, holder_key_on(box, 0), &error));
    assert_int_equal(holder_write_on(box, at, 0), CAS_WRITTEN);
    assert_int_equal(holder_asked(box, 0, "evalsha"), 3); /* the lane, the write, and what was due */
    holder_leave(at);
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
    return cmocka_run_group_tests(tests, holder_set_up, holder_tear_down);
}
