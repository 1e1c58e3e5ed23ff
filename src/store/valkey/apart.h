/* A numbered write whose value, or whose etag, no script could handle at once: between apart.c and write.c. */
#pragma once

#include "store/valkey/pieces.h"

struct valkey_apart {
    struct slice hidden;              /* of a put: where the value stands; it is renamed */
    const char *probe;                /* what the script reads the record by */
    const struct pieces_watch *watch; /* not NULL: the caller has seen that the etag holds, and watches the key */
};

struct valkey_writes {
    const struct lane *lane;
    struct cas_op *ops;
    size_t n;
    const struct valkey_apart *apart; /* NULL: nothing is special */
};

/* Asks, once a session, which of DUMP, RESTORE and SET the user may; what it is not told it takes for permitted. */
bool apart_learn(struct session *, const struct call *, struct slice key, GError **);
/* As the contract's cas. Of CAS_CHANGED with `apart` the live image is the caller's to read; CAS_NOT_SENT: under WATCH
 * it changed meanwhile, or the hidden key is gone. */
bool valkey_cas_as(struct session *, const struct call *, const struct valkey_writes *writes, GError **);
/* Whether the one operation is CAS_FENCED or CAS_DONE already, by what this process knows: before a value is moved. */
bool valkey_cas_settled(struct session *, const struct call *, const struct valkey_writes *, bool *ret, GError **);
