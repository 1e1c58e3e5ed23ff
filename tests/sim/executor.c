#include "sim/executor.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "kit/fake_world.h"

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ADDRESS 1
#endif
#endif

/* The address sanitizer has to be told of each change of stacks. */
#ifdef SIM_ADDRESS
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size_old);
#else
static void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size)
{
}
static void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size_old)
{
}
#endif

#define STACK_BYTES ((size_t)2 << 20)
#define GUARD_BYTES ((size_t)4096)

/* Turns in a row without time passing: nobody gets anywhere. */
#define MOST_STILL 2000000u

enum state { READY, ASLEEP, WAITS, ENDED };

struct turn {
    ucontext_t context;
    void *stack, *fake_stack;
    size_t stack_bytes;
    uint64_t number;
    enum state state;
    int64_t wake_us;           /* ASLEEP */
    const atomic_bool *cancel; /* ASLEEP: ends the sleep; NULL */
    const void *waits_for;     /* WAITS: a mutex, a condition, a turn */
    void *owner;
    void *(*body)(void *self);
    void *self;
    int number_errno;
    bool joined; /* by someone: is freed then */
};

struct executor {
    GPtrArray *turns; /* of struct turn, in the order in which they began */
    struct turn *now; /* whose turn it is; NULL: nobody's */
    ucontext_t outside;
    const void *outside_stack;
    size_t outside_bytes;
    void *outside_fake;
    uint64_t seed, numbers, count, trace;
    int64_t now_us;
    uint64_t still;
    bool keeps;   /* whose turn it is */
    void *buried; /* NULL: nobody */
    char *failure;
    void (*watch)(void *self, void *owner);
    void *watch_self;
    GPtrArray *stacks; /* that can be used again */
};

/* POSIX's calls have no argument for it. */
static struct executor *running;

/* --- the calls that the linker leads here
 * ------------------------------------------------------------------------------------------------ */

int __real_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*body)(void *), void *self);
int __real_pthread_join(pthread_t id, void **ret);
int __real_pthread_setname_np(pthread_t id, const char *name);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __real_pthread_cond_signal(pthread_cond_t *cond);
int __real_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*body)(void *), void *self);
int __wrap_pthread_join(pthread_t id, void **ret);
int __wrap_pthread_setname_np(pthread_t id, const char *name);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);

static bool is_inside(void)
{
    return running && running->now;
}

/* --- stacks ------------------------------------------------------------------------------------------------------- */

static void *stack_take(struct executor *executor)
{
    if (executor->stacks->len > 0)
        return g_ptr_array_remove_index_fast(executor->stacks, executor->stacks->len - 1);
    uint8_t *stack =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    g_assert(stack != MAP_FAILED);
    g_assert(mprotect(stack, GUARD_BYTES, PROT_NONE) == 0);
    return stack;
}

static void turn_free(struct executor *executor, struct turn *turn)
{
    g_ptr_array_add(executor->stacks, turn->stack);
    g_ptr_array_remove(executor->turns, turn);
    g_free(turn);
}

/* --- changing over ------------------------------------------------------------------------------------------------ */

static void entry(void)
{
    struct executor *executor = running;
    struct turn *turn = executor->now;
    __sanitizer_finish_switch_fiber(NULL, &executor->outside_stack, &executor->outside_bytes);
    turn->body(turn->self);
    turn->state = ENDED;
    for (guint i = 0; i < executor->turns->len; i++) {
        struct turn *other = executor->turns->pdata[i];
        if (other->state == WAITS && other->waits_for == turn)
            other->state = READY;
    }
    __sanitizer_start_switch_fiber(NULL, executor->outside_stack, executor->outside_bytes);
    swapcontext(&turn->context, &executor->outside);
    g_assert_not_reached();
}

/* Ends the turn; returns when the thread has its next one. */
static void give_way(struct executor *executor)
{
    struct turn *turn = executor->now;
    turn->number_errno = errno;
    __sanitizer_start_switch_fiber(&turn->fake_stack, executor->outside_stack, executor->outside_bytes);
    swapcontext(&turn->context, &executor->outside);
    __sanitizer_finish_switch_fiber(turn->fake_stack, &executor->outside_stack, &executor->outside_bytes);
    errno = turn->number_errno;
}

static void have_turn(struct executor *executor, struct turn *turn)
{
    executor->now = turn;
    executor->count++;
    executor->trace = (executor->trace ^ turn->number) * UINT64_C(0x100000001b3);
    if (executor->watch)
        executor->watch(executor->watch_self, turn->owner);
    __sanitizer_start_switch_fiber(&executor->outside_fake, turn->stack, turn->stack_bytes);
    swapcontext(&executor->outside, &turn->context);
    __sanitizer_finish_switch_fiber(executor->outside_fake, NULL, NULL);
    if (executor->watch)
        executor->watch(executor->watch_self, NULL);
    executor->now = NULL;
}

static struct turn *begin(struct executor *executor, void *(*body)(void *), void *self, void *owner)
{
    struct turn *turn = g_new0(struct turn, 1);
    uint8_t *stack = stack_take(executor);
    *turn = (struct turn){.body = body,
                          .self = self,
                          .owner = owner,
                          .stack = stack,
                          .stack_bytes = STACK_BYTES,
                          .number = ++executor->numbers};
    getcontext(&turn->context);
    turn->context.uc_stack.ss_sp = stack + GUARD_BYTES;
    turn->context.uc_stack.ss_size = STACK_BYTES - GUARD_BYTES;
    makecontext(&turn->context, entry, 0);
    g_ptr_array_add(executor->turns, turn);
    return turn;
}

/* --- who is next -------------------------------------------------------------------------------------------------- */

static bool may_go(const struct executor *executor, const struct turn *turn)
{
    if (executor->buried && turn->owner != executor->buried)
        return false;
    if (turn->state == ASLEEP)
        return turn->wake_us <= executor->now_us || executor->buried || (turn->cancel && atomic_load(turn->cancel));
    return turn->state == READY;
}

static struct turn *draw(struct executor *executor)
{
    guint n = 0;
    struct turn *drawn = NULL;
    for (guint i = 0; i < executor->turns->len; i++)
        n += may_go(executor, executor->turns->pdata[i]);
    uint64_t wanted = n > 1 ? executor_dice(executor, n) : 0;
    for (guint i = 0; i < executor->turns->len && n > 0 && !drawn; i++)
        if (may_go(executor, executor->turns->pdata[i]) && wanted-- == 0)
            drawn = executor->turns->pdata[i];
    return drawn;
}

/* false: nobody sleeps. */
static bool pass_time(struct executor *executor)
{
    int64_t until_us = INT64_MAX;
    for (guint i = 0; i < executor->turns->len; i++) {
        const struct turn *turn = executor->turns->pdata[i];
        if (turn->state == ASLEEP)
            until_us = MIN(until_us, turn->wake_us);
    }
    if (until_us == INT64_MAX)
        return false;
    executor->now_us = until_us;
    executor->still = 0;
    return true;
}

static bool is_left(const struct executor *executor, const void *owner)
{
    for (guint i = 0; i < executor->turns->len; i++) {
        const struct turn *turn = executor->turns->pdata[i];
        if (turn->state != ENDED && (!owner || turn->owner == owner))
            return true;
    }
    return false;
}

static void sweep(struct executor *executor)
{
    for (guint i = executor->turns->len; i-- > 0;) {
        struct turn *turn = executor->turns->pdata[i];
        if (turn->state == ENDED && turn->joined)
            turn_free(executor, turn);
    }
}

static void note(struct executor *executor, const char *why)
{
    if (!executor->failure)
        executor->failure = g_strdup(why);
}

static void end_burial(struct executor *executor)
{
    const void *buried = executor->buried;
    if (!buried || is_left(executor, buried))
        return;
    executor->buried = NULL;
    for (guint i = 0; i < executor->turns->len; i++) {
        struct turn *turn = executor->turns->pdata[i];
        if (turn->state == WAITS && turn->waits_for == buried)
            turn->state = READY;
    }
}

bool executor_run(struct executor *executor, const char **ret_why)
{
    running = executor;
    while (!executor->failure && is_left(executor, NULL)) {
        struct turn *turn = draw(executor);
        if (turn) {
            turn->state = READY;
            have_turn(executor, turn);
            end_burial(executor);
            sweep(executor);
            if (++executor->still > MOST_STILL)
                note(executor, "nobody gets anywhere: so many turns, and no time has passed");
        } else if (executor->buried || !pass_time(executor)) {
            note(executor, "all threads wait for each other");
        }
    }
    running = NULL;
    *ret_why = executor->failure;
    return !executor->failure;
}

/* --- what a thread does ------------------------------------------------------------------------------------------- */

static void wait_for(struct executor *executor, const void *what)
{
    executor->now->state = WAITS;
    executor->now->waits_for = what;
    give_way(executor);
}

static void wake(struct executor *executor, const void *what)
{
    for (guint i = 0; i < executor->turns->len; i++) {
        struct turn *turn = executor->turns->pdata[i];
        if (turn->state == WAITS && turn->waits_for == what)
            turn->state = READY;
    }
}

void executor_yield(struct executor *executor)
{
    give_way(executor);
}

void executor_keep_turn(struct executor *executor, bool keep)
{
    executor->keeps = keep;
}

void executor_sleep_us(struct executor *executor, int64_t us, const atomic_bool *cancel)
{
    struct turn *turn = executor->now;
    turn->state = ASLEEP;
    turn->wake_us = executor->now_us + MAX(us, 0);
    turn->cancel = cancel;
    give_way(executor);
    turn->cancel = NULL;
}

void executor_bury(struct executor *executor, void *owner)
{
    if (!is_left(executor, owner))
        return;
    executor->buried = owner;
    if (executor->now->owner == owner)
        return;
    while (executor->buried == owner)
        wait_for(executor, owner);
}

bool executor_buries(const struct executor *executor, const void *owner)
{
    return executor->buried == owner && owner;
}

void executor_fail(struct executor *executor, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    note(executor, why);
    for (;;)
        give_way(executor);
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*body)(void *), void *self)
{
    if (!is_inside())
        return __real_pthread_create(id, attr, body, self);
    struct turn *turn = begin(running, body, self, running->now->owner);
    *id = (pthread_t)turn;
    return 0;
}

int __wrap_pthread_join(pthread_t id, void **ret)
{
    if (!is_inside())
        return __real_pthread_join(id, ret);
    struct executor *executor = running;
    struct turn *turn = (struct turn *)id; /* NOLINT: what __wrap_pthread_create() gave */
    while (turn->state != ENDED)
        wait_for(executor, turn);
    turn->joined = true;
    return 0;
}

int __wrap_pthread_setname_np(pthread_t id, const char *name)
{
    return is_inside() ? 0 : __real_pthread_setname_np(id, name);
}

/* Where a lock is taken somebody else may have been faster. */
enum { GIVES_WAY = 16 };

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!is_inside())
        return __real_pthread_mutex_lock(mutex);
    if (!running->keeps && executor_dice(running, GIVES_WAY) == 0)
        give_way(running);
    int number;
    while ((number = pthread_mutex_trylock(mutex)) == EBUSY)
        wait_for(running, mutex);
    return number;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int number = __real_pthread_mutex_unlock(mutex);
    if (is_inside())
        wake(running, mutex);
    return number;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!is_inside())
        return __real_pthread_cond_wait(cond, mutex);
    __wrap_pthread_mutex_unlock(mutex);
    if (executor_dice(running, GIVES_WAY) == 0)
        give_way(running); /* and comes back without a word */
    else
        wait_for(running, cond);
    return __wrap_pthread_mutex_lock(mutex);
}

/* One of those that wait, and which one nobody knows: all look, and all but one wait again. */
int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    return __wrap_pthread_cond_broadcast(cond);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    if (!is_inside())
        return __real_pthread_cond_broadcast(cond);
    wake(running, cond);
    return 0;
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

struct executor *executor_new(uint64_t seed)
{
    struct executor *executor = g_new0(struct executor, 1);
    executor->turns = g_ptr_array_new();
    executor->stacks = g_ptr_array_new();
    executor->seed = seed;
    executor->now_us = 1000000;
    executor->trace = UINT64_C(0xcbf29ce484222325);
    return executor;
}

void executor_free(struct executor *executor)
{
    if (!executor)
        return;
    while (executor->turns->len > 0)
        turn_free(executor, executor->turns->pdata[0]);
    for (guint i = 0; i < executor->stacks->len; i++)
        munmap(executor->stacks->pdata[i], STACK_BYTES);
    g_ptr_array_unref(executor->turns);
    g_ptr_array_unref(executor->stacks);
    g_free(executor->failure);
    g_free(executor);
}

void executor_watch(struct executor *executor, void (*turn)(void *self, void *owner), void *self)
{
    executor->watch = turn;
    executor->watch_self = self;
}

/* A first thread: nobody joins it. */
struct first {
    void (*body)(void *self);
    void *self;
};

static void *first_main(void *data)
{
    struct first first = *(struct first *)data;
    g_free(data);
    first.body(first.self);
    return NULL;
}

void executor_begin(struct executor *executor, void (*body)(void *self), void *self, void *owner)
{
    struct first *first = g_new(struct first, 1);
    *first = (struct first){.body = body, .self = self};
    begin(executor, first_main, first, owner)->joined = true;
}

int64_t executor_now_us(const struct executor *executor)
{
    return executor->now_us;
}

void *executor_owner(const struct executor *executor)
{
    return executor->now ? executor->now->owner : NULL;
}

uint64_t executor_dice(struct executor *executor, uint64_t sides)
{
    return fake_next(&executor->seed) % sides;
}

uint64_t executor_turns(const struct executor *executor)
{
    return executor->count;
}

uint64_t executor_trace(const struct executor *executor)
{
    return executor->trace;
}
