#include "run/job.h"

static const enum decide_conflict CONFLICTS[] = {
    [CONFLICT_NEWER_WINS] = DECIDE_NEWER_WINS,
    [CONFLICT_KEEP_LIVE] = DECIDE_CONFLICT_KEEP_LIVE,
    [CONFLICT_OVERWRITE] = DECIDE_OVERWRITE,
};

/* What a promise to live requests leaves is not known beforehand, and may be little. */
size_t job_batch_records(double per_s, bool paced)
{
    size_t most = paced ? JOB_PACED_RECORDS : JOB_BATCH_RECORDS;
    double fits = per_s / 10;
    return per_s <= 0 || fits > (double)most ? most : fits < 1 ? 1 : (size_t)fits;
}

static void job_init(struct job *job, enum job_kind kind, const struct plan *plan, const struct run_row *run)
{
    static const enum parts_kind PARTS[] = {[JOB_FORWARD] = PARTS_FORWARD,
                                            [JOB_BACK] = PARTS_BACK,
                                            [JOB_PROMOTE] = PARTS_PROMOTION,
                                            [JOB_SETTLE] = PARTS_FORWARD};
    *job = (struct job){.kind = kind,
                        .parts = PARTS[kind],
                        .plan = plan,
                        .run = run->id,
                        .run_name = run->name,
                        .batch_records =
                            job_batch_records(plan->limits.rate_max_per_s, spec_live_given(&plan->limits.live)),
                        .batch_bytes = JOB_BATCH_BYTES,
                        .memory_bytes = JOB_ARENA_BYTES,
                        .batch_us = JOB_BATCH_US,
                        .contended_after = JOB_CONTENDED_AFTER,
                        .split_batches = JOB_SPLIT_BATCHES};
}

static struct decide_rules rules_of(const struct plan *plan)
{
    return (struct decide_rules){.same_dataset = plan->same_dataset,
                                 .fill = plan->write == WRITE_FILL,
                                 .conflict = CONFLICTS[plan->conflict],
                                 .write_unversioned = plan->spec->target.unversioned == UNVERSIONED_OVERWRITE,
                                 .repair_ties = plan->spec->target.ties == TIES_REPAIR,
                                 .only_seen = plan->seen != NULL,
                                 .skew_ms = plan->spec->protect.skew_ms};
}

void job_init_forward(struct job *job, const struct plan *plan, const struct run_row *run)
{
    job_init(job, JOB_FORWARD, plan, run);
    job->rules = rules_of(plan);
    job->splits = plan->listed && !plan->sink;
}

/* What was noted decides; where that does not hold any more, the policy does, also where source and target are the same
 * dataset. */
void job_init_promote(struct job *job, const struct plan *plan, const struct run_row *run)
{
    job_init(job, JOB_PROMOTE, plan, run);
    job->rules = rules_of(plan);
    job->rules.same_dataset = false;
}

void job_init_back(struct job *job, const struct plan *plan, const struct run_row *run)
{
    job_init(job, JOB_BACK, plan, run);
}

void job_init_settle(struct job *job, enum parts_kind parts, const struct plan *plan, const struct run_row *run)
{
    job_init(job, JOB_SETTLE, plan, run);
    job->parts = parts;
}

int job_keys_compare(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

bool job_leaves(const struct job *job, struct slice key)
{
    const struct job_keys *left = &job->left;
    return left->n > 0 && bsearch(&key, left->keys, left->n, sizeof key, job_keys_compare) != NULL;
}

bool job_looks_again(const struct job *job)
{
    return job->kind == JOB_FORWARD && job->plan->listed && !job->rules.same_dataset && !job->plan->sink;
}
