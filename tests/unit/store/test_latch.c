#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/rocksdb/latch.h"

/* --- two latches ----------------------------------------------------------------------------------------------------
 */

struct taker {
    struct latches *latches;
    struct latch latch;
    const struct world *world;
    atomic_bool *cancel;
    bool taken;
};

static void *take(void *at)
{
    struct taker *taker = at;
    struct call call = {.cancel = taker->cancel};
    taker->taken = latch_take(taker->latches, &taker->latch, &call, taker->world, NULL);
    return NULL;
}

static size_t arrived(struct latches *latches)
{
    auto_hold(&latches->lock);
    return g_queue_get_length(&latches->arrived);
}

static size_t keys_of(const char *letters, struct slice *into)
{
    size_t n = 0;
    for (; letters[n]; n++)
        into[n] = slice_of(letters + n, 1);
    return n;
}

struct pair {
    const char *keys[2], *family[2], *fence[2];
};

/* The second is asked for, by a call that is given up already, while the first is held: given up is only what waits. */
static bool second_waits(const struct pair *pair)
{
    struct latches latches;
    struct fake_world fake;
    struct slice keys[2][8];
    struct latch both[2];
    atomic_bool cancel = true;
    fake_world_init(&fake);
    latches_init(&latches);
    for (int i = 0; i < 2; i++)
        both[i] = (struct latch){.family = pair->family[i],
                                 .keys = keys[i],
                                 .n = keys_of(pair->keys[i], keys[i]),
                                 .fence = slice_of_text(pair->fence[i])};
    struct call call = {.cancel = NULL};
    assert_true(latch_take(&latches, &both[0], &call, &fake.world, NULL));
    struct taker second = {.latches = &latches, .latch = both[1], .world = &fake.world, .cancel = &cancel};
    GThread *thread = g_thread_new("second", take, &second);
    while (arrived(&latches) < 2)
        g_thread_yield();
    latch_release(&latches, &both[0]);
    g_thread_join(thread);
    if (second.taken)
        latch_release(&latches, &second.latch);
    assert_int_equal(arrived(&latches), 0);
    latches_done(&latches);
    return !second.taken;
}

static void what_has_something_in_common_waits(void **state)
{
    static const struct pair pairs[] = {
        {{"abc", "c"}, {"d", "d"}, {"", ""}}, {{"aceg", "bdfg"}, {"d", "d"}, {"", ""}},
        {{"a", "a"}, {"d", "d"}, {"f", "g"}}, {{"abc", "xyz"}, {"d", "e"}, {"f", "f"}},
        {{"", ""}, {"", ""}, {"f", "f"}},     {{"m", "aemz"}, {"d", "d"}, {"f", ""}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
        assert_true(second_waits(&pairs[i]));
}

static void what_has_nothing_in_common_passes(void **state)
{
    static const struct pair pairs[] = {
        {{"abc", "def"}, {"d", "d"}, {"", ""}},
        {{"aceg", "bdfh"}, {"d", "d"}, {"f", "g"}},
        {{"abc", "abc"}, {"d", "e"}, {"", ""}},
        {{"", "a"}, {"d", "d"}, {"f", ""}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
        assert_false(second_waits(&pairs[i]));
}

/* --- many -----------------------------------------------------------------------------------------------------------
 */

enum { THREADS = 4, KEYS = 26, TAKES = 3000 };

struct crowd {
    struct latches latches;
    struct fake_world fake;
    atomic_int owners[KEYS];
    atomic_uint trespasses, waits;
};

struct passer {
    struct crowd *crowd;
    uint64_t seed;
};

/* Between taking and release the key is nobody else's. */
static void enter(struct crowd *crowd, const struct latch *latch)
{
    for (size_t i = 0; i < latch->n; i++)
        if (atomic_fetch_add(&crowd->owners[latch->keys[i].data[0] - 'a'], 1) != 0)
            atomic_fetch_add(&crowd->trespasses, 1);
    g_thread_yield();
    for (size_t i = 0; i < latch->n; i++)
        atomic_fetch_sub(&crowd->owners[latch->keys[i].data[0] - 'a'], 1);
}

static void *take_often(void *at)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    struct passer *passer = at;
    struct call call = {.cancel = NULL};
    for (int i = 0; i < TAKES; i++) {
        struct slice keys[KEYS];
        struct latch latch = {.family = "d", .keys = keys};
        for (size_t letter = 0; letter < KEYS; letter++)
            if (fake_next(&passer->seed) % 8 == 0)
                keys[latch.n++] = slice_of(letters + letter, 1);
        if (arrived(&passer->crowd->latches))
            atomic_fetch_add(&passer->crowd->waits, 1);
        if (!latch_take(&passer->crowd->latches, &latch, &call, &passer->crowd->fake.world, NULL))
            atomic_fetch_add(&passer->crowd->trespasses, 1);
        enter(passer->crowd, &latch);
        latch_release(&passer->crowd->latches, &latch);
    }
    return NULL;
}

static void a_key_has_one_holder_among_many(void **state)
{
    struct crowd crowd = {.trespasses = 0};
    struct passer passers[THREADS];
    GThread *threads[THREADS];
    latches_init(&crowd.latches);
    fake_world_init(&crowd.fake);
    for (size_t i = 0; i < THREADS; i++) {
        passers[i] = (struct passer){.crowd = &crowd, .seed = i + 1};
        threads[i] = g_thread_new("passer", take_often, &passers[i]);
    }
    for (size_t i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    assert_int_equal(crowd.trespasses, 0);
    assert_true(crowd.waits > 100);
    latches_done(&crowd.latches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_something_in_common_waits),
        cmocka_unit_test(what_has_nothing_in_common_passes),
        cmocka_unit_test(a_key_has_one_holder_among_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
