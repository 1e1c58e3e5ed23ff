/* The conformance suite: the same cases against every driver, each case twice on the same store.
 *
 * A driver is a row of subjects.c: how its store is made, and every capability it is expected to have, so that a NULL
 * in its table cannot pass. A case is a row of a cases_….c: the capabilities it needs, and a function that is given a
 * `struct stand`: an empty dataset of its own, an open lane, virtual time. */
#pragma once

#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/calls.h"

#define NEEDS(capability) (1u << CAN_##capability)
#define IN_ORDER          (1u << 31) /* its scans give keys in order, each once */

struct stand;

struct subject {
    const char *name;
    unsigned expected; /* NEEDS() of every capability that the driver has, and of no other */
    /* Makes stand->uri, stand->drivers and whatever stands behind them; below stand->dir. */
    void (*set_up)(struct stand *stand);
    void (*tear_down)(struct stand *stand); /* NULL: nothing */
    const char *dataset;                    /* a case's dataset is its name and this; NULL: only its name */
    bool filled;                            /* can only be read, and set_up() has filled it: gets filled_cases */
    bool own_time;                          /* the store's clock is its own: time passes, and no test turns it */
    bool no_empty_key;                      /* a record's key has at least a byte */
    bool (*there)(void);                    /* whether what it needs is installed; NULL: it needs nothing */
    bool by_hand;                           /* minutes of what another subject does too: with SLUICE_LIVE_ALL=1 */
};

struct stand {
    const struct subject *subject;
    struct fake_world fake;
    char *dir;
    char *uri;
    const struct store_driver *drivers[4]; /* those that store_drivers() lacks, NULL-terminated */
    void *own;                             /* the subject's */
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *mem; /* reset before every case */
    struct dataset ds;
    char *ds_name;
    struct lane lane;
    uint64_t number;        /* the last one used in the lane */
    struct fence_id shared; /* the run of all cases that have none of their own; the partition given last */
    struct broom {
        struct lane lane; /* 0: not opened yet */
        uint64_t number;
    } broom; /* what makes datasets empty between cases */
    uint64_t seed;
};

struct conformance_case {
    const char *name; /* says what holds; the dataset's name too */
    unsigned needs;
    void (*run)(struct stand *stand);
};

extern const struct subject subjects[];
extern const size_t subject_count;
extern const struct conformance_case read_cases[], scan_cases[], cas_cases[], fence_cases[], race_cases[],
    store_cases[], sink_cases[], shadow_cases[], filled_cases[];

void stand_open(struct stand *stand);
void stand_close(struct stand *stand); /* the store too; stand_open() may follow */

/* Runs the case twice on the same store: what the first run leaves behind must not disturb the second. Each time in a
 * new partition of the run that cases share, or in a run of its own: opening one takes a cluster's 16,384 slots. */
void stand_run(struct stand *stand, const struct conformance_case *row, bool own_run);

/* A call on the case's dataset. */
struct call stand_call(struct stand *stand);
/* The keys "k000000", "k000001", …, in the arena. */
struct slice stand_key(struct stand *stand, unsigned i);
/* A document { n: value }, of about `bytes` bytes where that is more; and the bytes that the store keeps of it. */
struct slice stand_document(struct stand *stand, int64_t value, size_t bytes);
struct slice stand_raw(struct stand *stand, int64_t value, size_t bytes);
int64_t stand_value(struct stand *stand, struct slice raw); /* of such a record */
/* The same for a thread of its own. */
struct slice stand_raw_in(struct stand *stand, struct arena *mem, int64_t value);
int64_t stand_value_in(struct stand *stand, struct arena *mem, struct slice raw);

/* The time by which the store lets records expire; lets so much of it pass, or waits for that. */
int64_t stand_now_ms(const struct stand *stand);
void stand_pass(struct stand *stand, int64_t until_ms);

/* The image that stands. */
struct record stand_read(struct stand *stand, struct slice key);

/* One numbered write over what stands now; it must succeed. */
void stand_put(struct stand *stand, struct slice key, int64_t value, int64_t expires_at_ms);
/* `n` records k…0 to k…n-1 of value i, in one go. */
void stand_fill(struct stand *stand, unsigned n);

/* An operation on `key` as it stands, with the next number. */
struct cas_op stand_op(struct stand *stand, struct slice key, int64_t value);
/* Runs one; the call must succeed. Gives its outcome. */
enum cas_outcome stand_cas(struct stand *stand, struct cas_op *op);
struct fence stand_fence(struct stand *stand);
struct fence_id stand_other_run(struct stand *stand);

/* Scans all of `spec` (ds, batch sizes filled in where they are 0) and gives the records of all batches; of a store
 * that does not list in order, sorted and each once. */
struct record *stand_scan(struct stand *stand, const struct scan_spec *spec, size_t *ret_n);
/* The same by store_scan_each(). */
struct record *stand_each(struct stand *stand, const struct scan_spec *spec, size_t *ret_n);
