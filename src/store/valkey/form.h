/* What a record looks like on the wire, in sluice's own sorted bytes, and as a document: a table of forms (hash, json,
 * raw). Pure. docs/drivers/valkey.md has the mapping. */
#pragma once

#include "store/store.h"
#include "store/valkey/resp.h"

#define VALKEY_ETAG_BYTES 32u

struct form {
    enum dataset_form form;
    const char *name;
    /* The commands that read a record, pipelined: `n_reads` of them, argument 0 the command, then the key, then what
     * else there is. The last is always PEXPIRETIME. */
    size_t n_reads;
    const char *const *reads;
    /* The replies, in that order → raw, etag, expiry, presence; a wrong type is RECORD_FAULT (BAD_RECORD, naming it).
     */
    bool (*image)(const struct reply *replies, struct slice key, struct arena *mem, struct record *ret, GError **error);
    /* The arguments with which cas.lua writes `raw`, appended (slices into raw or mem). */
    bool (*write_args)(struct slice raw, struct arena *mem, GArray *into, GError **error);
    bool (*decode)(const struct dataset *, struct slice raw, struct arena *, struct slice *ret, GError **);
    bool (*encode)(const struct dataset *, struct slice document, struct arena *, struct slice *ret, GError **);
};

/* FORM_DEFAULT is hash for a template, raw for a glob. NULL: none (bson). */
const struct form *form_of(const struct dataset *ds);
