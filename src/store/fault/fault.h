/* A driver around any other that goes wrong as planned: for tests and simulation only; no URI leads here.
 *
 *     struct fault_plan plan;
 *     fault_plan_init(&plan);
 *     plan.rows = (struct fault_row[]){{FAULT_CAS, .nth = 3, .effect = FAULT_LOST}};
 *     plan.n = 1;
 *     struct fault_driver driver;
 *     fault_driver_init(&driver, &mem_driver.table, &plan);
 *     … store_registry_new(world, (const struct store_driver *const[]){&driver.table, NULL}) …
 *
 * It takes the place of the inner driver: same name, same schemes, same capabilities. Without a plan it changes
 * nothing. */
#pragma once

#include "base/lock.h"
#include "store/store.h"

enum fault_op {
#define ROW(code, name) FAULT_##code,
#include "store/fault/op_rows.h"
#undef ROW
    FAULT_OP_COUNT,
    FAULT_ANY = FAULT_OP_COUNT, /* in a row: whichever call is the n-th of all */
};

const char *fault_op_name(enum fault_op op);

enum fault_effect {
    FAULT_NONE,
    FAULT_TRANSIENT, /* fails before anything has happened: UNREACHABLE */
    FAULT_FATAL,     /* the same, but STORE */
    FAULT_UNSETTLED, /* the same, but UNSETTLED: for a settle */
    FAULT_TOO_BIG,   /* the same, but TOO_BIG: what is read does not fit into the caller's memory */
    FAULT_LOST,      /* takes effect; the reply is lost: TIMED_OUT, and every outcome of a cas is UNKNOWN */
    FAULT_TORN, /* a cas of which the first `applied` reach the store and the replies of the first `known` come back;
                 * the others are UNKNOWN: UNREACHABLE. Any other call: as FAULT_TRANSIENT */
    FAULT_SLOW, /* takes `slow_us` of the world's clock longer; past the deadline the reply is too late: as FAULT_LOST
                 */
};

struct fault_row {
    enum fault_op op;
    uint64_t nth; /* from 1; 0: never */
    bool lasting; /* every later one too */
    enum fault_effect effect;
    size_t applied, known;
    int64_t slow_us;
};

/* The test's; outlives the driver. Rows are looked at in order, the first that fits holds; then `decide` is asked. */
struct fault_plan {
    const struct fault_row *rows;
    size_t n;
    /* By seed, say. Called under the plan's lock, in the order of the calls; may fill in only the effect's fields. */
    struct fault_row (*decide)(void *self, enum fault_op op, size_t ops);
    void *decide_self;
    /* What was met, for a sweep that goes on until nothing fires: read it when no call is under way. */
    pthread_mutex_t lock;
    uint64_t calls[FAULT_OP_COUNT + 1]; /* of each kind; the last: of all */
    uint64_t fired[FAULT_OP_COUNT];
};

void fault_plan_init(struct fault_plan *plan); /* empty */
void fault_plan_done(struct fault_plan *plan);

struct fault_driver {
    struct store_driver table;
    struct write_ops write;
    struct sink_ops sink;
    struct shadow_ops shadow;
    struct history_ops history;
    const struct store_driver *inner;
    struct fault_plan *plan;
};

void fault_driver_init(struct fault_driver *ret, const struct store_driver *inner, struct fault_plan *plan);
