/* The calls that can fail, by name: what is called on which file, "fsync home/undo/job.*"; of SQLite's "sqlite pwrite
 * home/catalog.db-wal"; of a store's "store cas". All of them stand in site_rows.h, with the suite that answers for it.
 */
#pragma once

#include "kit/scene.h"

enum site_suite { SITE_SWEEP, SITE_COMMANDS, SITE_SUITES };

struct sites {
    GHashTable *made;   /* of commands that met no fault, and the store's of all; sets of char * */
    GHashTable *failed; /* with SITE_FOR_EVER behind it: from there on for ever */
};
#define SITE_FOR_EVER " for ever"

void sites_init(struct sites *ret);
void sites_done(struct sites *sites);

/* What a life calls: begun, it is told of each call of the files and of the catalog, until it is ended. */
struct site_watch {
    struct scene *scene; /* armed with a fault, of nth UINT64_MAX for a rehearsal */
    struct sites *sites;
    GPtrArray *order; /* of a rehearsal: takes the names of the calls that may fail, the n-th at n - 1; else NULL */
    uint64_t sent;    /* cas calls until the first fault */
};
void site_watch_begin(struct site_watch *watch);
void site_watch_end(struct site_watch *watch); /* and notes those of the store */

/* The same name in every run, wherever the home lies and whatever its numbers are. The caller frees. */
char *site_name(const struct scene *scene, const char *call, const char *path, bool sqlite, bool for_ever);
bool site_is_of(const char *site, enum site_suite suite); /* false where it has no row, too */

/* Whatever was made or has failed has a row, and so has each call of a store; and of the suite's own rows each has
 * failed (`each`: also for ever). Says which is missing. */
bool sites_are_named(const struct sites *sites);
bool sites_have_failed(const struct sites *sites, enum site_suite suite, bool each);
