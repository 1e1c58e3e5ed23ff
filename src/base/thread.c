#include "base/thread.h"

#include <pthread.h>
#include <signal.h>

struct thread {
    pthread_t id;
    void (*body)(void *self);
    void *self;
};

static void *thread_main(void *user)
{
    const struct thread *thread = user;
    thread->body(thread->self);
    return NULL;
}

bool thread_start(struct thread **ret, const char *name, void (*body)(void *self), void *self, GError **error)
{
    struct thread *thread = g_new0(struct thread, 1);
    *thread = (struct thread){.body = body, .self = self};
    sigset_t all, before; /* the mask is inherited */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&thread->id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (number != 0) {
        g_free(thread);
        return error_set_errno(error, number, "cannot start the thread %s", name);
    }
    char shown[16];
    g_strlcpy(shown, name, sizeof shown);
    pthread_setname_np(thread->id, shown);
    *ret = thread;
    return true;
}

void thread_join(struct thread *thread)
{
    if (!thread)
        return;
    pthread_join(thread->id, NULL);
    g_free(thread);
}
