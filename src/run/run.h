/* Runs: begin, go on, take back, end. What the command line (and later the server) calls; no rule lives above.
 *
 * A run is held by one process at a time (an flock in the home, released by the kernel when it dies). Everything that a
 * call does is durable step by step: it may die anywhere, and the next call goes on. */
#pragma once

#include "run/forecast.h"
#include "verify/verify.h"

enum run_event_kind {
    RUN_EVENT_STATE,
    RUN_EVENT_STAGE,
    RUN_EVENT_PROGRESS,
    RUN_EVENT_NOTE,
    RUN_EVENT_PACE,
    RUN_EVENT_STEPS
};

/* Where the workers' time went: one row a kind of step (run/op.h), and "core" for what lies between the steps. */
struct run_step {
    const char *name;
    uint64_t calls, busy_us; /* over all workers; waiting included */
    uint64_t cpu_us;         /* of the processor */
};

/* One server, as it is paced from now on. */
struct run_pace {
    const char *server, *limited_by; /* NULL: nothing holds it back */
    double window, commands_per_s;   /* that may be in flight; that were sent in the last second */
};

/* What happens while a call is at work: for progress bars and for `--json`. PACE: that of a server has changed.
 * Borrowed for the call of `event`. STEPS comes when the workers have ended. */
struct run_event {
    enum run_event_kind kind;
    const struct run_row *run;    /* totals as of now */
    double records_per_s;         /* PROGRESS: over the last seconds */
    uint64_t done, of;            /* PROGRESS: keys accounted for, keys in all (0: not known) */
    const char *text;             /* NOTE, PACE, STATE: words; PROGRESS: what is being done, e.g. "verifying" */
    const struct run_pace *pace;  /* PACE */
    const struct run_step *steps; /* STEPS */
    size_t n_steps;
};

struct govern_learned;

struct run_config {
    const struct world *world;
    struct store_registry *registry;
    struct govern_learned *learned; /* of servers, from one call to the next (run/govern.h); NULL: each begins anew */
    const char *home;
    struct act act;              /* who asks, and why */
    const struct person *person; /* whose rights are looked at; NULL: nobody's, who may do only what everyone may */
    const atomic_int *signals;   /* 0; 1: finish the batches in flight; 2: stop at once */
    void (*event)(void *self, const struct run_event *event);
    void *event_self;
    /* A new plan was made, and this is what it would do; nothing is frozen yet. NULL: nobody wants to know. Borrowed.
     */
    void (*planned)(void *self, const struct plan *plan, const struct forecast *forecast);
    void *planned_self;
    bool force_unlock;
    struct sampling_wish sure; /* run_verify: a sample that proves so much; confidence 0: none */
    bool extra;                /* run_verify: say what the target has beyond the source, too */
    bool full; /* run_verify: compare every key with the source, also where the sums of the gates would do */
    const struct spec_baseline *baseline; /* run_verify: what values are held against; NULL: what the spec says */
    double verify_per_s; /* run_verify: keys looked at a second, at most; 0: as many as guards and pace allow */
    /* run_verify: whether its report is worth keeping; NULL: it is. One that is not is removed, and its paths are NULL.
     */
    bool (*keep_report)(void *self, const struct verify_result *result);
    void *keep_self;
    bool exit_on_pause;    /* a pause that would end by itself (a soak) ends the call too */
    const char *supersede; /* run_begin: the run that the new one is to supersede; NULL: none */
    const char *retry;     /* run_begin, run_plan: NAME.N, whose refused records are taken; NULL: all of the source */
    const struct run_repair
        *repair;               /* the same: those that a report of that run names instead; NULL: the refused ones */
    const char *superseded_by; /* run_back: the run for which it is taken back; NULL: somebody asked */
    const char *back_pace;     /* run_back, run_wish: what `rollback.pace` is to be from now on; NULL: what it is */
    int64_t superseding; /* its id: a wish that is to pause or to abort that one interrupts this, and stays open */
    const char *report; /* run_approve: the digest of the report that was looked at, or its beginning; NULL: not said */
    bool again;         /* run_begin: also where a run of this very plan is done and would be applied twice */
};

enum { RUN_NAME_BYTES = 96 }; /* of NAME.N, with its end */

struct run_result {
    struct arena *mem;
    struct run_row run;
    const char *supersedes;       /* run_begin: the run that this one supersedes, in `mem`; NULL: none */
    struct plan_retries *retries; /* run_begin: whose refused records it takes, in `mem`; NULL: nobody's */
    int exit_status;
    char *text;         /* why it ended so, and what to do; NULL: done */
    char *verdict;      /* of the last verification; NULL: none */
    char *verdict_of;   /* the stage that it judged; NULL: the run has no other */
    char *verdict_json; /* its summary */
    char *report;       /* the path of its report */
    uint8_t ledger_head[32];
};
void run_result_done(struct run_result *result);

/* The exit status of a run that has ended: 8 where it is done, and some records were refused, kept live or are in
 * doubt; otherwise 0. */
int run_done_status(const struct run_row *run);

/* Plans a new run of the spec (taken over on success), or finds the unfinished run of the same digests; *ret_new tells.
 * Where the newest run of these digests is done, works on its own source and has a transform that is not declared
 * idempotent, that run is found too: a process that died just behind its end, and is started again, must not apply the
 * transform twice (promise 2). `again` asks for it. Refuses (exit 7) while another run's writes stand on the target,
 * unless `supersede` names that run: the new run then takes it back, key by key, before its own first write.
 * `retry`: a run for the records that that run refused; found again in the same way, and refused where another run has
 * retried them. */
bool run_begin(const struct run_config *config, struct spec *spec, struct run_result *ret, bool *ret_new,
               GError **error);

/* The same with a plan from a file (plan/plan_file.h): a run of exactly this plan is found, else made of it. */
bool run_begin_file(const struct run_config *config, const char *path, struct run_result *ret, bool *ret_new,
                    GError **error);
/* The newest run that retries what the run refused, and was not taken back or dropped unwritten; ret->id == 0: none. */
bool run_retried_by(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct run_row *ret,
                    GError **error);
/* What is to be repaired: the report of a verification of a run. Texts in `mem`. */
struct run_repair {
    const char *run, *path;
    uint8_t digest[32];        /* of the report's bytes, as the catalog has it */
    const char *asked_bucket;  /* run_repair_find: of which time buckets, NAME or NAME@FROM; NULL: of none */
    struct plan_bucket bucket; /* the stretch of time that is meant; name NULL: keys are */
    bool extra; /* what the target has beyond the source, to be taken out; else what differs or is missing */
};
/* `io` says what of it is asked for. `what`: a run, whose newest report of all of it is taken, or the path of a report
 * of one, wherever a copy of it lies. NOT_FOUND: there is none; CORRUPT: it is not any more what the verification
 * wrote; REFUSED: it is no report that this home has made. */
bool run_repair_find(const struct run_config *config, const char *what, struct arena *mem, struct run_repair *io,
                     GError **error);

/* Only plans (the spec is taken over on success): neither catalog nor target is written. `path` NULL, or the plan file
 * to write; without one the listing is removed again. config->planned tells of it. *ret_idle: a run would change
 * nothing. */
bool run_plan(const struct run_config *config, struct spec *spec, const char *path, bool *ret_idle, GError **error);

/* Drives the run until it is done, or stops for a reason; true whenever the result says how it ended. `resume`: lifts a
 * person's pause, a halt or a failure. */
bool run_forward(const struct run_config *config, const char *name, bool resume, struct run_result *ret,
                 GError **error);

/* Makes the shadow of a run live, once its gates have passed; goes on where an earlier call died or was stopped. A run
 * whose shadow is live is left as it is. */
bool run_promote(const struct run_config *config, const char *name, struct run_result *ret, GError **error);

/* What a promotion would do; false as run_promote() would refuse it. */
struct run_promotion_plan {
    char run[RUN_NAME_BYTES];
    uint64_t keys; /* of the shadow that are not live yet */
};
bool run_promotion_preview(const struct run_config *config, const char *name, struct run_promotion_plan *ret,
                           GError **error);

/* Takes the run back, key by key. `stage` NULL: all of it. dry_run: only counts what would be taken back. */
struct run_back_plan {
    char run[RUN_NAME_BYTES];
    uint64_t keys;
};
bool run_back(const struct run_config *config, const char *name, const char *stage, struct run_result *ret,
              GError **error);
bool run_back_preview(const struct run_config *config, const char *name, const char *stage, struct run_back_plan *ret,
                      GError **error);

/* Ends a run whose writes are to stand: settles what is unknown, lets the lock go. */
bool run_abort(const struct run_config *config, const char *name, struct run_result *ret, GError **error);

/* What became of something that was asked of a run from another terminal. */
enum run_heard {
    RUN_UNHELD,   /* no process holds it, or none any more */
    RUN_RECORDED, /* whoever holds it has not looked for five seconds */
    RUN_HEARD,    /* it is done as soon as the batches in flight are finished, also if the holder dies before that */
};

/* Records the wish and waits up to five seconds for the holder to take it. RUN_UNHELD: a pause has taken effect (the
 * state is paused); rollback and abort are to be done by the caller itself. REFUSED where somebody else had the last
 * word meanwhile. */
struct run_wish {
    enum wish_kind kind;
    const char *value; /* ROLLBACK: the stage; NULL */
};
bool run_wish(const struct run_config *config, const char *name, const struct run_wish *wish, struct run_result *ret,
              enum run_heard *ret_heard, GError **error);

/* Whether whoever asks may do that to the run: NOT_PERMITTED, with an entry of the ledger. Who does it is asked again.
 */
bool run_may(const struct run_config *config, const char *name, enum spec_may_what what, GError **error);

/* A person's word on the gate that waits for one: it names gate, attempt, plan and report, and counts for these alone.
 * REFUSED where nothing waits, or where the report is not the one that config->report names (USAGE: it names none);
 * NOT_PERMITTED for who may not, the author of the run among them. A run that nobody holds goes on with the next `run`;
 * a denial takes effect at once. */
bool run_approve(const struct run_config *config, const char *name, bool granted, struct run_result *ret,
                 enum run_heard *ret_heard, GError **error);

struct run_settings {
    struct setting *at;
    size_t n;
};
/* Changes limits of the run (run/limits.h), all or none, recorded; one that is at work heeds them at once. Their keys
 * become those that limits_full_key() gives, and live as long as the result. */
bool run_set(const struct run_config *config, const char *name, struct run_settings *io, struct run_result *ret,
             enum run_heard *ret_heard, GError **error);
/* What holds the pace of a run that is not over, what one may spend and costs; `catalog` may be one for reading. */
struct run_limit {
    double rate_max_per_s; /* protect.rate.max as it stands; 0: none */
    const char *by; /* the key of what its writes waited for in the last seconds, or of the budget that a paused run has
                     * spent; NULL: nothing */
    const char *words;               /* the same for people, where there is more to say of it; NULL */
    const char *live;                /* how its servers are paced (govern_json()); NULL: they are not */
    struct spec_budget budget, used; /* as they stand; 0 in `budget`: no limit */
    struct money_rates rates;        /* what a record costs, … */
    struct money_within complete;    /* … and how much is to be done by when */
    int64_t source_until_ms;         /* until when its source can be read; 0: for ever */
};
/* Texts are in `mem`. */
bool run_limit_now(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct run_limit *ret,
                   GError **error);
/* What stands now; the caller frees. */
bool run_setting(const struct run_config *config, const char *name, const char *key, char **ret, GError **error);

/* Hooks of a run that were told in vain are told again, now, or by the process that holds the run. */
bool run_hooks_retry(const struct run_config *config, const char *name, GError **error);

/* Compares source and target now: of a run, or of a spec without one. Of a run the target alone is read wherever its
 * sums are still those of the gates. The spec is taken over, whatever comes of it. */
bool run_verify(const struct run_config *config, const char *name, struct verify_result *ret, GError **error);
bool run_verify_spec(const struct run_config *config, struct spec *spec, struct verify_result *ret, GError **error);
