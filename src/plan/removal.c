/* What a run takes out of its target because the source does not have it: the source may have come to have some of it
 * since the verification, and those stay. */
#include "plan/plan_parts.h"

#define BATCH_KEYS  1000u
#define BATCH_BYTES (256u << 20)

struct asking {
    struct session *session;
    struct dataset ds;
    struct arena *mem; /* of a batch */
    struct portions portions;
    const struct plan_config *config;
};

static bool leave_out(struct asking *asking, const struct slice *keys, size_t n, struct slice *into, size_t *io_n,
                      GError **error)
{
    struct call call = {
        .ds = &asking->ds, .mem = asking->mem, .cancel = asking->config->cancel, .no_etag = true, .no_expiry = true};
    arena_reset(asking->mem);
    struct record *records = arena_alloc0(asking->mem, n * sizeof *records);
    if (!records)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
    for (size_t i = 0; i < n; i++)
        records[i].key = keys[i];
    const struct read_portions by = {.portions = &asking->portions};
    if (!store_read_portions(asking->session, &call, records, n, &by, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (records[i].presence == RECORD_ABSENT)
            into[(*io_n)++] = keys[i];
    return true;
}

static bool ask_all(struct asking *asking, struct plan *plan, struct plan_retry *io, GError **error)
{
    struct slice *left = arena_alloc(plan->mem, (io->n_keys + 1) * sizeof *left);
    size_t n = 0;
    if (!left)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "what is to be taken out does not fit into memory");
    for (size_t i = 0; i < io->n_keys; i += BATCH_KEYS)
        if (!leave_out(asking, io->keys + i, MIN(io->n_keys - i, BATCH_KEYS), left, &n, error))
            return false;
    io->keys = left;
    io->n_keys = n;
    return n > 0 || error_set(error, SLUICE_ERROR_NOT_FOUND,
                              "%s: the source has all of it by now: there is nothing to take out", io->report);
}

static bool ask(struct asking *asking, struct plan *plan, struct store *source, struct plan_retry *io, GError **error)
{
    auto_(arena) mem = arena_new(BATCH_BYTES);
    asking->mem = mem;
    bool ok = store_session_open(&asking->session, source, error) && ask_all(asking, plan, io, error);
    g_clear_pointer(&asking->session, store_session_close);
    return ok;
}

bool plan_removal_left(struct plan *plan, const struct plan_config *config, struct plan_retry *io, GError **error)
{
    const struct spec *spec = plan->spec;
    struct asking asking = {.ds = plan_source_dataset(spec), .config = config};
    struct store *source = NULL;
    if (!plan->removes || spec->source.key.n > 0) /* keys that no source could be asked for */
        return true;
    bool ok = plan_store_open(&source, config, spec->source.store, spec->dir, true, error);
    if (ok && store_can(store_driver(source), CAN_LIST))
        ok = ask(&asking, plan, source, io, error);
    store_release(config->registry, source);
    return ok || error_add(error, "source.store");
}
