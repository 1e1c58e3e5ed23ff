/* What the undo log says stood there, held against what the verifier read of sampled keys itself: before the stage was
 * written (verify_sample_take()), and once more between the run's own read of a record and its write (verify/glance.h).
 *
 * A write is a compare-and-set: nobody has written between the run's read and it. So the second look saw just what the
 * run wrote over, however busy the application was meanwhile, and an entry of the log that it did not see is wrong; or
 * the application wrote the record within these moments and brought it back again, byte for byte. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum pre_image {
    PRE_IMAGE_NOT_SAMPLED,
    PRE_IMAGE_STOOD,   /* as it was before the stage */
    PRE_IMAGE_CHANGED, /* the application has written it since; it is as it was right before the write */
    PRE_IMAGE_REFUTED, /* neither */
    PRE_IMAGE_UNSEEN,  /* not as it was before the stage, and nobody looked again: not comparable */
    PRE_IMAGE_COUNT
};

struct preimages {
    uint64_t of[PRE_IMAGE_COUNT];
};
void preimages_merge(struct preimages *io, const struct preimages *more);

/* false: the log is not what stood there. Three records and one in a hundred may have come back to what they were; and
 * where nobody looked again, most must be as before the stage. */
bool preimages_hold(const struct preimages *preimages);

/* Nothing, where none was sampled. */
void preimages_words(const struct preimages *preimages, GString *text);
json_t *preimages_json(const struct preimages *preimages);
