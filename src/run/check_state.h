/* Internal to run/: a verification that is being made ready and watched, shared by the files that make one up:
 * check_input.c what it is given, check_watched.c how it goes on, check.c the partitions of a run, check_before.c what
 * is looked at before a stage is written, check_spec.c a spec without a run, check_report.c what becomes of a report.
 */
#pragma once

#include "run/check.h"
#include "run/earlier.h"
#include "run/measure.h"
#include "verify/cause.h"

#define CHECK_PREFIX "verify-"
#define CHECK_ENDING ".ndjson"

/* Owns what the input points to. */
struct check {
    struct verify_input input;
    struct arena *mem;     /* what the catalog says of the partitions */
    GArray *parts;         /* of struct verify_part */
    struct part_sum *sums; /* as the gates left them; in mem */
    size_t n_sums;
    struct verify_sample *sample;
    char *undo_dir, *reports, *report_path, *sample_path, *owners_path, *sketch_path, *progress_path;
    GPtrArray *owners, *sketches; /* of char *, as the gates wrote them; NULL: none */
    struct cause_wish cause;      /* of NULL: nobody asks */
    struct dataset live;          /* where fresh records are, also of a run that writes a shadow */
    struct cause_found caused;
    struct measures *measures; /* NULL: none */
    struct past *baseline;     /* likewise */
    char *profile_path;
    struct measure_asking asking;
    struct measures_wish measure;
};

void check_from_plan(struct verify_input *input, const struct plan *plan);
void check_from_hold(struct check *check, struct hold *hold);
void check_done(struct check *check);
struct verify_part check_part_of(const struct part_row *row);
void check_add_part(struct check *check, struct verify_part part);
char *check_sample_path(const struct check *check, uint32_t stage); /* the caller frees */

/* `mended_us`: since when a person says that it is mended; 0: nobody has. */
void check_asks_cause(struct check *check, const struct plan *plan, int64_t mended_us);
bool check_find_cause(struct check *check, GError **error);
/* What made the old records wrong still makes wrong ones: HALTED. */
bool check_is_mended(const struct check *check, GError **error);
void check_asks_measures(struct check *check, const struct plan *plan, const struct world *world);
bool check_find_baseline(struct check *check, const struct earlier_wish *wish, GError **error);

struct checking {
    const struct run_config *config;
    const struct run_row *run; /* NULL: a spec without a run */
    struct hold *hold;         /* whose guards are heeded */
    bool at_gate;              /* a guard pauses the run; else only the work */
    struct check *check;
    const struct verify_input *input;
    struct verify_result *ret;
    atomic_bool stop, held; /* held: by a guard */
    atomic_uint_fast64_t compared, of;
};

/* Signals and, where `watch` has a catalog, wishes end it as CANCELLED; which of them, `watch` says. */
bool checking_verify(struct checking *checking, struct verify_input *input, struct watch *watch, GError **error);
/* Where it is nobody's gate: nothing is read before all that is watched has been, and nobody is against it. */
bool checking_wait(struct checking *checking, GError **error);
/* Of a verification that is nobody's gate: what it was stopped by. */
void checking_say_end(struct hold *hold, GError **io_error);
