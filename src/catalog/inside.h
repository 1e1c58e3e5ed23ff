/* What the files of catalog/ share; nobody else includes it. */
#pragma once

#include <jansson.h>

#include "catalog/catalog.h"
#include "catalog/db.h"
#include "catalog/ledger.h"

struct catalog {
    struct db *db;
    const struct world *world;
    char *home, *home_id;
};

/* What may be read for one's own use: names, states, digests. */
enum { SMALL_BYTES = 64 * 1024 };

/* The next column, a word of a state; one that is unknown counts as damage. */
enum run_state run_state_get(struct query *query);
enum stage_state stage_state_get(struct query *query);
enum part_state part_state_get(struct query *query);

void plan_digests_put(struct query *query, const struct plan_digests *digests);
void plan_digests_get(struct query *query, struct plan_digests *ret);
void set_digest_put(struct query *query, const struct set_digest *set,
                    uint8_t sum[16]); /* `sum` lives as long as the query */
void set_digest_get(struct query *query, struct set_digest *ret);
void tally_put(struct query *query, const struct tally *tally);
void tally_get(struct query *query, struct tally *ret);

/* The digest of a report; all zero where none was written yet. */
void gates_report_get(struct query *query, uint8_t ret[32]);

/* What an act on a run needs to know of it. */
struct run_brief {
    int64_t id;
    const char *name;
    enum run_state state;
    struct plan_digests digests;
};
bool run_brief_read(struct catalog *catalog, int64_t run, struct arena *mem, struct run_brief *ret, GError **error);

/* Adds to the running totals. */
struct total {
    const struct tally *tally;
    uint64_t bytes_read, bytes_written;
    int64_t limited_ms; /* 0: stays as it is */
    int64_t worked_ms;
};
bool total_add(struct catalog *catalog, int64_t run, const struct total *total, GError **error);
bool total_touch(struct catalog *catalog, int64_t run, GError **error); /* it has changed now */

/* Inside the transaction of the act: the entry of an act on a run. `own` (taken over, may be NULL) are the catalog's
 * own details; they come after what `given`, a JSON object, says under the same names. */
struct run_act {
    const struct run_brief *run;
    const char *action;
    const struct act *act;
    const char *given; /* NULL */
    json_t *own;
    uint32_t events;   /* a set of spec_event: hooks that wait for one of them are told */
    const char *stage; /* what they are told of it; NULL: no stage */
};
/* A JSON string of whatever bytes a person or a path gave; NULL: null. */
json_t *ledger_json_text(const char *text);
bool ledger_act(struct catalog *catalog, const struct run_act *act, GError **error);

/* catalog_run_move() within a transaction of the caller. */
bool run_move_within(struct catalog *catalog, const struct run_move *move, GError **error);
bool ledger_add(struct catalog *catalog, const struct ledger_entry *entry, GError **error);
/* All that the query gives. */
bool ledger_rows(struct query *query, struct arena *mem, struct ledger_entries *ret, GError **error);

/* hooks.c, inside a transaction: the hooks of a new run, and what an act has to tell them; `details` are those of its
 * entry, which is the ledger's newest. */
bool hooks_insert(struct catalog *catalog, int64_t run, const struct hook_new *hooks, size_t n, GError **error);
bool hooks_journal(struct catalog *catalog, const struct run_act *act, const char *details, GError **error);
uint32_t hooks_of_run_move(const struct run_move *move);
uint32_t hooks_of_stage_move(enum stage_state to);

/* Stage (UINT32_MAX: NULL), and the first and last number of its kind of partitions: three parameters. */
void parts_range_put(struct query *query, uint32_t stage, enum parts_kind kind);
void parts_columns(struct query *query, struct arena *mem, struct part_row *part);
bool parts_insert(struct catalog *catalog, int64_t run, const struct part_new *part, GError **error);

/* Inside a transaction: what catalog_grant() and catalog_checkpoint() do in one of their own. */
bool grant_add(struct catalog *catalog, const struct grant_wish *wish, struct arena *mem, struct grant *ret,
               GError **error);
bool checkpoint_add(struct catalog *catalog, const struct checkpoint *checkpoint, GError **error);

/* A growing array in an arena. *io_rows has room for at least one more of `size` bytes after it. TOO_BIG when full. */
struct rows {
    void *at;
    size_t n, room, size;
};
void *rows_add(struct rows *rows, struct arena *mem, GError **error);
