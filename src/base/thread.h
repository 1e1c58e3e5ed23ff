/* Threads: started here and nowhere else. A thread is joined by whoever started it; none is ever detached or killed. */
#pragma once

#include "base/auto.h"
#include "base/error.h"

struct thread;

/* `name` is what debuggers show (15 bytes of it). Signals are blocked in the thread: main takes them. */
bool thread_start(struct thread **ret, const char *name, void (*body)(void *self), void *self, GError **error) must_use;

/* Waits for its end and frees it; accepts NULL. */
void thread_join(struct thread *thread);
AUTO_DEFINE(thread, thread_join)
