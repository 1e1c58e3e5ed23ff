/* What a verification's values are held against beside the source's: a profile (profile/fields.h) that the gates of an
 * earlier run kept of what the target then held. Evidence for whoever reads the verdict, as shifts are
 * (verify/shift.h): it passes and fails nothing, and neither does a baseline that cannot be had.
 * docs/formats/profile.md is the file. */
#pragma once

#include "profile/fields.h"
#include "verify/verify.h"

struct blockfile_kind;
struct block;
extern const struct blockfile_kind past_kind;

/* One file: of a stage's gate. */
struct past_part {
    char *run, *stage; /* stage: its name; empty: the run has none */
    int64_t kept_ms;
    uint64_t keys; /* of the target, about: those of which the profile is a sample */
    struct profile *profile;
    char *path;
    uint8_t digest[32]; /* BLAKE2b-256 of the file */
};
void past_part_done(struct past_part *part);

struct past {
    char *of;      /* what the spec calls it, or the run that was found */
    char *stage;   /* the profile is of this stage alone; NULL: of all of the run's */
    bool named;    /* by the spec: that there is none is told in the verdict, too */
    char *why;     /* there is none, for this reason; NULL: there is one, */
    GArray *parts; /* of struct past_part: this is what it is made of, and … */
    int64_t kept_ms;
    struct profile *profile; /* … all of them together, each by its share of the keys */
};
struct past *past_new(const char *of, bool named);
void past_free(struct past *baseline);
AUTO_DEFINE(past, past_free)
/* `digest`: what the gate said of the file; NULL: nobody knows. CORRUPT where it is not that, or is damaged; NOT_FOUND;
 * REFUSED where it is sealed and its key is no more. */
bool past_add(struct past *baseline, const struct world *world, const char *path, const uint8_t *digest,
              GError **error);
void past_join(struct past *baseline);         /* when all are added */
char *past_words(const struct past *baseline); /* "nightly.3 (stage canary)"; the caller frees */

/* What the input's gate leaves for later runs, in input->profile_path: PATH.tmp, fsync, rename, fsync of the directory.
 * The profile is of `share` of what the target holds. */
bool past_keep_durable(const struct verify_input *input, struct profile *profile, double share, uint8_t ret_digest[32],
                       GError **error);
/* false: the bytes make no sense. */
bool past_block_get(const struct block *block, struct past_part *ret);
