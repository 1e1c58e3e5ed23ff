/* The text of a reply to INFO: lines `name:value`. Pure; what is given back borrows from the text. */
#pragma once

#include "base/arena.h"
#include "base/slice.h"

/* The next line without its end; false: none. */
bool info_line(struct slice *rest, struct slice *ret);

/* false: no such line. */
bool info_text(struct slice info, const char *name, struct slice *ret);
/* Of a line that is a whole number; else 0. */
int64_t info_number(struct slice info, const char *name);
/* Whether there is such a line, and it says exactly this. */
bool info_says(struct slice info, const char *name, const char *value);

/* How many keys a database has, of INFO keyspace; one without keys has no line: 0. -1: it does not say. */
int64_t info_keys(struct slice info, uint32_t db);

/* How many keys of a database have an expiry, of INFO keyspace. false: it does not say; an empty database has no line.
 */
bool info_expiring(struct slice info, uint32_t db, uint64_t *ret);

/* How many hashes have fields that expire, of INFO keyspace (Redis 7.4, Valkey 9), over all databases; older servers,
 * which know no such fields, say nothing: 0. */
uint64_t info_field_expiries(struct slice info);

/* The replicas that are connected and in step, of INFO replication; *ret_offset the smallest that one of them has
 * acknowledged, INT64_MAX where there is none. */
uint32_t info_replicas(struct slice info, int64_t *ret_offset);

/* Since when, in seconds, the one of them that has been silent longest has said nothing; INFO_LAG_NONE: there is none,
 * INFO_LAG_UNTOLD: the server's clock went back since one of them last did. */
enum { INFO_LAG_NONE = -1, INFO_LAG_UNTOLD = -2 };
int64_t info_replica_lag_s(struct slice info);
/* Which one that is (of those that are silent equally long, the one that has acknowledged least), as `host:port`, in
 * `mem`; NULL: that is not told. */
const char *info_slowest(struct slice info, struct arena *mem);
