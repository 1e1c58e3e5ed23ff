/* Which servers have the data, with which history, and which witnesses of a run stand there: what tells whether a
 * checkpoint's writes can be lost (docs/drivers/valkey.md, "Lost after its checkpoint"). Pure.
 *
 * As text, a *line*: SINCE NEXT;SERVER;SERVER… SINCE and NEXT are moments of the run (fence.h): what the line's
 * checkpoint counts was noted between them. A server: NODE RUN_ID REPLID OFFSET REPLID2 SECOND SLOTS COVERED, with `-`
 * for what a service hides; COVERED 1 where the witness was put, because the checkpoint counts writes there; others may
 * not have been asked for it, and are what they were in an earlier line, with an OFFSET that none reaches. A primary
 * that was a replica keeps its old primary's id as its second, and up to where its own history is the same. */
#pragma once

#include "store/store.h"
#include "store/valkey/route.h"

#define HISTORY_ID_BYTES 17 /* 16 of an id's 40 characters: enough to tell one from another */

struct history_server {
    char node[HISTORY_ID_BYTES], run_id[HISTORY_ID_BYTES], replid[HISTORY_ID_BYTES], replid2[HISTORY_ID_BYTES];
    int64_t offset, second;
    GArray *slots;         /* of uint16_t: pairs first, last, ascending */
    GHashTable *witnesses; /* of a look: part → "LANE:NUMBER LANE:NUMBER …" */
    bool covered;
    bool carried;   /* it was not asked now, and is as an earlier line has it */
    bool suspect;   /* a line that has it says that it may have lost something */
    bool confirmed; /* a witness shows that it has all that stood in its slots when they were last given to it */
};

struct history {
    uint64_t since, next;
    GPtrArray *servers; /* of struct history_server */
};

struct history *history_new(void);
void history_free(struct history *history);
AUTO_DEFINE(history, history_free)

/* One server more, which has the slots whose `owner` is `node`; nothing else is known of it yet. */
struct history_server *history_add(struct history *history, const char *node, const int32_t owner[SLOTS],
                                   int32_t node_index);
/* What it is: as it was asked; or as it was in an earlier line, if that has it. What it had then says nothing of what
 * it was given since, so that only the same process is known to have that. */
void history_asked(struct history_server *server, const struct node_state *state);
void history_carried(struct history_server *server, const struct history *was);
/* The place in which a server's witnesses lie: that of its first slot. */
uint32_t history_place(const struct history_server *server);
/* A field of that place's fence; others are nothing to it. */
void history_witness(struct history_server *server, struct slice field, struct slice value);

void history_put(const struct history *history, GString *into);
bool history_read(struct slice line, struct history **ret);

/* All have the slots that they had, or none had any. */
bool history_slots_stay(const struct history *was, const struct history *now);
/* The servers of `was` are there, the same processes with the same history, as far as they were asked now. */
bool history_same(const struct history *was, const struct history *now);
/* Those that were not asked now become what they are in `last`. */
void history_remember(struct history *now, const struct history *last);
bool history_holds(struct history *now, struct slice was, const struct witness *witness, struct arena *mem,
                   const char **ret_where);

/* What history_holds() says of where: SINCE SLOTS; several with `;` between them. Of each slot whether it is among
 * them, and since which moment; 0: nobody knows since when. */
struct history_where {
    bool there[SLOTS];
    uint64_t since[SLOTS];
};
void history_where(struct slice where, struct history_where *ret);
