/* The guards of `protect`: one table (spec/guard_rows.h) for the spec, the plan, what is watched, `sluice set` and the
 * docs; and how a limit of theirs is written. Limits and readings are numbers in the unit of their row. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spec_guard {
#define GUARD(symbol, word, unit, fallback, below, words, example) GUARD_##symbol,
#include "spec/guard_rows.h"
#undef GUARD
    GUARD_COUNT
};

/* How a limit is written, and what the number is. `none` is a limit of each: nothing breaches it. */
enum guard_unit {
    GUARD_UNIT_SHARE,    /* 75%: 0.75 */
    GUARD_UNIT_DURATION, /* 2s: milliseconds */
    GUARD_UNIT_BYTES,    /* 64MiB */
    GUARD_UNIT_COUNT,    /* 1000 */
    GUARD_UNIT_RATE,     /* 100/s */
    GUARD_UNIT_TIMES,    /* 2.5: times as much */
    GUARD_UNIT_WORD,     /* slow, pause, none: what is done while it is so */
    GUARD_UNIT_NUMBER,   /* 0.85: a signal of the user's own */
    GUARD_UNIT_LATENCY,  /* 1.5ms: milliseconds, with what is below them */
    GUARD_UNITS
};

const char *guard_unit_word(enum guard_unit unit); /* share, duration, … */

/* Limits of a GUARD_UNIT_WORD, whose reading is 0 (it is not so) or 1. */
#define GUARD_WORD_PAUSE 0.0
#define GUARD_WORD_SLOW  1.0

struct guard_row {
    const char *key;  /* protect.memory */
    const char *word; /* memory */
    enum guard_unit unit;
    const char *fallback; /* as a spec would write it */
    bool below;
    const char *words;
};
const struct guard_row *guard_row(enum spec_guard guard);
/* GUARD_COUNT: none has this key or word. */
enum spec_guard guard_find(const char *key);

/* The limit that nothing breaches. */
double guard_none(bool below);
bool guard_is_none(double limit);

/* A limit as it is written: `none` too, but for a NUMBER; false: it is none of this unit. */
bool guard_limit_read(enum guard_unit unit, bool below, const char *text, double *ret);
/* Why a limit that can be read is senseless for this guard, always passed or never, and what to say instead; NULL: it
 * is not. Static. What is frozen or recorded already is not asked again. */
const char *guard_limit_senseless(enum spec_guard guard, double limit);
/* As `set` takes it again; the caller frees. */
char *guard_limit_text(enum guard_unit unit, double limit);
const char *guard_limit_expected(enum guard_unit unit); /* a share such as 75%, or none */
/* A reading, or a limit, for people; the caller frees. */
char *guard_value_text(enum guard_unit unit, double value);
