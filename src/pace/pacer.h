/* The inner loop of the governor: when the next micro-batch may go to one server.
 *
 * It is clocked by sluice's own replies, in the way of TCP Vegas (Brakmo, O'Malley, Peterson: SIGCOMM 1994) with sends
 * spaced evenly as in BBR (Cardwell and others: ACM Queue 2016): a micro-batch is due when `latency / window` has
 * passed for each of its commands since the one before. When the server's queue grows, replies come later, and the very
 * next send does; while none comes, the age of the oldest one that is waited for stands in its place. Above what is
 * usual (of the newest seconds) the rate falls much faster than the latency grows, by its eighth power: in a burst of
 * live load that lasts a few tenths of a second the outer loop is too late, and it is in such moments that a p99 is
 * made (tests/pace: with it more windows keep the promise at a higher rate). Only the outer loop (governor.h) moves the
 * window.
 *
 * What is usual is known of each kind of command (a listing, a read, a script that writes four records) by itself: a
 * run reads for a while and writes for a while, and a write that takes three times as long as a read is no queue.
 *
 * Pure: times are microseconds of any monotonic clock, given by the caller. Caller's storage; one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    PACER_BATCH_MOST =
        4, /* commands that may go together: on a server that executes one at a time, a live request waits for all */
    PACER_IN_FLIGHT = 64, /* micro-batches that may be waited for */
    PACER_GAP_US = 60,    /* what a sleeping thread can keep; below it commands go together … */
    PACER_SPARE = 2,      /* … and wherever a reply takes no more than this part of what the promise allows */
    PACER_KINDS = 16,     /* of commands, that are told apart; of more those that were sent longest ago are forgotten */
};

/* What one kind of command takes. */
struct pacer_kind {
    uint64_t name;
    double latency_us; /* of own micro-batches: the median of the newest few dozen; 0: none has come back */
    double usual_us;   /* the mean of the newest seconds, without what is far out */
    int64_t replied_us, asked_us;
    unsigned replies; /* as far as it is learnt from them */
};

struct pacer {
    double window;     /* commands in flight, on average; 0: none may be sent */
    double allowed_us; /* that a live request may take longer for us; 0: not known */
    double at_us;      /* when the newest micro-batch was due */
    unsigned commands; /* in it */
    struct pacer_kind kinds[PACER_KINDS];
    unsigned known, last; /* kinds; the one that was sent last */
    struct pacer_sent {
        int64_t us;
        uint64_t kind;
    } sent[PACER_IN_FLIGHT]; /* those that are waited for, the oldest first */
    unsigned waiting;
};

void pacer_init(struct pacer *pacer, double window, int64_t now_us);
/* How many commands of that kind may go now, 1 to PACER_BATCH_MOST; 0: none before *ret_due_us, or INT64_MAX: before a
 * reply has come. */
unsigned pacer_ask(struct pacer *pacer, uint64_t kind, int64_t now_us, int64_t *ret_due_us);
void pacer_sent(struct pacer *pacer, uint64_t kind, int64_t now_us, unsigned commands);
/* The reply to the micro-batch that was sent then; 0: to the oldest that is waited for. */
void pacer_reply(struct pacer *pacer, int64_t sent_us, int64_t now_us);
/* It will not be answered: its connection is gone. */
void pacer_lost(struct pacer *pacer, int64_t sent_us);
double pacer_latency_us(const struct pacer *pacer); /* of what it sent last; 0: none has come back */
