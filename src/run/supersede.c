#include "run/supersede.h"

#include "plan/home.h"
#include "run/ending.h"
#include "run/rights.h"

/* --- keys
 * ------------------------------------------------------------------------------------------------------------- */

static bool add_key(GArray *keys, struct arena *mem, struct slice key, const struct run_row *run, GError **error)
{
    struct slice copy;
    if (!arena_copy(mem, key, &copy))
        return error_set(
            error, SLUICE_ERROR_TOO_BIG,
            "%s: too many keys were deleted by it or written since; take it back with `sluice rollback %s`", run->name,
            run->name);
    g_array_append_val(keys, copy);
    return true;
}

/* Sorted and without duplicates, in `mem`. */
static bool take_keys(GArray *keys, struct arena *mem, struct job_keys *ret, GError **error)
{
    struct slice *all = arena_alloc0(mem, (keys->len + 1) * sizeof *all);
    size_t n = 0;
    if (!all)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the keys to be left alone do not fit into memory");
    g_array_sort(keys, job_keys_compare);
    for (size_t i = 0; i < keys->len; i++) {
        struct slice key = g_array_index(keys, struct slice, i);
        if (n == 0 || !slice_equal(all[n - 1], key))
            all[n++] = key;
    }
    *ret = (struct job_keys){.keys = all, .n = n};
    return true;
}

/* --- may it be superseded?
 * -------------------------------------------------------------------------------------------- */

bool supersede_may(const struct run_row *run, GError **error)
{
    if (run->state == RUN_ROLLED_BACK)
        return error_set(error, SLUICE_ERROR_REFUSED, "%s is rolled back: nothing of it stands; leave --supersede out",
                         run->name);
    if (run->state == RUN_ROLLING_BACK || run->back_stage != UINT32_MAX)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s: a rollback of it has begun; finish it with `sluice rollback %s`, then run without "
                         "--supersede",
                         run->name, run->name);
    if (run->state == RUN_PLANNED)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s has written nothing; drop it with `sluice abort %s`, then run without --supersede",
                         run->name, run->name);
    return takeback_may(run, error);
}

static bool supersedes(struct catalog *catalog, const struct run_row *run, const char *name, struct arena *mem,
                       bool *ret, GError **error)
{
    const char *theirs;
    if (!plan_supersedes_read(catalog, run, mem, &theirs, error))
        return false;
    *ret = g_strcmp0(theirs, name) == 0;
    return true;
}

/* The run that was found for the digests: is it the one that supersedes? */
static bool agrees(struct catalog *catalog, const struct run_row *found, const struct run_row *old, struct arena *mem,
                   GError **error)
{
    bool same, planned = found->state == RUN_PLANNED;
    g_autofree char *away =
        planned ? g_strdup_printf("drop it first (`sluice abort %s`)", found->name)
                : g_strdup_printf("end it first (`sluice rollback %s`, `sluice abort %s`)", found->name, found->name);
    if (found->id == old->id)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s is a run of this very plan, and what it would write again is what it wrote; `sluice "
                         "rollback %s` takes it back",
                         old->name, old->name);
    if (!supersedes(catalog, found, old->name, mem, &same, error))
        return false;
    return same || error_set(error, SLUICE_ERROR_REFUSED,
                             "%s is a run of this very plan already, and it does not supersede %s; go on with it "
                             "(`sluice resume %s`), or %s",
                             found->name, old->name, found->name, away);
}

/* The run of these digests that superseded the old one and is done. */
static bool find_done(struct catalog *catalog, const struct run_new *wish, const struct run_row *old,
                      struct run_result *io, GError **error)
{
    struct run_row *runs;
    size_t n;
    bool same = false;
    if (!catalog_runs(catalog, io->mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n && !same; i++) {
        if (runs[i].state != RUN_DONE || strcmp(runs[i].spec_name, wish->spec_name) != 0 ||
            memcmp(runs[i].digests.spec, wish->digests.spec, 32) != 0 ||
            memcmp(runs[i].digests.contract, wish->digests.contract, 32) != 0 ||
            memcmp(runs[i].digests.transform, wish->digests.transform, 32) != 0)
            continue;
        if (!supersedes(catalog, &runs[i], old->name, io->mem, &same, error))
            return false;
        if (same)
            io->run = runs[i];
    }
    return true;
}

/* --- before it is planned
 * --------------------------------------------------------------------------------------------- */

static bool is_damaged(const struct hold *hold, const char *text, GError **error)
{
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: %s; take back what can be with `sluice rollback %s`, look at the rest, then run without "
                     "--supersede",
                     hold->run.name, text, hold->run.name);
}

static bool is_whole(const struct hold *hold, const struct undo_chains *chains, GError **error)
{
    size_t n;
    const struct undo_damage *damage = undo_chains_damage(chains, &n);
    if (n == 0)
        return true;
    g_autofree char *text = takeback_damage(damage, n);
    return is_damaged(hold, text, error);
}

#define CHAINS_READ 1000u

static bool add_deleted(const struct hold *hold, struct undo_chains *chains, struct arena *mem, GArray *keys,
                        GError **error)
{
    auto_(arena) batch = arena_new(JOB_ARENA_BYTES);
    struct undo_chain_list list = {0};
    for (uint64_t first = 0; first < undo_chains_count(chains); first += list.n) {
        arena_reset(batch);
        if (!undo_chains_read(chains, first, CHAINS_READ, batch, &list, error))
            return false;
        if (list.n == 0)
            return error_set(error, SLUICE_ERROR_CORRUPT, "%s: its chains end too early", hold->run.name);
        for (size_t i = 0; i < list.n; i++)
            if (list.chains[i].lost)
                return is_damaged(hold, "its undo log is damaged, since it was looked into first", error);
            else if (digest_is_zero(list.chains[i].written) &&
                     !add_key(keys, mem, list.chains[i].key, &hold->run, error))
                return false;
    }
    return true;
}

static bool look_into(struct hold *hold, struct arena *mem, struct job_keys *ret, GError **error)
{
    auto_(undo_chains) chains = NULL;
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    if (hold->plan->sink)
        return true;
    return hold_settle(hold, error) && takeback_chains(hold, 0, &chains, error) && is_whole(hold, chains, error) &&
           add_deleted(hold, chains, mem, keys, error) && take_keys(keys, mem, ret, error);
}

/* Held meanwhile. Of a run that was over, the lock of the dataset is let go again. */
static bool look_at(struct supersede *supersede, const struct run_config *config, struct arena *mem, GError **error)
{
    auto_(hold) hold = NULL;
    if (!hold_take(&hold, config, supersede->old.name, error) || !hold_may(hold, SPEC_MAY_ROLLBACK, error) ||
        !supersede_may(&hold->run, error) || !hold_open(hold, HOLD_BACK, error))
        return false;
    bool ok = look_into(hold, mem, &supersede->deleted, error);
    if (run_state_over(hold->run.state) && !hold_let_go(hold, ok ? error : NULL))
        return false;
    return ok;
}

bool supersede_ask(struct supersede *io_supersede, const struct run_config *config, struct catalog *catalog,
                   const struct run_new *wish, struct run_result *io, GError **error)
{
    struct arena *mem = io_supersede->mem;
    struct supersede supersede = {.mem = mem};
    if (!catalog_run_get_one(catalog, config->supersede, mem, &supersede.old, error))
        return false;
    if (io->run.id == 0 && supersede.old.state == RUN_ROLLED_BACK &&
        !find_done(catalog, wish, &supersede.old, io, error))
        return false;
    bool ok = io->run.id != 0 ? agrees(catalog, &io->run, &supersede.old, mem, error)
                              : supersede_may(&supersede.old, error) && look_at(&supersede, config, mem, error);
    if (ok)
        *io_supersede = supersede;
    return ok;
}

/* --- before its first write
 * ------------------------------------------------------------------------------------------- */

#define BY "superseded by "

char *supersede_reason(const char *by, const char *beside)
{
    if (!by)
        return g_strdup(beside);
    return g_strdup_printf(BY "%s%s%s", by, beside ? "; " : "", beside ? beside : "");
}

/* What it was to supersede is taken back in part, or not yet. */
static bool aborted(struct hold *hold, struct run_row *old, struct run_result *ret, GError **error)
{
    if (!catalog_run_reload(hold->catalog, hold->mem, old, error))
        return false;
    g_autofree char *text = ending_words("aborted; %s stands %s: `sluice rollback %s` takes it back", old->name,
                                         old->back_stage != UINT32_MAX ? "in part" : "as it was", old->name);
    hold_result(hold, 3, text, ret);
    return true;
}

/* Somebody wishes the run that supersedes to pause or to end, before it has begun itself. One that a dead process had
 * heard holds, too. */
static bool heed(struct hold *hold, struct run_row *old, struct run_result *ret, bool *ret_heeded, GError **error)
{
    struct wish wish;
    *ret_heeded = false;
    if (!catalog_wish_heard(hold->catalog, hold->run.id, hold->mem, &wish, error) ||
        (wish.id == 0 && !catalog_wish_next(hold->catalog, hold->run.id, hold->mem, &wish, error)))
        return false;
    if (wish.kind != WISH_PAUSE && wish.kind != WISH_ABORT)
        return true;
    *ret_heeded = true;
    return catalog_wish_taken(hold->catalog, wish.id, error) && ending_by_wish(hold, &wish, ret, error) &&
           (wish.kind != WISH_ABORT || aborted(hold, old, ret, error));
}

static void stopped(struct hold *hold, const struct run_row *old, const struct run_result *back, struct run_result *ret)
{
    g_autofree char *text = ending_words("%s, which %s supersedes, is being taken back: %s; `sluice resume %s` goes on",
                                         old->name, hold->run.name, back->text, hold->run.name);
    hold_result(hold, back->exit_status, text, ret);
}

static bool take_back(struct hold *hold, struct run_row *old, struct run_result *ret, bool *ret_go, GError **error)
{
    struct run_config config = *hold->config;
    struct run_result back = {0};
    bool heeded;
    *ret_go = false;
    if (!heed(hold, old, ret, &heeded, error) || heeded)
        return heeded;
    if (!run_lock_begins(hold->lock, error))
        return false;
    g_autofree char *why = supersede_reason(hold->run.name, hold->config->act.reason);
    g_autofree char *note = ending_words("takes back %s, which it supersedes", old->name);
    config.superseded_by = hold->run.name;
    config.superseding = hold->run.id;
    config.act.reason = why;
    hold_event(hold, RUN_EVENT_NOTE, note);
    bool ok = run_back(&config, old->name, NULL, &back, error);
    bool go = ok && back.run.state == RUN_ROLLED_BACK;
    bool heard = !ok || go || heed(hold, old, ret, &heeded, error);
    if (ok && !go && !heeded) /* of no account where it could not be asked */
        stopped(hold, old, &back, ret);
    run_result_done(&back);
    *ret_go = go;
    if (!heard)
        return false;
    return ok || error_add(error, "%s: taking back %s, which it supersedes", hold->run.name, old->name);
}

/* Keys that stand as the old run left them would be transformed a second time. Its damage is all that a run which is
 * rolled back gives as its reason, beside who superseded it. */
static bool came_back_whole(struct hold *hold, const struct run_row *old, GError **error)
{
    struct plan_was was;
    g_autofree char *clean = supersede_reason(hold->run.name, NULL);
    if (!plan_was_read(hold->catalog, &hold->run, hold->mem, &was, error))
        return false;
    if (!was.same_dataset || !old->reason || strcmp(old->reason, clean) == 0)
        return true;
    return error_set(
        error, SLUICE_ERROR_REFUSED,
        "%s: %s, which it supersedes, could not be taken back whole (%s); drop this run with `sluice abort "
        "%s`, look at those keys, then run without --supersede",
        hold->run.name, old->name, old->reason, hold->run.name);
}

bool supersede_first(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error)
{
    const char *name;
    struct run_row old;
    bool go = true;
    if (!plan_supersedes_read(hold->catalog, &hold->run, hold->mem, &name, error))
        return false;
    if (name &&
        (!catalog_run_get(hold->catalog, name, hold->mem, &old, error) ||
         (old.state != RUN_ROLLED_BACK && !take_back(hold, &old, ret, &go, error)) ||
         (go && !(catalog_run_reload(hold->catalog, hold->mem, &old, error) && came_back_whole(hold, &old, error)))))
        return false;
    *ret_go = go;
    return true;
}

bool supersede_waits(struct hold *hold, char **ret_way, int *ret_status, GError **error)
{
    struct run_row *runs;
    size_t n;
    bool waits = false;
    if (!catalog_runs(hold->catalog, hold->mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n && !waits; i++) {
        if (run_state_over(runs[i].state) || runs[i].id <= hold->run.id)
            continue;
        if (!supersedes(hold->catalog, &runs[i], hold->run.name, hold->mem, &waits, error))
            return false;
        if (waits)
            *ret_way =
                ending_words("%s is to be superseded by %s: go on with that one (`sluice resume %s`), or drop it "
                             "first (`sluice abort %s`)",
                             hold->run.name, runs[i].name, runs[i].name, runs[i].name);
    }
    if (waits)
        *ret_status = 7;
    return true;
}

/* --- what is left alone
 * ----------------------------------------------------------------------------------------------- */

static bool is_left(const char *code)
{
    return strcmp(code, error_row(SLUICE_ERROR_LEFT)->name) == 0 ||
           strcmp(code, error_row(SLUICE_ERROR_IN_DOUBT)->name) == 0;
}

static bool add_left_by(struct hold *hold, const struct run_row *run, struct arena *mem, GArray *keys, GError **error)
{
    auto_(quarantine_reader) reader = NULL;
    auto_(arena) line = arena_new(JOB_ARENA_BYTES);
    g_autofree char *path = home_path(hold->config->home, HOME_NOTES, run->name);
    struct quarantine_config config = {.world = hold->config->world, .path = path, .sealed_as = "reports"};
    struct quarantine_filter all = {0};
    struct quarantine_entry *entry;
    memcpy(config.run_uid, run->uid, sizeof run->uid);
    if (!quarantine_reader_open(&reader, &config, &all, error))
        return false;
    for (;;) {
        arena_reset(line);
        if (!quarantine_next(reader, line, &entry, error))
            return false;
        if (!entry)
            break;
        if (is_left(entry->code) && !add_key(keys, mem, entry->key, run, error))
            return false;
    }
    return quarantine_reader_damaged(reader) == 0 ||
           error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s: lines of it are damaged, and they may name keys that %s must leave alone; put it back from a "
                     "copy, or end the run with `sluice abort %s`",
                     path, hold->run.name, hold->run.name);
}

bool supersede_left(struct hold *hold, struct job_keys *ret, GError **error)
{
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    const char *name = hold->plan->same_dataset ? hold->plan->supersedes : NULL;
    struct run_row run;
    while (name)
        if (!catalog_run_get(hold->catalog, name, hold->mem, &run, error) ||
            !add_left_by(hold, &run, hold->mem, keys, error) ||
            !plan_supersedes_read(hold->catalog, &run, hold->mem, &name, error))
            return false;
    return take_keys(keys, hold->mem, ret, error);
}
