/* The inside of a list. list.c opens it, reads cursors and goes on until something came; list_slots.c reads slots by
 * GETKEYSINSLOT, list_scan.c servers by SCAN, list_look.c what the servers say of themselves. */
#pragma once

#include "store/valkey/claim.h"
#include "store/valkey/list.h"

/* A server and the slots that are wanted of it. */
struct list_place {
    struct valkey_host at; /* its own */
    uint64_t wanted[CLAIM_WORDS];
};

/* A SCAN that goes from place to place: the owner, then where slots of it are moving to. */
struct list_scan {
    bool on;
    size_t owner; /* the node in `topology` that had all of them */
    struct topology *topology;
    GPtrArray *places; /* of struct list_place */
    size_t place;      /* the one it is at */
    uint64_t cursor;
    struct claim before; /* of the owner */
};

struct list {
    struct router *router;
    const struct key_template *template;
    uint32_t from, to; /* slots: from ≤ slot < to */
    uint32_t next;     /* the first that is not done; cluster only */
    uint64_t done[CLAIM_WORDS];
    bool over; /* standalone: SCAN has come to its end */
    size_t max_keys, slot_most;
    uint32_t ahead; /* slots that are counted at once */
    struct list_scan scan;
    /* What was read and does not count yet: keys one behind the other, and where each lies. */
    GByteArray *bytes;
    GArray *found;     /* of struct list_found */
    struct arena *mem; /* the commands of an attempt */
    struct arena *key; /* for the moment */
    GError *why;       /* what was in the way the last time; NULL: nothing */
};

struct list_found {
    size_t at;
    uint32_t len;
    uint16_t slot;
};

/* One try at the next keys. true: `list->found` holds what counts (perhaps nothing), and the list has gone on. false
 * with a transient error, or without one and with list->why: again later. */
bool list_slots_try(struct list *list, const struct call *call, GError **error);
bool list_scan_try(struct list *list, const struct call *call, GError **error);

/* The owner's slots that are left in the part, by SCAN from now on. `before` is taken over. */
void list_scan_begin(struct list *list, struct topology *topology, size_t owner, struct claim *before);
void list_scan_end(struct list *list);

/* Some nodes of a topology, by number. */
struct list_nodes {
    const struct topology *topology;
    const size_t *nodes;
    size_t n;
};
/* What they say of themselves, asked at once; claims[i] is that of nodes[i]. On a standalone server only who it is. */
bool list_look(struct list *list, const struct call *call, const struct list_nodes *of, struct claim *claims,
               GError **error);

/* Where a slot moves to; NULL: it does not move, or nobody knows the server. */
const struct valkey_host *list_target(const struct topology *topology, const struct claim_move *move);

/* A key that was read, if it is of the dataset. */
bool list_keep(struct list *list, struct slice server, uint16_t slot, GError **error);

/* Commands of one kind to be sent at once; the arguments live in list->mem until the attempt ends. */
struct list_batch {
    struct list *list;
    const struct call *call;
    GArray *commands; /* of struct command */
    bool (*answer)(void *self, size_t i, const struct reply *reply, GError **error);
    void *self;
};
bool list_put(struct list_batch *batch, const struct valkey_host *at, const struct slice *args, size_t n,
              GError **error);
bool list_send(struct list_batch *batch, GError **error);     /* and frees the commands */
struct slice list_number(struct list *list, uint64_t number); /* its decimal text */
/* For an answer that is not as it should be. Returns false. */
bool list_refuse(const struct list_batch *batch, size_t i, const struct reply *reply, GError **error);
