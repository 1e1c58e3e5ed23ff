/* Private to contract/: one walk over a document with the fields in hand.
 *
 * Bytes are copied only when something changes: a frame for each object or array on the way knows how far its bytes
 * have been copied, and everything between two changes goes over in one piece. Where nothing changes nothing is copied.
 * A struct walk belongs to one thread and is used again for every record. */
#pragma once

#include "contract/field.h"

#define ORDER_LONGEST 64 /* how many elements of an object a walk remembers the fields of */

struct walk {
    struct arena *mem;
    uint8_t *out; /* the new document, in mem; NULL: nothing has changed */
    size_t len, room, hint;
    bool no_room;     /* mem is full */
    bool damaged;     /* the document is no BSON, or has a type that is not carried */
    GString *refusal; /* what is wrong with the record, a line each; empty: nothing is */
    pcre2_match_data *match;
    pcre2_match_context *limits;
    /* By fields->id: which field the n-th element was the last time. Records of one source have their fields in one
     * order, whatever the contract's is. */
    uint16_t (*order)[ORDER_LONGEST];
    enum unknown_rule unknown;
};

void walk_init(struct walk *walk, const struct contract *contract);
void walk_done(struct walk *walk);

/* Applies the fields to the document. *ret is the document itself where nothing changed, else in `mem`. What is wrong
 * is in walk->refusal, no_room and damaged; *ret is then as far as it came, and a whole document still. */
void walk_document(struct walk *walk, const struct fields *fields, struct slice document, struct arena *mem,
                   struct slice *ret);
