#include "run/retry.h"

#include <sodium.h>

#include "plan/home.h"
#include "run/repair.h"
#include "run/retain.h"

#define RUNS_MEMORY (256u << 20)

/* --- which run ---------------------------------------------------------------------------------------------------- */

/* What a run takes: the rows that another one refused, those of a report, or all that its spec speaks of. */
struct taken {
    const char *run;       /* NULL: all */
    const uint8_t *report; /* its digest; NULL: the refused rows */
    bool extra;
    const struct plan_bucket *bucket; /* of the report; NULL: keys of it */
};

static bool same_bucket(const struct plan_bucket *theirs, const struct plan_bucket *ours)
{
    if (!ours || !ours->name || !theirs->name)
        return (ours && ours->name) == (theirs->name != NULL);
    return strcmp(theirs->field, ours->field) == 0 && theirs->from_us == ours->from_us && theirs->to_us == ours->to_us;
}

static bool takes(struct catalog *catalog, const struct run_row *run, const struct taken *what, struct arena *mem,
                  bool *ret, GError **error)
{
    struct plan_retries *theirs;
    if (!plan_retries_read(catalog, run, mem, &theirs, error))
        return false;
    *ret = g_strcmp0(theirs ? theirs->run : NULL, what->run) == 0;
    if (theirs && *ret)
        *ret = (theirs->report != NULL) == (what->report != NULL) && theirs->extra == what->extra &&
               same_bucket(&theirs->bucket, what->bucket) &&
               (!what->report || memcmp(theirs->digest, what->report, sizeof theirs->digest) == 0);
    return true;
}

static bool is_of(const struct run_row *run, const struct retry_wish *wish)
{
    return wish->fits(run->state) && strcmp(run->spec_name, wish->spec_name) == 0 &&
           memcmp(run->digests.spec, wish->digests->spec, 32) == 0 &&
           memcmp(run->digests.contract, wish->digests->contract, 32) == 0 &&
           memcmp(run->digests.transform, wish->digests->transform, 32) == 0;
}

bool retry_find(struct catalog *catalog, const struct run_config *config, const struct retry_wish *wish,
                struct arena *mem, struct run_row *ret, GError **error)
{
    auto_(arena) all = arena_new(RUNS_MEMORY);
    const struct run_repair *repair = config->repair;
    struct taken what = {.run = config->retry,
                         .report = repair ? repair->digest : NULL,
                         .extra = repair && repair->extra,
                         .bucket = repair ? &repair->bucket : NULL};
    struct run_row *runs;
    size_t n;
    bool same = false;
    *ret = (struct run_row){0};
    if (!catalog_runs(catalog, all, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (is_of(&runs[i], wish) && !takes(catalog, &runs[i], &what, all, &same, error))
            return false;
        if (same)
            return catalog_run_get(catalog, runs[i].name, mem, ret, error);
    }
    return true;
}

/* --- may it be retried?
 * ----------------------------------------------------------------------------------------------- */

static bool has_written(const struct run_row *run)
{
    uint64_t parts = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        parts += run->parts[i];
    return run->parts[PART_PENDING] < parts;
}

static bool is_done(const struct run_row *old, GError **error)
{
    if (old->state == RUN_DONE)
        return true;
    if (run_state_over(old->state))
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s is %s: only of a run that is done is a part done again; run its spec as a whole",
                         old->name, run_state_word(old->state));
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s is %s, and a part of it is done again when it is done; go on with it (`sluice resume %s`)",
                     old->name, run_state_word(old->state), old->name);
}

/* Another run has taken the same rows, and its writes stand. */
static bool was_retried(const struct run_row *by, const struct run_row *old, GError **error)
{
    if (by->state == RUN_DONE)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s has retried what %s refused; what it refused in turn is retried with `sluice quarantine "
                         "retry %s`; to retry all of it once more, take it back first (`sluice rollback %s`)",
                         by->name, old->name, by->name, by->name);
    if (by->state == RUN_ABORTED)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s, which retried what %s refused, was aborted, and its writes stand; take it back first "
                         "(`sluice rollback %s`)",
                         by->name, old->name, by->name);
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s retries what %s refused already (%s), by another spec, contract or transform; go on with it "
                     "(`sluice resume %s`), or take it back first (`sluice rollback %s`)",
                     by->name, old->name, run_state_word(by->state), by->name, by->name);
}

/* On its own source a later run has transformed those keys too, or what they came to be. */
static bool was_overtaken(const struct run_row *by, const struct run_row *old, GError **error)
{
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s has transformed %s since, those records too: they would be transformed twice; retry what it "
                     "refused (`sluice quarantine retry %s`), or say --again once you know that they were not",
                     by->name, old->target, by->name);
}

struct asked {
    const struct run_config *config;
    const struct spec *spec;
    struct catalog *catalog;
    bool same_dataset;
};

/* Whether nothing of it stands. */
static bool is_nothing(const struct run_row *run)
{
    return run->state == RUN_ROLLED_BACK || (run_state_over(run->state) && !has_written(run));
}

static bool is_free_of(const struct asked *asked, const struct run_row *by, const struct run_row *old,
                       struct arena *mem, GError **error)
{
    struct plan_retries *theirs;
    if (by->id <= old->id || is_nothing(by))
        return true;
    if (!plan_retries_read(asked->catalog, by, mem, &theirs, error))
        return false;
    if (theirs && !theirs->report && strcmp(theirs->run, old->name) == 0)
        return was_retried(by, old, error);
    bool twice = asked->same_dataset && !asked->spec->transform.idempotent && !asked->config->again && !theirs &&
                 run_state_over(by->state) && strcmp(by->target, old->target) == 0;
    return !twice || was_overtaken(by, old, error);
}

static bool is_free(struct retry *io, const struct asked *asked, GError **error)
{
    auto_(arena) mem = arena_new(RUNS_MEMORY);
    struct run_row *runs;
    size_t n;
    if (!catalog_runs(asked->catalog, mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_free_of(asked, &runs[i], &io->old, mem, error))
            return false;
    return true;
}

bool run_retried_by(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct run_row *ret,
                    GError **error)
{
    auto_(arena) all = arena_new(RUNS_MEMORY);
    struct taken what = {.run = run->name};
    struct run_row *runs;
    size_t n;
    bool same = false;
    *ret = (struct run_row){0};
    if (!catalog_runs(catalog, all, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n && runs[i].id > run->id; i++) {
        if (strcmp(runs[i].spec_name, run->spec_name) == 0 && !is_nothing(&runs[i]) &&
            !takes(catalog, &runs[i], &what, all, &same, error))
            return false;
        if (same)
            return catalog_run_get(catalog, runs[i].name, mem, ret, error);
    }
    return true;
}

/* --- what it refused ---------------------------------------------------------------------------------------------- */

struct refused {
    struct arena *mem;
    GArray *keys, *places;
    crypto_generichash_state digest;
};

static void digest_add(struct refused *refused, struct slice text)
{
    uint64_t len = GUINT64_TO_LE((uint64_t)text.len);
    crypto_generichash_update(&refused->digest, (const uint8_t *)&len, sizeof len);
    crypto_generichash_update(&refused->digest, text.data, text.len);
}

static bool add_row(struct refused *refused, const struct quarantine_entry *entry)
{
    struct slice key;
    digest_add(refused, entry->text);
    if (entry->key.len || !entry->file) { /* the empty key is one, too */
        bool copied = arena_copy(refused->mem, entry->key, &key);
        if (copied)
            g_array_append_val(refused->keys, key);
        return copied;
    }
    struct chosen_place place = {.file = arena_text(refused->mem, slice_of_text(entry->file)), .line = entry->line};
    if (place.file)
        g_array_append_val(refused->places, place);
    return place.file != NULL;
}

static bool read_rows(struct retry *io, const struct run_config *config, struct refused *refused, GError **error)
{
    auto_(quarantine_reader) reader = NULL;
    auto_(arena) line = arena_new(JOB_ARENA_BYTES);
    g_autofree char *path = home_path(config->home, HOME_QUARANTINE, io->old.name);
    struct quarantine_config of = {.world = config->world, .path = path, .sealed_as = "quarantine"};
    struct quarantine_filter all = {0};
    struct quarantine_entry *entry;
    memcpy(of.run_uid, io->old.uid, sizeof io->old.uid);
    if (!quarantine_reader_open(&reader, &of, &all, error))
        return false;
    for (;; io->plan.rows++) {
        arena_reset(line);
        if (!quarantine_next(reader, line, &entry, error))
            return false;
        if (!entry)
            break;
        if (!add_row(refused, entry))
            return error_set(error, SLUICE_ERROR_TOO_BIG,
                             "%s refused more than fits into memory; run its spec as a whole", io->old.name);
    }
    return quarantine_reader_damaged(reader) == 0 ||
           error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s: rows of it are damaged, and which records they name is not known; put it back from a copy, "
                     "or run the spec as a whole",
                     path);
}

guint retry_unique(GArray *array, int (*compare)(const void *, const void *))
{
    guint n = 0;
    guint size = g_array_get_element_size(array);
    g_array_sort(array, compare);
    for (guint i = 0; i < array->len; i++)
        if (n == 0 || compare(array->data + (size_t)(n - 1) * size, array->data + (size_t)i * size) != 0)
            memmove(array->data + (size_t)n++ * size, array->data + (size_t)i * size, size);
    return n;
}

/* Sorted, without duplicates, in the arena. */
static bool take_rows(struct retry *io, struct refused *refused, GError **error)
{
    struct plan_retry *plan = &io->plan;
    plan->n_keys = retry_unique(refused->keys, job_keys_compare);
    plan->n_places = retry_unique(refused->places, chosen_place_compare);
    struct slice *keys = arena_alloc(io->mem, (plan->n_keys + 1) * sizeof *keys);
    struct chosen_place *places = arena_alloc(io->mem, (plan->n_places + 1) * sizeof *places);
    if (!keys || !places)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%s refused more than fits into memory; run its spec as a whole",
                         io->old.name);
    if (plan->n_keys)
        memcpy(keys, refused->keys->data, plan->n_keys * sizeof *keys);
    if (plan->n_places)
        memcpy(places, refused->places->data, plan->n_places * sizeof *places);
    plan->keys = keys;
    plan->places = places;
    crypto_generichash_final(&refused->digest, plan->digest, sizeof plan->digest);
    return true;
}

static bool ask_rows(struct retry *io, const struct run_config *config, GError **error)
{
    struct refused refused = {.mem = io->mem,
                              .keys = g_array_new(FALSE, FALSE, sizeof(struct slice)),
                              .places = g_array_new(FALSE, FALSE, sizeof(struct chosen_place))};
    crypto_generichash_init(&refused.digest, NULL, 0, sizeof io->plan.digest);
    bool ok = read_rows(io, config, &refused, error) && take_rows(io, &refused, error);
    g_array_unref(refused.keys);
    g_array_unref(refused.places);
    return ok && (io->plan.rows > 0 || error_set(error, SLUICE_ERROR_NOT_FOUND,
                                                 "%s refused nothing: there is nothing to retry", io->old.name));
}

bool retry_ask(struct retry *io, const struct run_config *config, struct catalog *catalog, const struct spec *spec,
               GError **error)
{
    struct asked asked = {.config = config, .spec = spec, .catalog = catalog};
    struct plan_was was;
    if (!catalog_run_get(catalog, config->retry, io->mem, &io->old, error) || !is_done(&io->old, error))
        return false;
    if (strcmp(io->old.spec_name, spec->name) != 0)
        return error_set(error, SLUICE_ERROR_REFUSED, "%s: its name is '%s', and %s was a run of '%s'", spec->path,
                         spec->name, io->old.name, io->old.spec_name);
    if (!plan_was_read(catalog, &io->old, io->mem, &was, error))
        return false;
    asked.same_dataset = was.same_dataset;
    if (config->repair)
        return retain_stands(catalog, &io->old, EXPIRY_REPORTS, error) && repair_ask(io, config, spec, &was, error);
    io->plan.run = io->old.name;
    return is_free(io, &asked, error) && retain_stands(catalog, &io->old, EXPIRY_QUARANTINE, error) &&
           ask_rows(io, config, error);
}

bool retry_target(const struct retry *retry, const struct plan *plan, GError **error)
{
    return !plan->retries || !retry->plan.run || strcmp(retry->old.target, plan->target_name) == 0 ||
           error_set(error, SLUICE_ERROR_REFUSED,
                     "%s wrote %s, and %s would write %s: a part of a run is done again in the same dataset",
                     retry->old.name, retry->old.target, plan->spec->path, plan->target_name);
}
