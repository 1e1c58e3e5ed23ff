#include "conformance/stand.h"
#include "pace/servers.h"

enum { CLOCKS_APART_MS = 1000 };

static void the_store_says_what_it_is(struct stand *stand)
{
    GError *error = NULL;
    stand_fill(stand, 20);
    struct call call = stand_call(stand);
    struct store_info info;
    kit_ok(store_inspect(stand->session, &call, &info, &error));
    assert_non_null(info.identity);
    assert_true(info.identity[0] != '\0');
    assert_true(info.dataset_present && info.keyed);
    assert_in_range(info.clock_ms, stand_now_ms(stand) - CLOCKS_APART_MS, stand_now_ms(stand));
}

static void the_identity_is_the_same_for_every_session_and_opening(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct store_info info;
    kit_ok(store_inspect(stand->session, &call, &info, &error));
    g_autofree char *identity = g_strdup(info.identity);
    auto_(session) other = NULL;
    kit_ok(store_session_open(&other, stand->store, &error));
    kit_ok(store_inspect(other, &call, &info, &error));
    assert_string_equal(info.identity, identity);
    store_session_close(g_steal_pointer(&other));
    stand_close(stand);
    stand_open(stand);
    kit_ok(store_inspect(stand->session, &call, &info, &error));
    assert_string_equal(info.identity, identity);
}

static void a_place_opened_twice_is_one_store(struct stand *stand)
{
    GError *error = NULL;
    struct store *again = NULL;
    struct store_config config = {.uri = stand->uri, .base_dir = stand->dir, .read_only = true};
    kit_ok(store_open(&again, stand->registry, &config, &error));
    assert_ptr_equal(again, stand->store);
    store_release(stand->registry, again);
    assert_int_equal(stand_read(stand, slice_of_text("still open")).presence, RECORD_ABSENT);
}

static void a_call_past_its_deadline_does_nothing(struct stand *stand)
{
    GError *error = NULL;
    struct cas_op op = stand_op(stand, slice_of_text("late"), 1);
    struct call call = stand_call(stand);
    call.deadline_us = world_monotonic_us(&stand->fake.world);
    op.outcome = CAS_UNKNOWN;
    kit_refused(store_cas(stand->session, &call, &stand->lane, &op, 1, &error), TIMED_OUT, "deadline");
    assert_int_equal(op.outcome, CAS_NOT_SENT);
    assert_int_equal(stand_read(stand, op.key).presence, RECORD_ABSENT);
    struct record record = {.key = op.key};
    kit_refused(store_read(stand->session, &call, &record, 1, &error), TIMED_OUT, "deadline");
    call.deadline_us = world_monotonic_us(&stand->fake.world) + 10000000;
    kit_ok(store_read(stand->session, &call, &record, 1, &error));
}

static void a_cancelled_call_does_nothing(struct stand *stand)
{
    GError *error = NULL;
    struct cas_op op = stand_op(stand, slice_of_text("unwanted"), 1);
    struct call call = stand_call(stand);
    atomic_bool cancel = true;
    call.cancel = &cancel;
    kit_refused(store_cas(stand->session, &call, &stand->lane, &op, 1, &error), CANCELLED, "request");
    assert_int_equal(op.outcome, CAS_NOT_SENT);
    kit_refused(store_settle(stand->session, &call, &error), CANCELLED, "request");
    assert_int_equal(stand_read(stand, op.key).presence, RECORD_ABSENT);
}

static void a_settle_may_be_repeated(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    kit_ok(store_settle(stand->session, &call, &error));
    stand_put(stand, slice_of_text("key"), 1, EXPIRES_NEVER);
    kit_ok(store_settle(stand->session, &call, &error));
    kit_ok(store_settle(stand->session, &call, &error));
}

/* --- the lock ----------------------------------------------------------------------------------------------------- */

static struct store_lock holder(struct stand *stand, const char *run)
{
    struct store_lock lock = {.run = run, .host = "host-a", .home = "/home/a"};
    struct fence_id id = stand_other_run(stand);
    memcpy(lock.run_uid, id.run, sizeof(lock.run_uid));
    return lock;
}

static bool take(struct stand *stand, struct store_lock *io, bool force, GError **error)
{
    struct call call = stand_call(stand);
    return store_lock(stand->session, &call, io, force, error);
}

static void let_go(struct stand *stand, const struct store_lock *lock)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    kit_ok(store_unlock(stand->session, &call, lock->run_uid, &error));
}

static void a_lock_keeps_other_runs_out_and_names_its_holder(struct stand *stand)
{
    GError *error = NULL;
    struct store_lock first = holder(stand, "fix.1"), second = holder(stand, "other.7"), io = second;
    kit_ok(take(stand, &first, false, &error));
    kit_ok(take(stand, &first, false, &error));
    kit_refused(take(stand, &io, false, &error), LOCKED, "fix.1");
    assert_string_equal(io.run, "fix.1");
    assert_string_equal(io.host, "host-a");
    assert_string_equal(io.home, "/home/a");
    assert_memory_equal(io.run_uid, first.run_uid, sizeof(io.run_uid));
    let_go(stand, &second);
    io = second;
    kit_refused(take(stand, &io, false, &error), LOCKED, "fix.1");
    let_go(stand, &first);
    kit_ok(take(stand, &second, false, &error));
    let_go(stand, &second);
    let_go(stand, &second);
}

static void force_takes_a_lock_from_its_holder(struct stand *stand)
{
    GError *error = NULL;
    struct store_lock first = holder(stand, "fix.1"), second = holder(stand, "other.7"), io = first;
    kit_ok(take(stand, &first, false, &error));
    kit_ok(take(stand, &second, true, &error));
    kit_refused(take(stand, &io, false, &error), LOCKED, "other.7");
    let_go(stand, &first);
    io = first;
    kit_refused(take(stand, &io, false, &error), LOCKED, "other.7");
    let_go(stand, &second);
}

static void a_lock_is_taken_over_from_one_run_alone(struct stand *stand)
{
    GError *error = NULL;
    struct store_lock first = holder(stand, "fix.1"), second = holder(stand, "other.7"), third = holder(stand, "new.1");
    kit_ok(take(stand, &first, false, &error));
    memcpy(second.over_uid, third.run_uid, sizeof second.over_uid);
    struct store_lock io = second;
    kit_refused(take(stand, &io, false, &error), LOCKED, "fix.1");
    assert_memory_equal(io.run_uid, first.run_uid, sizeof io.run_uid);
    memcpy(second.over_uid, first.run_uid, sizeof second.over_uid);
    memcpy(third.over_uid, first.run_uid, sizeof third.over_uid);
    kit_ok(take(stand, &second, false, &error));
    kit_refused(take(stand, &third, false, &error), LOCKED, "other.7"); /* who was quicker has it */
    let_go(stand, &second);
}

static void a_lock_is_of_one_dataset(struct stand *stand)
{
    GError *error = NULL;
    struct store_lock first = holder(stand, "fix.1"), second = holder(stand, "other.7");
    kit_ok(take(stand, &first, false, &error));
    const char *name = stand->ds.name;
    g_autofree char *another = g_strconcat("another", stand->subject->dataset, NULL);
    stand->ds.name = another;
    kit_ok(take(stand, &second, false, &error));
    let_go(stand, &second);
    stand->ds.name = name;
    let_go(stand, &first);
}

static void a_lock_outlives_the_store(struct stand *stand)
{
    GError *error = NULL;
    struct store_lock first = holder(stand, "fix.1"), io = holder(stand, "other.7");
    kit_ok(take(stand, &first, false, &error));
    stand_close(stand);
    stand_open(stand);
    kit_refused(take(stand, &io, false, &error), LOCKED, "fix.1");
    let_go(stand, &first);
}

/* --- the end of a run --------------------------------------------------------------------------------------------- */

static void ends_with(struct stand *stand, const struct fence_id *run, const char *mark)
{
    GError *error = NULL;
    struct slice found = slice_of_text("nothing was said");
    struct call call = stand_call(stand);
    kit_ok(store_end_read(stand->session, &call, run->run, &found, &error));
    if (!slice_equal(found, slice_of_text(mark)))
        fail_msg("'%.*s' stands, not '%s'", (int)found.len, (const char *)found.data, mark);
}

/* Of one run, whatever else there is of it, and behind what comes and goes after it. */
static void the_end_of_a_run_is_told_until_there_is_a_later_one(struct stand *stand)
{
    GError *error = NULL;
    struct fence_id first = stand_other_run(stand), second = stand_other_run(stand);
    struct store_lock lock = holder(stand, "fix.1");
    struct call call = stand_call(stand);
    if (!session_driver(stand->session)->write->end_mark)
        return;
    memcpy(lock.run_uid, first.run, sizeof lock.run_uid);
    ends_with(stand, &first, "");
    kit_ok(store_end_mark(stand->session, &call, first.run, slice_of_text("{\"number\":1}"), &error));
    kit_ok(store_end_mark(stand->session, &call, second.run, slice_of_text("{}"), &error));
    ends_with(stand, &first, "{\"number\":1}");
    kit_ok(store_end_mark(stand->session, &call, first.run, slice_of_text("{\"number\":2, \"more\": true}"), &error));
    kit_ok(store_fence_drop(stand->session, &call, first.run, &error));
    kit_ok(take(stand, &lock, false, &error));
    let_go(stand, &lock);
    kit_ok(store_settle(stand->session, &call, &error));
    stand_close(stand);
    stand_open(stand);
    ends_with(stand, &first, "{\"number\":2, \"more\": true}");
    ends_with(stand, &second, "{}");
}

/* In the first lull nothing of a run's goes to a server, and a call that is to stop gives up what waits for that. */
static void its_health_is_heard_while_nothing_else_may_go(struct stand *stand)
{
    GError *error = NULL;
    const struct store_driver *driver = session_driver(stand->session);
    struct governor_promise promise = {.limit_us = 1000};
    auto_(pace) pace = pace_new(&promise, world_monotonic_us(&stand->fake.world));
    g_autoptr(GArray) health = g_array_new(false, false, sizeof(struct node_health));
    atomic_bool stop = true;
    struct call call = stand_call(stand);
    struct record record = {.key = stand_key(stand, 1)};
    call.stop = &stop;
    if (!driver->probe || !driver->health)
        return;
    driver->probe->set_pace(stand->store, pace);
    bool read = store_read(stand->session, &call, &record, 1, NULL);
    bool heard = store_health(stand->session, &call, health, &error);
    driver->probe->set_pace(stand->store, NULL);
    assert_false(read);
    kit_ok(heard);
    assert_int_not_equal(health->len, 0);
}

#define WRITES (NEEDS(READ) | NEEDS(CAS) | NEEDS(FENCE) | NEEDS(SCAN))

const struct conformance_case store_cases[] = {
    {"the-store-says-what-it-is", WRITES, the_store_says_what_it_is},
    {"the-identity-is-the-same-for-every-session-and-opening", 0,
     the_identity_is_the_same_for_every_session_and_opening},
    {"a-place-opened-twice-is-one-store", NEEDS(READ), a_place_opened_twice_is_one_store},
    {"a-call-past-its-deadline-does-nothing", WRITES, a_call_past_its_deadline_does_nothing},
    {"a-cancelled-call-does-nothing", WRITES | NEEDS(SETTLE), a_cancelled_call_does_nothing},
    {"its-health-is-heard-while-nothing-else-may-go", NEEDS(READ), its_health_is_heard_while_nothing_else_may_go},
    {"a-settle-may-be-repeated", WRITES | NEEDS(SETTLE), a_settle_may_be_repeated},
    {"a-lock-keeps-other-runs-out-and-names-its-holder", NEEDS(LOCK), a_lock_keeps_other_runs_out_and_names_its_holder},
    {"force-takes-a-lock-from-its-holder", NEEDS(LOCK), force_takes_a_lock_from_its_holder},
    {"a-lock-is-taken-over-from-one-run-alone", NEEDS(LOCK), a_lock_is_taken_over_from_one_run_alone},
    {"a-lock-is-of-one-dataset", NEEDS(LOCK), a_lock_is_of_one_dataset},
    {"a-lock-outlives-the-store", NEEDS(LOCK), a_lock_outlives_the_store},
    {"the-end-of-a-run-is-told-until-there-is-a-later-one", NEEDS(LOCK),
     the_end_of_a_run_is_told_until_there_is_a_later_one},
    {NULL, 0, NULL},
};
