#include "run/repair.h"

#include <jansson.h>

#include "base/hex.h"
#include "verify/lines.h"

#define CATALOG_BYTES (256u << 20)

/* --- which report ------------------------------------------------------------------------------------------------- */

static bool is_path(const char *what)
{
    return strchr(what, '/') || g_str_has_suffix(what, ".ndjson");
}

static bool digest_of(const struct report_row *row, uint8_t ret[32])
{
    json_t *summary = json_loadb((const char *)row->summary.data, row->summary.len, 0, NULL);
    const char *text = json_string_value(json_object_get(summary, "report_digest"));
    bool ok = text && hex_parse(slice_of_text(text), ret, 32);
    json_decref(summary);
    return ok;
}

/* What was found for `what`. */
struct found_report {
    const struct run_row *run;
    const char *path;
    const uint8_t *digest;
    struct slice summary;
};

static bool take(const struct found_report *found, struct arena *mem, struct run_repair *io, GError **error)
{
    const char *bucket = io->asked_bucket;
    *io = (struct run_repair){.run = arena_text(mem, slice_of_text(found->run->name)),
                              .path = arena_text(mem, slice_of_text(found->path)),
                              .asked_bucket = bucket,
                              .extra = io->extra};
    memcpy(io->digest, found->digest, sizeof io->digest);
    if (!io->run || !io->path)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: no memory for its name", found->path);
    return !bucket || stretch_find(bucket, found->summary, mem, &io->bucket, error) ||
           error_add(error, "%s", found->path);
}

static bool has_buckets(const struct report_row *row)
{
    json_t *summary = json_loadb((const char *)row->summary.data, row->summary.len, 0, NULL);
    bool has = json_is_array(json_object_get(summary, "buckets"));
    json_decref(summary);
    return has;
}

/* One of all of the run; of time buckets, which the last gate has too, one that speaks of them. */
static bool speaks(const struct report_row *row, const struct run_repair *repair)
{
    return repair->asked_bucket ? has_buckets(row) : row->stage == UINT32_MAX;
}

/* The newest of them. */
static bool find_of_run(struct catalog *catalog, const char *name, struct arena *mem, struct run_repair *ret,
                        GError **error)
{
    struct run_row run;
    struct report_row *rows;
    size_t n;
    uint8_t digest[32];
    if (!catalog_run_get(catalog, name, mem, &run, error) || !catalog_reports(catalog, run.id, mem, &rows, &n, error))
        return false;
    while (n > 0 && !speaks(&rows[n - 1], ret))
        n--;
    if (n == 0 && ret->asked_bucket)
        return error_set(error, SLUICE_ERROR_NOT_FOUND,
                         "%s has no report that speaks of time buckets: its spec has none (docs/buckets.md), or its "
                         "last stage has not been judged",
                         run.name);
    if (n == 0)
        return error_set(error, SLUICE_ERROR_NOT_FOUND,
                         "%s has no report yet of all of it; `sluice verify %s` makes one", run.name, run.name);
    if (!digest_of(&rows[n - 1], digest))
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s: its report is from an older sluice, which did not say what the target held; `sluice "
                         "verify %s` makes a new one",
                         run.name, run.name);
    struct found_report found = {&run, rows[n - 1].path, digest, rows[n - 1].summary};
    return take(&found, mem, ret, error);
}

static bool pass_over(void *self, const struct report_line *line, GError **error)
{
    return true;
}

/* A file that is looked for among the reports of all runs. */
struct looking {
    const char *path;
    uint8_t digest[32];
    struct arena *mem;
    struct slice summary; /* of the one that was found; in `mem` */
    bool known;           /* a report was written there, with another digest */
};

static bool find_among(struct catalog *catalog, const struct run_row *run, struct looking *io, bool *ret_found,
                       GError **error)
{
    auto_(arena) mem = arena_new(CATALOG_BYTES);
    struct report_row *rows;
    size_t n;
    uint8_t digest[32];
    *ret_found = false;
    if (!catalog_reports(catalog, run->id, mem, &rows, &n, error))
        return false;
    for (size_t i = 0; i < n && !*ret_found; i++) {
        g_autofree char *path = g_canonicalize_filename(rows[i].path, NULL);
        *ret_found = digest_of(&rows[i], digest) && memcmp(digest, io->digest, sizeof digest) == 0;
        if (*ret_found && !arena_copy(io->mem, rows[i].summary, &io->summary))
            return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: its summary does not fit into memory", io->path);
        io->known |= strcmp(path, io->path) == 0;
    }
    return true;
}

static bool unknown(const struct looking *looking, GError **error)
{
    if (looking->known)
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "%s: it is not any more what the verification wrote there (its digest is another than in the "
                         "catalog); verify again",
                         looking->path);
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: no run of this home has such a report: it is of another home or dataset, of a spec without "
                     "a run, or it was changed",
                     looking->path);
}

static bool find_of_file(const struct run_config *config, struct catalog *catalog, const char *what, struct arena *mem,
                         struct run_repair *ret, GError **error)
{
    struct report_lines nothing = {.line = pass_over};
    g_autofree char *path = g_canonicalize_filename(what, NULL);
    struct looking looking = {.path = path, .mem = mem};
    struct run_row *runs;
    size_t n;
    bool found = false;
    if (!report_read(config->world, path, &nothing, looking.digest, error) ||
        !catalog_runs(catalog, mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!find_among(catalog, &runs[i], &looking, &found, error))
            return false;
        struct found_report of = {&runs[i], path, looking.digest, looking.summary};
        if (found)
            return take(&of, mem, ret, error);
    }
    return unknown(&looking, error);
}

bool run_repair_find(const struct run_config *config, const char *what, struct arena *mem, struct run_repair *ret,
                     GError **error)
{
    auto_(catalog) catalog = NULL;
    return catalog_open(&catalog, config->world, config->home, CATALOG_READ_ONLY, error) &&
           (is_path(what) ? find_of_file(config, catalog, what, mem, ret, error)
                          : find_of_run(catalog, what, mem, ret, error));
}

/* --- what it names ------------------------------------------------------------------------------------------------ */

struct taking {
    struct arena *mem;
    GArray *keys, *seen; /* of struct slice; of struct seen */
    bool extra;
    bool twice;          /* what the run wrote there is the transform's own result: it must not go through it again */
    uint64_t not_looked; /* files of an append-only target, or what cannot be read */
};

static bool take_line(void *self, const struct report_line *line, GError **error)
{
    struct taking *taking = self;
    struct seen seen = {.present = line->present, .stored = line->seen};
    struct slice key;
    bool meant =
        taking->extra ? line->class == VERIFY_EXTRA : line->class == VERIFY_DIFFERING || line->class == VERIFY_MISSING;
    if (!meant)
        return true;
    taking->twice |= line->class == VERIFY_DIFFERING;
    taking->not_looked += !line->looked;
    if (taking->extra && !line->present)
        return true; /* it could not be read: nothing could be put back */
    if (!arena_copy(taking->mem, taking->extra ? line->key : line->from, &key) ||
        !arena_copy(taking->mem, line->key, &seen.key))
        return error_set(error, SLUICE_ERROR_TOO_BIG,
                         "more differs than fits into memory; run the spec as a whole, or supersede the run");
    g_array_append_val(taking->keys, key);
    g_array_append_val(taking->seen, seen);
    return true;
}

/* What stands in the way of a repair by keys; its words say what leads on. */
static bool may(const struct taking *taking, const struct run_config *config, const struct retry *io,
                const struct plan_was *was, bool once, GError **error)
{
    const char *run = io->old.name, *path = config->repair->path;
    bool nothing = taking->keys->len == 0;
    if (taking->not_looked && was->sink)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s: %s wrote files, which are taken back as a whole (`sluice rollback %s`) and written anew",
                         path, run, run);
    if (taking->not_looked && (nothing || !taking->extra))
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s: what it names could not be read, and nothing could be put back of it: look into those "
                         "keys, and `sluice verify %s` again",
                         path, run);
    if (nothing && taking->extra)
        return error_set(error, SLUICE_ERROR_NOT_FOUND,
                         "%s: it names nothing that the target has beyond the source; `sluice verify %s --extra` looks "
                         "for it",
                         path, run);
    if (nothing)
        return error_set(error, SLUICE_ERROR_NOT_FOUND,
                         "%s: it names nothing that differs or is missing: there is nothing to repair", path);
    return !once || !taking->twice ||
           error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: records that %s wrote in place differ, and its transform is not idempotent: it would be "
                     "applied to its own result; `sluice run SPEC --supersede %s` takes what stood there before",
                     path, run, run);
}

static void take_report(struct retry *io, const struct run_config *config)
{
    struct plan_retry *plan = &io->plan;
    plan->run = io->old.name;
    plan->extra = config->repair->extra;
    plan->bucket = config->repair->bucket;
    plan->report = config->repair->path;
    memcpy(plan->digest, config->repair->digest, sizeof plan->digest);
}

static bool take_all(struct retry *io, const struct run_config *config, const struct taking *taking, GError **error)
{
    struct plan_retry *plan = &io->plan;
    plan->rows = taking->keys->len;
    plan->n_keys = retry_unique(taking->keys, job_keys_compare);
    plan->n_seen = taking->seen->len;
    struct slice *keys = arena_alloc(io->mem, (plan->n_keys + 1) * sizeof *keys);
    struct seen *seen = arena_alloc(io->mem, (plan->n_seen + 1) * sizeof *seen);
    if (!keys || !seen)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "more differs than fits into memory; run the spec as a whole");
    memcpy(keys, taking->keys->data, plan->n_keys * sizeof *keys);
    memcpy(seen, taking->seen->data, plan->n_seen * sizeof *seen);
    plan->keys = keys;
    plan->seen = seen;
    take_report(io, config);
    return true;
}

/* What was written once is not to be written twice. */
static bool ask_bucket(struct retry *io, const struct run_config *config, const struct plan_was *was, bool once,
                       GError **error)
{
    const char *run = io->old.name, *bucket = config->repair->asked_bucket;
    take_report(io, config);
    if (once)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "--bucket %s: %s wrote records of that time in place, and its transform is not idempotent: it "
                         "would be applied to its own result; `sluice run SPEC --supersede %s` takes what stood there "
                         "before",
                         bucket, run, run);
    return !was->sink ||
           error_set(
               error, SLUICE_ERROR_REFUSED,
               "--bucket %s: %s wrote files, where records of that time would stand twice; they are taken back as "
               "a whole (`sluice rollback %s`) and written anew",
               bucket, run, run);
}

bool repair_ask(struct retry *io, const struct run_config *config, const struct spec *spec, const struct plan_was *was,
                GError **error)
{
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(struct seen));
    struct taking taking = {.mem = io->mem, .keys = keys, .seen = seen, .extra = config->repair->extra};
    struct report_lines into = {.line = take_line, .self = &taking};
    uint8_t digest[32];
    bool once = was->same_dataset && !spec->transform.idempotent;
    if (config->repair->bucket.name)
        return ask_bucket(io, config, was, once, error);
    if (!report_read(config->world, config->repair->path, &into, digest, error))
        return false;
    if (memcmp(digest, config->repair->digest, sizeof digest) != 0)
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "%s: it is not any more what the verification wrote; verify again", config->repair->path);
    return may(&taking, config, io, was, once, error) && take_all(io, config, &taking, error);
}
