/* Why a run does not move, or moves slowly, for whoever looks at it from outside: *paused by X since T*, *slow because
 * of Y*, *stuck*. Pure. */
#pragma once

#include "catalog/catalog.h"

enum watchdog_kind { WATCHDOG_FINE, WATCHDOG_PAUSED, WATCHDOG_SLOW, WATCHDOG_STUCK, WATCHDOG_KINDS };
const char *watchdog_word(enum watchdog_kind kind);

/* A process that works puts down what it sees every few seconds, and a checkpoint every few at the latest, unless it is
 * slowed. */
#define WATCHDOG_BLIND_MS INT64_C(15000)
#define WATCHDOG_STILL_MS INT64_C(60000)
/* So long after it has begun to write, whoever sees no record yet is told what comes first. */
#define WATCHDOG_BEGINS_MS INT64_C(2000)

struct watchdog_seen {
    const struct run_row *run;
    const struct sight *sight;
    bool held;              /* by a process that lives */
    const char *limited_by; /* the key of a limit that its writes wait for; NULL: none */
    const char *pauser;     /* PAUSED: what has paused it, or who (run/pauser.h) */
    int64_t now_ms;
};

struct watchdog {
    enum watchdog_kind kind;
    const char *by;    /* what pauses it, the key that limits it; borrowed; NULL: nobody knows */
    int64_t since_ms;  /* 0: not known */
    const char *words; /* STUCK: what it lacks; static; NULL */
    int64_t begins_ms; /* FINE, SLOW: since then it writes, and no record of it is counted yet */
};
struct watchdog watchdog_look(const struct watchdog_seen *seen);

/* Whether what the holder sees is of now. */
bool watchdog_sees(const struct watchdog_seen *seen);

/* The whole of it as one sentence: `paused by guard memory since …`; NULL where it is fine. The caller frees. */
char *watchdog_text(const struct watchdog *watchdog);
/* Of this, what is said of one that begins; NULL: nothing. The caller frees. */
char *watchdog_beginning(const struct watchdog *watchdog);
