#include "base/groupsync.h"
#include "kit/kit.h"

enum { WRITERS = 8 };

/* A file in the mind: tickets are handed out under `lock`; a sync covers those handed out when it began. */
struct desk {
    struct groupsync group;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint64_t tickets;
    unsigned inside;   /* syncs running at once */
    unsigned most;     /* of them, ever */
    bool wait_for_all; /* the first sync ends only when every writer has its ticket */
    uint64_t fail_at;  /* the sync of this number fails; 0: none */
};

static bool desk_sync(void *self, uint64_t *ret_ticket, GError **error)
{
    struct desk *desk = self;
    pthread_mutex_lock(&desk->lock);
    uint64_t covered = desk->tickets;
    desk->inside++;
    desk->most = MAX(desk->most, desk->inside);
    while (desk->wait_for_all && desk->tickets < WRITERS)
        pthread_cond_wait(&desk->moved, &desk->lock);
    desk->inside--;
    pthread_mutex_unlock(&desk->lock);
    if (desk->fail_at && groupsync_count(&desk->group) + 1 == desk->fail_at)
        return error_set(error, SLUICE_ERROR_SYNC_FAILED, "the disk is on fire");
    *ret_ticket = covered;
    return true;
}

static uint64_t desk_take(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    uint64_t ticket = ++desk->tickets;
    pthread_cond_broadcast(&desk->moved);
    pthread_mutex_unlock(&desk->lock);
    return ticket;
}

static bool desk_durable(struct desk *desk, uint64_t ticket, GError **error)
{
    struct groupsync_way way = {.sync = desk_sync, .self = desk};
    return groupsync_durable(&desk->group, ticket, &way, error);
}

static void *write_one(void *user)
{
    struct desk *desk = user;
    return GINT_TO_POINTER(desk_durable(desk, desk_take(desk), NULL));
}

static void desk_init(struct desk *desk)
{
    *desk = (struct desk){.wait_for_all = false};
    groupsync_init(&desk->group);
    pthread_mutex_init(&desk->lock, NULL);
    pthread_cond_init(&desk->moved, NULL);
}

static void desk_done(struct desk *desk)
{
    groupsync_done(&desk->group);
    pthread_mutex_destroy(&desk->lock);
    pthread_cond_destroy(&desk->moved);
}

static void one_sync_serves_all_who_came_meanwhile(void **state)
{
    struct desk desk;
    desk_init(&desk);
    desk.wait_for_all = true;
    GThread *threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        threads[i] = g_thread_new("writer", write_one, &desk);
    for (int i = 0; i < WRITERS; i++)
        assert_true(GPOINTER_TO_INT(g_thread_join(threads[i])));
    assert_in_range(groupsync_count(&desk.group), 1, 2);
    assert_int_equal(desk.most, 1);
    desk_done(&desk);
}

static void what_is_durable_costs_no_sync(void **state)
{
    struct desk desk;
    desk_init(&desk);
    GError *error = NULL;
    uint64_t first = desk_take(&desk), second = desk_take(&desk);
    kit_ok(desk_durable(&desk, second, &error));
    kit_ok(desk_durable(&desk, first, &error));
    kit_ok(desk_durable(&desk, 0, &error));
    assert_int_equal(groupsync_count(&desk.group), 1);
    desk_done(&desk);
}

static void after_a_failed_sync_nothing_is_tried_again(void **state)
{
    struct desk desk;
    desk_init(&desk);
    desk.fail_at = 2;
    GError *error = NULL;
    uint64_t first = desk_take(&desk);
    kit_ok(desk_durable(&desk, first, &error));
    kit_ok(groupsync_usable(&desk.group, &error));
    uint64_t second = desk_take(&desk);
    kit_refused(desk_durable(&desk, second, &error), SYNC_FAILED, "on fire");
    kit_refused(desk_durable(&desk, second, &error), SYNC_FAILED, "on fire");
    kit_refused(groupsync_usable(&desk.group, &error), SYNC_FAILED, "on fire");
    kit_ok(desk_durable(&desk, first, &error));
    assert_int_equal(groupsync_count(&desk.group), 2);
    desk_done(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_sync_serves_all_who_came_meanwhile),
        cmocka_unit_test(what_is_durable_costs_no_sync),
        cmocka_unit_test(after_a_failed_sync_nothing_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
