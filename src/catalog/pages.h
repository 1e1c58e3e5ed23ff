/* The catalog in pages, for those who only look and must not take all of it into memory. */
#pragma once

#include "catalog/ledger.h"

/* Newest first, those older than the run whose id is `before` (0: from the newest on). `take` says whether one belongs
 * to the page; it is asked until there are `most` of them. */
struct runs_wish {
    int64_t before;
    size_t most;
    bool (*take)(void *self, const char *spec_name, enum run_state state);
    void *self;
};
struct runs_page {
    struct run_row *rows;
    size_t n;
    int64_t next; /* `before` of the next page; 0: there is none */
};
bool catalog_runs_page(struct catalog *catalog, const struct runs_wish *wish, struct arena *mem, struct runs_page *ret,
                       GError **error);

/* All partitions of a kind with numbers from `from` on and below `to` (from 0 in every kind), in order. */
struct parts_walk {
    int64_t run;
    enum parts_kind kind;
    uint32_t from, to;
    void (*each)(void *self, uint32_t part, uint32_t stage, enum part_state state);
    void *self;
};
bool catalog_parts_walk(struct catalog *catalog, const struct parts_walk *walk, GError **error);
/* One of them, in `mem`; NOT_FOUND. */
bool catalog_part(struct catalog *catalog, int64_t run, uint32_t part, struct arena *mem, struct part_row *ret,
                  GError **error);
/* When its newest checkpoint was made (0: there is none), records accounted for, and how long workers were at it. */
struct part_times {
    int64_t newest_ms, took_ms;
    uint64_t records;
};
bool catalog_part_times(struct catalog *catalog, int64_t run, uint32_t part, struct part_times *ret, GError **error);
/* Batches of a run in the order in which they were checkpointed, those behind `after` (an id; 0: from the first on). */
struct batch_row {
    int64_t id;
    uint32_t part, stage, lane;
    uint64_t number; /* of the partition's checkpoints */
    int64_t at_ms, took_ms;
    bool last; /* the partition is written */
    uint64_t bytes_read, bytes_written;
    struct tally tally;
};
struct batches_wish {
    int64_t run, after;
    size_t most;
};
bool catalog_batches(struct catalog *catalog, const struct batches_wish *wish, struct arena *mem,
                     struct batch_row **ret, size_t *ret_n, GError **error);
bool catalog_batch_newest(struct catalog *catalog, int64_t *ret, GError **error); /* of all runs; 0: there is none */
/* Partitions of which records were refused, are in doubt or were decided again, the worst first. */
struct trouble {
    uint32_t part, stage;
    enum part_state state;
    uint64_t rejected, in_doubt, retried;
    int64_t newest_ms; /* its newest checkpoint */
};
struct troubles {
    struct trouble *rows;
    size_t n;
};
bool catalog_troubles(struct catalog *catalog, int64_t run, size_t most, struct arena *mem, struct troubles *ret,
                      GError **error);
/* How long the newest batches of a run took, from the read of their first record to their checkpoint; the shortest
 * first. None of a run that has not been at work lately. */
struct latencies {
    const int64_t *took_ms;
    size_t n;
};
bool catalog_latencies(struct catalog *catalog, int64_t run, size_t most, struct arena *mem, struct latencies *ret,
                       GError **error);
uint32_t catalog_part_first(enum parts_kind kind); /* the number of its first partition */

/* Newest first: entries below `before` (0: from the newest on); with `run`, of that run alone. */
struct ledger_page {
    uint64_t before;
    const char *run; /* NULL: all */
    size_t most;
};
bool ledger_page(struct catalog *catalog, const struct ledger_page *page, struct arena *mem, struct ledger_entries *ret,
                 GError **error);
