/* Only some records of a source that is scanned: found in one pass, and written down as a skip list of the other sense,
 * one that says who takes part (docs/formats/listing.md).
 *
 * A record is asked for by its key, wherever it stands, or by its place: what could not be read had no key when it was
 * refused. A key brings all its states; those that lose against another one do so here too. */
#pragma once

#include "listing/duplicates.h"

struct chosen_place {
    const char *file;
    uint64_t line;
};
int chosen_place_compare(const void *a, const void *b);

struct chosen_wish {
    const struct world *world;
    const char *path; /* HOME/listing/UID.skip: replaced */
    uint8_t run_uid[16];
    bool has_skips; /* a skip list stands there: the states it names keep their reasons */
    struct session *session;
    const struct dataset *ds;
    const struct slice *bounds; /* of the parts, in their order */
    size_t n_parts;
    const struct slice *keys; /* sorted bytewise, without duplicates */
    size_t n_keys;
    const struct chosen_place *places; /* sorted, without duplicates */
    size_t n_places;
    const atomic_bool *cancel;                      /* NULL: cannot be cancelled */
    void (*progress)(void *self, uint64_t records); /* NULL: none */
    void *progress_self;
};

/* A part in which something takes part, or is refused. */
struct chosen_part {
    size_t of;                /* its place in the bounds; in the list parts are counted anew, without holes */
    uint64_t records, losers; /* of them, those that do not take part and are not refused */
};

struct chosen_result {
    GArray *parts;        /* of struct chosen_part */
    GPtrArray *gone;      /* of char *: keys, and places as FILE:LINE, that no record answers to; also in the list */
    struct digest digest; /* of the list */
};
void chosen_result_done(struct chosen_result *result);

/* The list is durable (fsync, rename, fsync of the directory) when the call returns. Cost: one scan of the source;
 * memory: what was asked for, and a batch. */
bool chosen_find_durable(const struct chosen_wish *wish, struct chosen_result *ret, GError **error);
