/* A POSIX mutex held until the scope ends. POSIX, not GLib's: the thread sanitizer knows only these.
 *
 *     auto_hold(&registry->lock);
 *
 * holds it from here on to the end of the block. Each mutex says in its struct what it guards and what its rank is; a
 * thread takes them in rising rank, and does no I/O and calls no callback meanwhile. */
#pragma once

#include <pthread.h>

static inline pthread_mutex_t *lock_take(pthread_mutex_t *mutex)
{
    pthread_mutex_lock(mutex);
    return mutex;
}

static inline void lock_release(pthread_mutex_t **held)
{
    pthread_mutex_unlock(*held);
}

#define LOCK_NAME_(line) lock_held_##line
#define LOCK_NAME(line)  LOCK_NAME_(line)
#define auto_hold(mutex)                                                                                               \
    __attribute__((cleanup(lock_release), unused)) pthread_mutex_t *LOCK_NAME(__LINE__) = lock_take(mutex)
