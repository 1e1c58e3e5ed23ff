#include "base/thread.h"

#include <signal.h>

#include "base/lock.h"
#include "kit/kit.h"

enum { THREADS = 8, ROUNDS = 1000 };

struct counter {
    pthread_mutex_t lock;
    int value;
};

static void count(void *self)
{
    struct counter *counter = self;
    for (int i = 0; i < ROUNDS; i++) {
        auto_hold(&counter->lock);
        counter->value++;
    }
}

static void what_a_lock_guards_is_never_torn(void **state)
{
    GError *error = NULL;
    struct counter counter = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        kit_ok(thread_start(&threads[i], "a name longer than what is shown", count, &counter, &error));
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    assert_int_equal(counter.value, THREADS * ROUNDS);
    assert_int_equal(pthread_mutex_trylock(&counter.lock), 0);
    pthread_mutex_unlock(&counter.lock);
}

static void read_mask(void *self)
{
    pthread_sigmask(SIG_SETMASK, NULL, self);
}

static void signals_are_left_to_the_starter(void **state)
{
    GError *error = NULL;
    sigset_t inside, outside;
    struct thread *thread;
    kit_ok(thread_start(&thread, "mask", read_mask, &inside, &error));
    thread_join(thread);
    pthread_sigmask(SIG_SETMASK, NULL, &outside);
    assert_true(sigismember(&inside, SIGINT) && sigismember(&inside, SIGTERM));
    assert_false(sigismember(&outside, SIGINT));
    thread_join(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_lock_guards_is_never_torn),
        cmocka_unit_test(signals_are_left_to_the_starter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
