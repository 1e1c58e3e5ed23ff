/* What a record looks like on the wire, in sluice's own sorted bytes, and as a document: a table of forms (hash, json,
 * raw). Pure. docs/drivers/valkey.md has the mapping. */
#pragma once

#include "store/store.h"
#include "store/valkey/resp.h"

#define VALKEY_ETAG_BYTES 32u

/* What images are made with beside memory: the digest's state. One a session. */
struct form_work;
struct form_work *form_work_new(void);
void form_work_free(struct form_work *work); /* takes NULL */
AUTO_DEFINE(form_work, form_work_free)

struct form {
    enum dataset_form form;
    const char *name;
    /* The command that reads a record: HGETALL, GET or DUMP, with the key as its only argument. cas.lua reads by the
     * same one. PEXPIRETIME of the key is always sent with it. The etag's T is this command's first letter. */
    const char *probe;
    /* Both replies, the probe's first → raw, etag, expiry, presence. A wrong type (the probe's reply is an error) is
     * RECORD_FAULT (BAD_RECORD, naming it). In the live image of a cas the probe's reply is an array that cas.lua
     * gives, the same in RESP2 and RESP3; a reply of HGETALL may be a map. `work` NULL: without an etag. `key` is
     * borrowed by *ret; raw is a copy in `mem`. False: TOO_BIG (`mem` is full; names the key), STORE (no such reply
     * can be). */
    bool (*image)(const struct reply *replies, struct slice key, struct form_work *work, struct arena *mem,
                  struct record *ret, GError **error);
    /* How cas.lua writes `raw` to a key at which nothing stands (or, where the command replaces: SET, RESTORE),
     * appended as arguments (slices into raw or mem): one command after another, each as its name, the decimal number
     * of its arguments, and those that follow the key: "HSET" "4" f v g w; "SET" "1" v; "RPUSH" …; "RESTORE" "3" "0"
     * payload "REPLACE". No command has more than 4,000 (what Lua can unpack). The expiry is none of theirs. At least
     * one command. */
    bool (*write_args)(struct slice raw, struct arena *mem, GArray *into, GError **error);
    bool (*decode)(const struct dataset *, struct slice raw, struct arena *, struct slice *ret, GError **);
    bool (*encode)(const struct dataset *, struct slice document, struct arena *, struct slice *ret, GError **);
    bool (*digest)(struct slice raw, uint64_t seed, struct digest *ret); /* as the driver's; NULL: of none */
};

/* FORM_DEFAULT is hash for a template, raw for a glob. NULL: none (bson). */
const struct form *form_of(const struct dataset *ds);
