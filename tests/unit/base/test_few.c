#include "base/few.h"

#include "base/lock.h"
#include "base/thread.h"
#include "kit/kit.h"

enum { THREADS = 8, MOST = 3, TIMES = 200 };

struct room {
    struct few few;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned inside, highest, entered;
};

static void room_init(struct room *room, uint32_t most)
{
    *room = (struct room){0};
    few_init(&room->few, most);
    pthread_mutex_init(&room->lock, NULL);
    pthread_cond_init(&room->moved, NULL);
}

static void room_done(struct room *room)
{
    few_done(&room->few);
    pthread_mutex_destroy(&room->lock);
    pthread_cond_destroy(&room->moved);
}

static void come(struct room *room)
{
    few_enter(&room->few);
    auto_hold(&room->lock);
    room->entered++;
    room->inside++;
    room->highest = MAX(room->highest, room->inside);
    pthread_cond_broadcast(&room->moved);
}

static void go(struct room *room)
{
    {
        auto_hold(&room->lock);
        room->inside--;
    }
    few_leave(&room->few);
}

/* The first ones stay until as many as may are inside. */
static void come_and_go(void *self)
{
    struct room *room = self;
    for (unsigned i = 0; i < TIMES; i++) {
        come(room);
        {
            auto_hold(&room->lock);
            while (room->highest < MOST)
                pthread_cond_wait(&room->moved, &room->lock);
        }
        go(room);
    }
}

static void no_more_than_may_are_inside_and_as_many_as_may(void **state)
{
    struct room room;
    struct thread *threads[THREADS];
    GError *error = NULL;
    room_init(&room, MOST);
    for (unsigned i = 0; i < THREADS; i++)
        kit_ok(thread_start(&threads[i], "few", come_and_go, &room, &error));
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    assert_int_equal(room.highest, MOST);
    assert_int_equal(room.entered, THREADS * TIMES);
    assert_int_equal(room.inside, 0);
    room_done(&room);
}

static void come_once(void *self)
{
    come(self);
}

static uint64_t came(struct room *room)
{
    auto_hold(&room->few.lock);
    return room->few.came;
}

static unsigned entered(struct room *room)
{
    auto_hold(&room->lock);
    return room->entered;
}

/* Who leaves and comes back goes behind those that wait. */
static void who_came_first_is_the_next(void **state)
{
    struct room room;
    struct thread *thread;
    GError *error = NULL;
    room_init(&room, 1);
    few_enter(&room.few);
    kit_ok(thread_start(&thread, "few", come_once, &room, &error));
    while (came(&room) < 2)
        g_thread_yield();
    assert_int_equal(entered(&room), 0);
    few_leave(&room.few);
    struct thread *last;
    kit_ok(thread_start(&last, "few", come_once, &room, &error));
    thread_join(thread);
    assert_int_equal(entered(&room), 1);
    go(&room);
    thread_join(last);
    assert_int_equal(room.highest, 1);
    room_done(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_than_may_are_inside_and_as_many_as_may),
        cmocka_unit_test(who_came_first_is_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
