/* The executor of a simulation: the program's threads as turns of one thread, in virtual time, in an order that a seed
 * draws.
 *
 *     struct executor *executor = executor_new(seed);
 *     executor_begin(executor, body, self, owner);      a first thread; those that it starts are its owner's as well
 *     executor_run(executor);                           returns when all have ended
 *
 * Whoever is linked with the `--wrap`s of tests/sim/meson.build starts, joins, locks and waits here instead of with the
 * system, as soon as it runs in such a thread; elsewhere nothing is different. So the program itself is what runs, and
 * knows of nothing: its threads are made in base/thread.c and wait through base/lock.h, on these few calls of POSIX and
 * on the clock of struct world, and on nothing else.
 *
 * A turn ends where a thread takes a lock, waits, sleeps, or is told to give way (executor_yield()); which one is next
 * is drawn. Time passes only when no thread can go on: then it is the moment at which the first sleeper wakes. When no
 * one sleeps either, all wait for each other: executor_run() says so. A wait for a condition may end without a word, as
 * POSIX allows.
 *
 * One executor runs at a time. */
#pragma once

#include <stdatomic.h>

#include "base/auto.h"
#include "base/error.h"

struct executor;

struct executor *executor_new(uint64_t seed);
void executor_free(struct executor *executor); /* accepts NULL */

/* Told before each turn whose it is; NULL: of no thread, the caller's of executor_run(). */
void executor_watch(struct executor *executor, void (*turn)(void *self, void *owner), void *self);

void executor_begin(struct executor *executor, void (*body)(void *self), void *self, void *owner);

/* false: it has been given up (executor_fail), or nobody can go on. The words are the executor's. */
bool executor_run(struct executor *executor, const char **ret_why);

/* From within a thread. The first word is kept; no thread has another turn. Does not return. */
void executor_fail(struct executor *executor, const char *format, ...) G_GNUC_PRINTF(2, 3) __attribute__((noreturn));

/* Virtual, from the executor's beginning. */
int64_t executor_now_us(const struct executor *executor);
/* Of the thread whose turn it is; NULL: none. */
void *executor_owner(const struct executor *executor);
/* Draws from the executor's own seed. */
uint64_t executor_dice(struct executor *executor, uint64_t sides);

void executor_yield(struct executor *executor);
/* Until it is called with false no lock and no condition ends the turn, unless it has to wait: for what is to be one
 * step, and asks the program for something. */
void executor_keep_turn(struct executor *executor, bool keep);
/* Ends early when *cancel becomes true; NULL: cannot be cancelled. */
void executor_sleep_us(struct executor *executor, int64_t us, const atomic_bool *cancel);

/* From now on only threads of this owner have turns, and no time passes for anyone, until all of them have ended: who
 * calls waits for that, unless it is one of them (then it is up to whoever has begun it). Sleeps of theirs end at once.
 */
void executor_bury(struct executor *executor, void *owner);
bool executor_buries(const struct executor *executor, const void *owner);

/* Turns so far, and a digest of who had them: two runs of one seed have the same. */
uint64_t executor_turns(const struct executor *executor);
uint64_t executor_trace(const struct executor *executor);
