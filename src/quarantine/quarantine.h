/* The quarantine: records that their form, the contract, the transform or the store refuses, each with its reason.
 *
 * One file per run, HOME/quarantine/RUN.ndjson (docs/formats/quarantine.md): a line that says what the file is, then a
 * line a record. It is made with the first refusal; a run without any has none.
 *
 * A row belongs to a partition, a lane and the number of the checkpoint that will count it. Rules:
 *   1. rows are appended before their checkpoint, and quarantine_sync_durable() returns before it is inserted;
 *   2. whoever is granted a partition cuts it first (quarantine_cut_durable) to the newest checkpoint: what lies beyond
 *      was left by a dead holder and will be refused again;
 *   3. a row keeps its number for ever; numbers grow, from row to row of the file too, but a cut leaves holes.
 *
 * Threads: a struct quarantine is shared by the workers of the one process that holds the run. Appends are written
 * under a lock that guards nothing but the end of this file; nothing is synced under it. A reader belongs to one thread
 * and may read while another process appends. */
#pragma once

#include "base/arena.h"
#include "base/world.h"
#include "record/document.h"

struct quarantine;

/* Of a record that was never a document, so much is kept. */
#define QUARANTINE_RAW_BYTES 4096

struct quarantine_config {
    const struct world *world;
    const char *path; /* HOME/quarantine/RUN.ndjson; its folder is made when it is needed */
    uint8_t run_uid[16];
    const char *sealed_as; /* the kind of key that seals its rows, where the run has one: quarantine, or reports
                            * (notes); NULL: nothing does */
};

/* One refused record. All of it is borrowed for the call. */
struct quarantine_row {
    struct slice key;      /* empty: it was refused before it had one */
    enum error_code code;  /* of class ERROR_RECORD */
    const char *reason;    /* for people; bytes that are not UTF-8 are replaced */
    const char *file;      /* where it came from; NULL for a keyed store */
    uint64_t line;         /* from 1; 0: none */
    uint32_t column;       /* from 1; 0: none */
    struct slice document; /* BSON; empty where it could not be parsed */
    struct slice raw;      /* used only then: what was read */
};

struct quarantine_batch {
    uint32_t part, lane;
    uint64_t checkpoint; /* the number of the checkpoint that will count these rows */
    const struct quarantine_row *rows;
    size_t n;
};

/* Reads what is there: a torn last line is cut, numbers go on behind the highest. Errors: CORRUPT for a file that is
 * not a quarantine of this run, or of a newer version. Cost: one pass over the file without parsing its JSON. */
bool quarantine_open(struct quarantine **ret, const struct quarantine_config *config, GError **error);
void quarantine_free(struct quarantine *quarantine);
AUTO_DEFINE(quarantine, quarantine_free)

/* Appends the rows as one write; not durable yet. Zero rows are fine. Errors: FENCED when the partition was cut for a
 * higher lane; after a failed append or sync every later call fails in the same way, for the tail is in doubt. */
bool quarantine_append(struct quarantine *quarantine, const struct quarantine_batch *batch, GError **error);

/* fdatasync, and once the directory's fsync, of whatever was appended before the call; one sync serves all who wait.
 * Costs nothing where nothing was appended since the last: call it before every checkpoint. */
bool quarantine_sync_durable(struct quarantine *quarantine, GError **error);

/* How far a partition has got: rows of higher checkpoint numbers, or of a lower lane beyond it, do not count. */
struct quarantine_mark {
    uint32_t part;
    uint32_t lane;       /* the lane now granted; appends of lower ones are FENCED from here on. 0: none is granted */
    uint64_t checkpoint; /* the newest; 0: none, every row of the partition goes */
};

/* Removes the rows of these partitions beyond their newest checkpoint; partitions not named are left alone. The file is
 * replaced atomically (fsync of the new one, rename, fsync of the directory), and not touched where no row goes. May be
 * called while others append: they wait. When it fails, nothing more can be appended. */
bool quarantine_cut_durable(struct quarantine *quarantine, const struct quarantine_mark *marks, size_t n,
                            GError **error);

uint64_t quarantine_count(struct quarantine *quarantine); /* rows that stand */

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct quarantine_reader;

/* What is asked for; NULL or 0 asks for everything. Borrowed for as long as the reader. */
struct quarantine_filter {
    const uint32_t *part;
    const uint64_t *number;
    const char *code; /* the name of an error row: contract-says */
    const struct slice *key;
    /* Rows that no checkpoint counts are passed over; of partitions not named here, none are. Sorted by part. */
    const struct quarantine_mark *marks;
    size_t n_marks;
};

struct quarantine_entry {
    uint64_t number, checkpoint;
    uint32_t part, lane, column;
    uint64_t line;
    struct slice key;
    const char *code, *reason, *file; /* file NULL: none */
    struct slice document;            /* JSON text; empty: see raw */
    struct slice raw;                 /* at most QUARANTINE_RAW_BYTES */
    struct slice text;                /* the whole line, without its end */
};

/* No file is an empty quarantine. */
bool quarantine_reader_open(struct quarantine_reader **ret, const struct quarantine_config *config,
                            const struct quarantine_filter *filter, GError **error);
void quarantine_reader_free(struct quarantine_reader *reader);
AUTO_DEFINE(quarantine_reader, quarantine_reader_free)

/* The next entry, in `mem`, in the order of the file; *ret NULL at the end. A line that does not verify is passed over
 * and counted, except a torn last one. TOO_BIG when `mem` is too small for it. */
bool quarantine_next(struct quarantine_reader *reader, struct arena *mem, struct quarantine_entry **ret,
                     GError **error);
/* A whole file of any run, line by line, those that verify as they are. CORRUPT at the end where others do not: the
 * first of them is named; each has a line that says where it stands. */
bool quarantine_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error);

uint64_t quarantine_reader_damaged(const struct quarantine_reader *reader);
