/* The inside of a list. list.c opens it, reads cursors and goes on until something came; list_slots.c reads slots by
 * GETKEYSINSLOT, list_scan.c servers by SCAN, list_look.c what the servers say in one moment. */
#pragma once

#include "store/valkey/claim.h"
#include "store/valkey/list.h"

/* A server and the slots that are wanted of it. */
struct list_place {
    struct valkey_host at; /* its own */
    uint64_t wanted[CLAIM_WORDS];
    bool all; /* every slot is: nobody need know whose a key is */
};

/* A server of a cluster in one moment: who it is, which slots it has, and what it answers about slots. */
struct list_moment {
    const struct valkey_host *at; /* borrowed from a topology */
    struct claim claim;
    uint64_t arrived;  /* keys that other servers, or clients, have put there whole so far: RESTORE */
    GArray *questions; /* of struct command */
    GArray *about;     /* of size_t: what each question is about, for whom it is answered */
};

/* A SCAN that goes from place to place: the owner, then where slots of it are moving to. */
struct list_scan {
    bool on;
    struct topology *topology;
    GPtrArray *places; /* of struct list_place */
    size_t place;      /* the one it is at */
    uint64_t cursor;
    struct node_state before; /* standalone: who it was */
    bool known;               /* and still was behind the keys that were given last */
    struct list_moment owner; /* cluster: which had all the slots when the scan began, as it was last seen */
    uint64_t *keys;           /* that each slot had then, at least 1; 0 of one that did not stay */
    size_t calls;             /* since it was last seen */
};

struct list {
    struct router *router;
    const struct key_template *template;
    bool own;          /* as list_wish has it */
    uint32_t from, to; /* slots: from ≤ slot < to */
    uint32_t next;     /* the first that is not done; cluster only */
    uint64_t done[CLAIM_WORDS];
    bool over; /* standalone: SCAN has come to its end */
    size_t max_keys, slot_most;
    uint32_t ahead;   /* slots of an owner that are counted at once */
    uint64_t usual;   /* keys of the largest slot among those that were read last; 0: nothing is known */
    uint32_t counted; /* before this slot keys are counted before they are read, whatever is usual */
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

/* The large slots of the topology's node that are left in the part, by SCAN from now on. */
bool list_scan_begin(struct list *list, const struct call *call, struct topology *topology, size_t owner,
                     GError **error);
void list_scan_end(struct list *list);

void list_moment_init(struct list_moment *moment, const struct valkey_host *at);
void list_moment_done(struct list_moment *moment);
/* Forgets what was asked and said. */
void list_moment_reset(struct list_moment *moment);
/* Arguments are copied into list->mem. */
bool list_moment_put(struct list *list, struct list_moment *moment, size_t about, const struct slice *args, size_t n,
                     GError **error);

struct list_moments {
    struct list *list;
    const struct call *call;
    struct list_moment *moments;
    size_t n;
    bool arrivals; /* `arrived` is wanted, too: a server takes longer to tell it than all the rest */
    /* Called for each question; NULL where there are none. */
    bool (*answer)(void *self, size_t moment, size_t about, const struct reply *reply, GError **error);
    void *self;
};
/* All servers at once; what one of them says and answers holds for one and the same moment (MULTI). */
bool list_ask(const struct list_moments *of, GError **error);

/* Where a slot moves to; NULL: it does not move, or nobody knows the server. */
const struct valkey_host *list_target(const struct topology *topology, const struct claim_move *move);

/* A key that was read, if it is of the dataset. */
bool list_keep(struct list *list, struct slice server, uint16_t slot, GError **error);

struct slice list_number(struct list *list, uint64_t number); /* its decimal text */
/* COUNTKEYSINSLOT, or GETKEYSINSLOT of so many; the number of arguments. */
size_t list_question(struct list *list, uint32_t slot, bool keys, uint64_t most, struct slice args[4]);
