/* Several threads, each with a session of its own. They count what they met; too little of it fails the case. */
#include "conformance/stand.h"

enum { WRITERS = 3, KEYS = 12, KEYS_AT_ONCE = 6, CHANGED_WANTED = 1000, ROUNDS_MOST = 400000, ARENA_BYTES = 8 << 20 };

struct writer {
    struct stand *stand;
    struct session *session;
    struct arena *mem;
    struct lane lane;
    atomic_size_t *changed; /* of all writers */
    atomic_bool *stop;
    atomic_size_t progress;
    uint64_t seed;
    uint64_t written, done, fenced, odd; /* odd: calls that failed, and outcomes that must not be */
    GByteArray *outcomes;                /* by number, of those who keep them */
};

static struct slice counter_key(struct arena *mem, uint64_t i)
{
    char *text = arena_alloc(mem, 16);
    return slice_of(text, (size_t)g_snprintf(text, 16, "c%03u", (unsigned)i));
}

static struct call writer_call(struct writer *writer)
{
    arena_reset(writer->mem);
    return (struct call){.ds = &writer->stand->ds, .mem = writer->mem};
}

static void count(struct writer *writer, const struct cas_op *op)
{
    writer->written += op->outcome == CAS_WRITTEN;
    writer->done += op->outcome == CAS_DONE;
    writer->fenced += op->outcome == CAS_FENCED;
    if (op->outcome == CAS_CHANGED)
        atomic_fetch_add(writer->changed, 1);
    writer->odd += op->outcome == CAS_NOT_SENT || op->outcome == CAS_REFUSED || op->outcome == CAS_UNKNOWN;
}

static void writers_begin(struct stand *stand, struct writer *writers, size_t n, bool same_lane)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    for (size_t i = 0; i < n; i++) {
        writers[i] = (struct writer){.stand = stand, .mem = arena_new(ARENA_BYTES), .seed = fake_next(&stand->seed)};
        writers[i].lane = stand->lane;
        writers[i].outcomes = g_byte_array_new();
        kit_ok(store_session_open(&writers[i].session, stand->store, &error));
        if (same_lane)
            continue;
        struct fence before;
        writers[i].lane.fence.part = (uint32_t)(100 + i);
        kit_ok(store_lane_open(stand->session, &call, &writers[i].lane, &before, &error));
    }
}

static void writers_end(struct writer *writers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        store_session_close(writers[i].session);
        arena_free(writers[i].mem);
        g_byte_array_unref(writers[i].outcomes);
    }
}

/* --- counters ------------------------------------------------------------------------------------------------------
 */

static bool count_up(struct writer *writer, uint64_t *number)
{
    struct call call = writer_call(writer);
    struct record images[KEYS_AT_ONCE];
    struct cas_op ops[KEYS_AT_ONCE];
    uint64_t first = fake_next(&writer->seed) % KEYS;
    for (size_t i = 0; i < KEYS_AT_ONCE; i++)
        images[i] = (struct record){.key = counter_key(writer->mem, (first + i * 5) % KEYS)};
    if (!store_read(writer->session, &call, images, KEYS_AT_ONCE, NULL))
        return false;
    g_thread_yield();
    for (size_t i = 0; i < KEYS_AT_ONCE; i++) {
        int64_t value =
            images[i].presence == RECORD_PRESENT ? stand_value_in(writer->stand, writer->mem, images[i].raw) : 0;
        ops[i] = (struct cas_op){.key = images[i].key, .etag = images[i].etag, .number = ++*number};
        ops[i].raw = stand_raw_in(writer->stand, writer->mem, value + 1);
    }
    if (!store_cas(writer->session, &call, &writer->lane, ops, KEYS_AT_ONCE, NULL))
        return false;
    for (size_t i = 0; i < KEYS_AT_ONCE; i++)
        count(writer, &ops[i]);
    writer->lane.base = *number;
    return true;
}

static void *count_up_often(void *at)
{
    struct writer *writer = at;
    uint64_t number = 0;
    for (unsigned i = 0; i < ROUNDS_MOST && atomic_load(writer->changed) < CHANGED_WANTED; i++)
        writer->odd += !count_up(writer, &number);
    return NULL;
}

/* Everyone adds one to what was read: a lost update would show in the sum. */
static void no_update_is_lost_among_writers(struct stand *stand)
{
    struct writer writers[WRITERS];
    GThread *threads[WRITERS];
    atomic_size_t changed = 0;
    writers_begin(stand, writers, WRITERS, false);
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i].changed = &changed;
        threads[i] = g_thread_new("writer", count_up_often, &writers[i]);
    }
    uint64_t written = 0;
    for (size_t i = 0; i < WRITERS; i++) {
        g_thread_join(threads[i]);
        written += writers[i].written;
        assert_int_equal(writers[i].odd + writers[i].done + writers[i].fenced, 0);
    }
    int64_t sum = 0;
    for (unsigned i = 0; i < KEYS; i++)
        sum += stand_value(stand, stand_read(stand, counter_key(stand->mem, i)).raw);
    assert_int_equal(sum, written);
    assert_true(atomic_load(&changed) >= CHANGED_WANTED);
    writers_end(writers, WRITERS);
}

/* --- the same numbers from two sides --------------------------------------------------------------------------------
 */

enum { TWICE_CALLS = 100, TWICE_OPS = 10 };

static void *send_all_numbers(void *at)
{
    struct writer *writer = at;
    for (unsigned c = 0; c < TWICE_CALLS; c++) {
        struct call call = writer_call(writer);
        struct cas_op ops[TWICE_OPS];
        for (unsigned i = 0; i < TWICE_OPS; i++) {
            uint64_t number = c * TWICE_OPS + i + 1;
            ops[i] = (struct cas_op){.key = counter_key(writer->mem, number), .number = number};
            ops[i].raw = stand_raw_in(writer->stand, writer->mem, 1);
        }
        writer->odd += !store_cas(writer->session, &call, &writer->lane, ops, TWICE_OPS, NULL);
        for (unsigned i = 0; i < TWICE_OPS; i++)
            count(writer, &ops[i]);
    }
    return NULL;
}

/* A request that was given up and its retry: whichever arrives first writes, the other learns that it is done. */
static void a_number_sent_from_two_sides_is_written_once(struct stand *stand)
{
    struct writer writers[2];
    GThread *threads[2];
    atomic_size_t changed = 0;
    writers_begin(stand, writers, 2, true);
    for (size_t i = 0; i < 2; i++) {
        writers[i].changed = &changed;
        threads[i] = g_thread_new("writer", send_all_numbers, &writers[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        g_thread_join(threads[i]);
        assert_int_equal(writers[i].odd + writers[i].fenced, 0);
    }
    assert_int_equal(atomic_load(&changed), 0);
    assert_int_equal(writers[0].written + writers[1].written, TWICE_CALLS * TWICE_OPS);
    assert_int_equal(writers[0].done + writers[1].done, TWICE_CALLS * TWICE_OPS);
    writers_end(writers, 2);
}

/* --- closing while writes are under way -----------------------------------------------------------------------------
 */

static void *write_until_fenced(void *at)
{
    struct writer *writer = at;
    for (uint64_t number = 1; !writer->fenced && !writer->odd && number < ROUNDS_MOST; number++) {
        struct call call = writer_call(writer);
        struct cas_op op = {.key = counter_key(writer->mem, number % 900), .number = number};
        struct record image = {.key = op.key};
        writer->odd += !store_read(writer->session, &call, &image, 1, NULL);
        op.etag = image.etag;
        op.raw = stand_raw_in(writer->stand, writer->mem, (int64_t)number);
        writer->odd += !store_cas(writer->session, &call, &writer->lane, &op, 1, NULL);
        count(writer, &op);
        uint8_t outcome = (uint8_t)op.outcome;
        g_byte_array_append(writer->outcomes, &outcome, 1);
        atomic_store(&writer->progress, number);
    }
    return NULL;
}

/* What the opening of the next lane says of the last one is final: every write before it is marked, none comes after.
 */
static void no_write_passes_a_closed_lane(struct stand *stand)
{
    GError *error = NULL;
    struct writer writer;
    atomic_size_t changed = 0;
    for (uint32_t turn = 0; turn < 20; turn++) {
        struct call call = stand_call(stand);
        stand->lane.fence.part = 1000 + turn;
        struct fence fence;
        kit_ok(store_lane_open(stand->session, &call, &stand->lane, &fence, &error));
        writers_begin(stand, &writer, 1, true);
        writer.changed = &changed;
        GThread *thread = g_thread_new("writer", write_until_fenced, &writer);
        while (atomic_load(&writer.progress) < 30 + turn)
            g_thread_yield();
        struct lane next = stand->lane;
        next.lane++;
        kit_ok(store_lane_open(stand->session, &call, &next, &fence, &error));
        g_thread_join(thread);
        assert_int_equal(writer.odd, 0);
        assert_int_equal(writer.fenced, 1);
        for (uint64_t number = 1; number <= writer.outcomes->len; number++)
            assert_int_equal(fence_lane_applied(&fence.lanes[0], number),
                             writer.outcomes->data[number - 1] == CAS_WRITTEN);
        writers_end(&writer, 1);
    }
    assert_int_equal(atomic_load(&changed), 0);
}

#define WRITES (NEEDS(READ) | NEEDS(CAS) | NEEDS(FENCE) | NEEDS(SCAN))

const struct conformance_case race_cases[] = {
    {"no-update-is-lost-among-writers", WRITES, no_update_is_lost_among_writers},
    {"a-number-sent-from-two-sides-is-written-once", WRITES, a_number_sent_from_two_sides_is_written_once},
    {"no-write-passes-a-closed-lane", WRITES, no_write_passes_a_closed_lane},
    {NULL, 0, NULL},
};
