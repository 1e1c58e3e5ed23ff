/* Internal to doctor/: what the checks share, and how they say what they found. */
#pragma once

#include "doctor/doctor.h"
#include "record/outcome.h"

#define LOOK_SAMPLE 500

struct look {
    const struct doctor_config *config;
    struct doctor_finding *finding; /* of the check at hand */
    GArray *findings;               /* those that are complete */
    struct arena *mem;
    struct spec *spec; /* NULL: it is wrong */
    bool recipe_loads; /* contract and transform do */
    struct plan *plan; /* NULL: it cannot be planned; owns the spec from then on */
    struct store *source, *target;
    struct store_info source_info, target_info; /* identity NULL: not reached */
    bool target_new;                            /* not there yet */
    struct tally tally;                         /* of the sample; READ 0: none was taken */
    uint64_t sample_undo_bytes;                 /* what the undo log would take of it */
};

/* How a check ends. The text is made as by printf; `todo` may be NULL. */
void look_ok(struct look *look, const char *format, ...) G_GNUC_PRINTF(2, 3);
void look_warn(struct look *look, const char *todo, const char *format, ...) G_GNUC_PRINTF(3, 4);
void look_fail(struct look *look, const char *todo, GError *error); /* owns the error */
/* The check has found that; what follows is one more finding of it. */
void look_again(struct look *look);
/* What the check needs is missing: `need` is the check that found it so. */
void look_skip(struct look *look, const char *need);

/* What is to be promised to live requests whose p99 differs by so much without us; the caller frees. */
char *look_live_floor(double middle_us, double spread_us);

#define CHECK(name, function, words) void function(struct look *look);
#include "doctor/check_rows.h"
#undef CHECK
