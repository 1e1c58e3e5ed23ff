/* A walk over all records of the target's dataset, each once, whoever wrote it: what rules, aggregates and probes are
 * judged by. Memory is bounded by a batch; a store whose scan may give a key twice is listed first, on disk. */
#pragma once

#include "listing/listing.h"
#include "verify/verify.h"

struct whole_record {
    const struct record *record; /* present, or at fault; never absent */
    struct slice document;       /* empty: it cannot be read, and … */
    const char *unread;          /* … why; NULL: it can */
};

struct whole_walk {
    const struct verify_input *input; /* its report_path says where there is room */
    struct session *session;          /* of the target */
    struct arena *mem;                /* of a batch: reset before each */
    bool (*record)(void *self, const struct whole_record *record, GError **error);
    bool (*settle)(void *self, GError **error); /* behind each batch, before its memory goes; NULL */
    void *self;
};
bool whole_walk(const struct whole_walk *walk, GError **error);

/* A list of the target's keys, for the time of a verification: sealed where what is kept of the run is. */
struct listing_draft verify_draft(const struct verify_input *input, const char *path);
