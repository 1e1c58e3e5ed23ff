/* Several states of one key in a source that has no keys of its own (files): found in one pass before the first write,
 * decided, and written down as a sorted list of the places that lose (3-semantics, "Policy": Deletes).
 *
 * The pass reads every part once, so it also says what planning wants to know of each: how many records, how many that
 * cannot be read, and that every byte is still what the split saw (a part that changed meanwhile is SOURCE_MOVED, a
 * damaged archive CORRUPT). Sorted on disk: memory stays below DUPLICATES_BYTES and a few MiB of the scan, whatever the
 * size; the disk takes up to 120 bytes a record while it runs. */
#pragma once

#include "record/version.h"
#include "store/calls.h"

#define DUPLICATES_BYTES (32u << 20)

/* `duplicates:` of the spec.
 *
 * NEWEST keeps the state with the highest version. Equal version: where the contents are equal too, the first place
 * stands and the others are dropped; where they differ, nobody can say which is right, and every state at that version
 * is refused. So is every state of a key of which one has no version (or none that can be read, or one of another kind)
 * while another has: they cannot be ordered. Without a version path, equal contents are dropped and different ones are
 * an error of the whole. ERROR: any key with several states is an error of the whole, also where they are equal. ALL
 * keeps them all, in the order of the parts; the list stays empty and the figures are still right. BY_VERSION keeps
 * them all too, for a target where the newest is to be what stands: a removal leaves nothing there that says how new it
 * was, so that the list has each state behind which, or in another part than which, an older one stands (SKIP_STAYS).
 *
 * "Equal content" means equal documents, field for field and in the same order: the same text but for blanks. */
enum states_rule { STATES_NEWEST, STATES_ERROR, STATES_ALL, STATES_BY_VERSION };

/* Why a state does not take part. The first two are counted as `duplicates`, the others are `rejected`. */
enum skip_reason {
    SKIP_NOTHING,    /* it takes part */
    SKIP_SUPERSEDED, /* another state of the key has a higher version */
    SKIP_EQUAL,      /* another state of the key has the same version and content */
    SKIP_CONFLICT,   /* another state of the key has the same version and other content */
    SKIP_UNORDERED,  /* another state of the key has a version that cannot be compared with this one's */
    SKIP_UNIQUE,     /* another record has the same value of a field that is `unique` (listing/unique.h) */
    SKIP_STAYS,      /* it takes part, but may not remove its key: an older state may come after it */
    SKIP_UNASKED,    /* the run is for other records, which are listed instead (listing/chosen.h); counted nowhere */
    SKIP_REASON_COUNT
};

struct skip_reason_row {
    const char *name, *words;
    bool takes_part;
    bool refused;         /* goes to the quarantine … */
    enum error_code code; /* … under this code */
};
const struct skip_reason_row *skip_reason_row(enum skip_reason reason);

/* --- the pass ------------------------------------------------------------------------------------------------------
 */

struct duplicates_part {
    uint64_t records;                    /* states and faults together: what a scan of the part gives */
    uint64_t faults;                     /* of them, those that cannot be read */
    uint64_t bytes;                      /* read */
    uint64_t skipped[SKIP_REASON_COUNT]; /* of them, those that do not take part */
};

struct duplicates_wish {
    const struct world *world;
    const char *path; /* HOME/listing/UID.skip; its folder is made when absent, and is where the sort spills */
    uint8_t run_uid[16];
    struct session *session;    /* of the store; further workers open their own */
    uint32_t workers;           /* threads over parts; 0: 1, the calling one */
    const struct dataset *ds;   /* with its key paths */
    const struct slice *bounds; /* of the parts, in their order; each lies within one file */
    size_t n_parts;
    const struct path *version; /* NULL: none */
    /* Which parts are of the run, when all is decided: the list holds the losers of these alone, numbered anew without
     * the others. NULL: all. */
    bool (*keep)(void *self, uint32_t part, const struct duplicates_part *counts);
    void *keep_self;
    enum states_rule rule;
    const atomic_bool *cancel;                                      /* NULL: cannot be cancelled */
    void (*progress)(void *self, uint64_t records, uint64_t bytes); /* NULL: none; by the calling thread */
    void *progress_self;
};

struct duplicates_result {
    struct duplicates_part *parts; /* of those kept, in the order of the bounds */
    uint32_t *kept;                /* what their numbers were */
    size_t n_parts;
    struct duplicates_part all; /* the sums */
    uint64_t keys;              /* that differ */
    bool listed;                /* whether there is a skip file; without a loser there is none */
    struct digest digest;       /* of the skip file's content: what a plan freezes; zero without one */
};
void duplicates_result_done(struct duplicates_result *result);

/* REFUSED where the rule makes duplicates an error: the message names the first DUPLICATES_NAMED keys, each with the
 * places of two of its states, and the ways out. The skip file is durable (fsync, rename, fsync of the directory) when
 * the call returns; one that stands at `path` is replaced. */
#define DUPLICATES_NAMED 20
bool duplicates_find_durable(const struct duplicates_wish *wish, struct duplicates_result *ret, GError **error);

/* --- the list ------------------------------------------------------------------------------------------------------
 */

struct skiplist;

/* What to do with the record at one place. */
struct skip {
    enum skip_reason reason; /* never SKIP_STAYS */
    const char *text;        /* for the quarantine: why, and where the other state stands; valid until the next call */
    const char *stays;       /* it takes part, but may not remove its key: why, likewise; NULL: it may */
};

/* For one thread; a finished list never changes. Memory: one block and an index. CORRUPT as listing_reader_open(). */
bool skiplist_open(struct skiplist **ret, const struct world *world, const char *path, const uint8_t run_uid[16],
                   GError **error);
void skiplist_free(struct skiplist *list);
AUTO_DEFINE(skiplist, skiplist_free)

/* Of one that says who takes part: of char *, what was asked for and is nowhere; as long as the list. */
const GPtrArray *skiplist_gone(const struct skiplist *list);
struct digest skiplist_digest(const struct skiplist *list);
/* Whether the record of `part` at `offset` (record.at.offset) takes part. Asked along a scan it merges: no search, no
 * read but of the next block; asked in any other order it finds its place again. */
bool skiplist_find(struct skiplist *list, uint32_t part, uint64_t offset, struct skip *ret, GError **error);
