/* Inside listing/: reads every part of a source once, with several threads, and gives the states of all keys in order.
 */
#pragma once

#include "listing/states.h"

struct gather;

struct gather_part {
    struct duplicates_part counts;
    char *file; /* of its records; "" without */
};

/* All parts are read, and sorted below `dir`, when the call returns. */
bool gather_new(struct gather **ret, const struct duplicates_wish *wish, const char *dir, GError **error);
void gather_free(struct gather *gather);
AUTO_DEFINE(gather, gather_free)

struct gather_part *gather_parts(struct gather *gather); /* one for each of the wish */

/* The next state in the order of STATE_KEY_BYTES, valid until the next call; NULL at the end. */
bool gather_next(struct gather *gather, const uint8_t **ret_item, GError **error);

/* One part's records, a batch at a time, for whoever wants to see some again. */
struct gather_scan {
    struct scan *scan;
    struct batch batch;
};
bool gather_scan_open(struct gather_scan *ret, const struct duplicates_wish *wish, struct session *session,
                      uint32_t part, GError **error);
void gather_scan_close(struct gather_scan *scan);
/* The next batch in `mem`, which is reset before; not after batch.done. */
bool gather_scan_next(struct gather_scan *scan, const struct duplicates_wish *wish, struct arena *mem, GError **error);
