/* Writes that were checkpointed, on a server that was replaced since: what of them still stands?
 *
 * No fence tells. It keeps what was settled no longer by number, and it may have been told to forget by who did not
 * know yet that its server is another one; a mark may have been copied to where it outlives its write. So the live
 * record is held against what the log says: what was written last, or what stood before. What is neither is in doubt,
 * and so is a key that was absent before and is now: it was lost, or the application deleted it. Only what is certainly
 * lost is done again, in the new lane, as if it came by for the first time. */
#include "run/worker_state.h"

#define READ_KEYS 500u

bool lost_may_be(const struct grant *grant, const struct undo_entry *entry)
{
    bool counts = grant->checkpoint > 0 && entry->lane == grant->settled_lane && entry->number <= grant->settled;
    for (size_t i = 0; i < grant->n_lost && !counts; i++)
        if (entry->lane == grant->lost[i].lane && entry->number <= grant->lost[i].settled)
            return true;
    return false;
}

/* --- by key ------------------------------------------------------------------------------------------------------- */

static struct undo_entry *entry_at(struct worker *worker, size_t i)
{
    return &worker->tail.entries[g_array_index(worker->lost, size_t, i)];
}

static int by_key(const void *a, const void *b, void *self)
{
    const struct worker *worker = self;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = slice_compare(worker->tail.entries[x].key, worker->tail.entries[y].key);
    return order ? order : (x > y) - (x < y);
}

/* The first entry behind those of the key of entry i. */
static size_t key_end(struct worker *worker, size_t i)
{
    size_t end = i + 1;
    while (end < worker->lost->len && slice_equal(entry_at(worker, end)->key, entry_at(worker, i)->key))
        end++;
    return end;
}

static void go_on(struct worker *worker)
{
    worker->phase = worker->lost_from < worker->lost->len ? PHASE_LOST
                    : worker->settled->len > 0            ? PHASE_TAIL_OUTCOME
                                                          : PHASE_CUT;
}

void lost_begin(struct worker *worker)
{
    worker->lost_from = 0;
    g_array_set_size(worker->lost, 0);
    for (size_t i = 0; worker->job->kind == JOB_FORWARD && i < worker->tail.n; i++) {
        const struct undo_entry *entry = &worker->tail.entries[i];
        if (entry->state != UNDO_NOT_APPLIED && lost_may_be(&worker->grant, entry))
            g_array_append_val(worker->lost, i);
    }
    g_array_sort_with_data(worker->lost, by_key, worker);
    go_on(worker);
}

void lost_next(struct worker *worker, struct op *op)
{
    GArray *images = worker->lost_images;
    arena_reset(worker->batch.mem);
    g_array_set_size(images, 0);
    for (size_t i = worker->lost_from; i < worker->lost->len && images->len < READ_KEYS; i = key_end(worker, i)) {
        struct record image = {.key = entry_at(worker, i)->key};
        g_array_append_val(images, image);
    }
    op->kind = OP_READ;
    op->read.io = (struct record *)(void *)images->data;
    op->read.n = images->len;
    op->read.mem = worker->batch.mem;
}

/* --- one key ------------------------------------------------------------------------------------------------------ */

/* The entries of one key that stand for all that the log says, each upon what the one before it wrote. */
struct standing {
    struct undo_entry **entries;
    size_t n;
};

static struct digest before_of(const struct undo_entry *entry)
{
    return entry->pre_present ? digest_stored(entry->pre_raw, entry->pre_expires_at_ms) : (struct digest){0};
}

/* Of a write whose outcome the log lacks it has to learn it: a rollback goes by the log. */
static void learn(struct worker *worker, struct undo_entry *entry, enum undo_state state)
{
    bool known = entry->state != UNDO_UNKNOWN;
    entry->state = state;
    if (!known)
        tail_settle(worker, entry);
}

/* One that was lost and done again stands on what stood before the first time: that takes the first one's place. */
static void standing_add(struct standing *standing, struct undo_entry *entry)
{
    while (standing->n > 0 && !digest_equal(standing->entries[standing->n - 1]->written, before_of(entry)))
        standing->n--;
    standing->entries[standing->n++] = entry;
}

static void keep(struct worker *worker, const struct standing *standing, bool in_doubt)
{
    for (size_t i = 0; i < standing->n; i++) {
        learn(worker, standing->entries[i], UNDO_APPLIED);
        tail_remember(worker, standing->entries[i], in_doubt);
    }
}

static void let_go(struct worker *worker, const struct standing *standing)
{
    for (size_t i = 0; i < standing->n; i++)
        learn(worker, standing->entries[i], UNDO_NOT_APPLIED);
}

static void compare(struct worker *worker, const struct standing *standing, const struct record *live)
{
    bool present = live->presence == RECORD_PRESENT;
    struct digest now = present ? digest_stored(live->raw, live->expires_at_ms) : (struct digest){0};
    size_t n = standing->n;
    while (n > 0 && !digest_equal(standing->entries[n - 1]->written, now))
        n--;
    if (live->presence == RECORD_FAULT)
        keep(worker, standing, true);
    else if (n > 0)
        keep(worker, standing, n < standing->n); /* a chain of which a part is lost would be cut in two */
    else if (present && digest_equal(before_of(standing->entries[0]), now))
        let_go(worker, standing);
    else if (!present && standing->entries[0]->pre_present)
        keep(worker, standing, false); /* deleted by the application, whatever stood there */
    else if (present && forward_by_version(&worker->job->rules))
        let_go(worker, standing); /* versions decide, whatever it was written upon */
    else
        keep(worker, standing, true);
}

static void take_key(struct worker *worker, size_t from, size_t to, const struct record *live)
{
    g_autofree struct undo_entry **entries = g_new(struct undo_entry *, to - from);
    struct standing standing = {.entries = entries};
    bool stands = tail_find(worker, live->key) != NULL; /* a later write, which is known */
    for (size_t i = from; i < to; i++)
        standing_add(&standing, entry_at(worker, i));
    if (!stands)
        compare(worker, &standing, live);
    for (size_t i = from; i < to; i++) /* what something else was written upon */
        if (entry_at(worker, i)->state == UNDO_UNKNOWN)
            learn(worker, entry_at(worker, i), UNDO_APPLIED);
}

void lost_done(struct worker *worker, struct op *op)
{
    for (size_t i = 0; i < op->read.n; i++) {
        size_t end = key_end(worker, worker->lost_from);
        take_key(worker, worker->lost_from, end, &op->read.io[i]);
        worker->lost_from = end;
    }
    if (worker->error)
        worker_fail(worker, NULL);
    else
        go_on(worker);
}
