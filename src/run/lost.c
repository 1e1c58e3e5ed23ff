/* Writes that were checkpointed, on a server that may have lost them since: what of them still stands?
 *
 * The store says, entry by entry: where its witness is missing it looks at the fence of the record's own place
 * (store/store.h, history_ops). What is not applied any more is done again, in the new lane, as if it came by for the
 * first time. Where the fence is lost too the live record is held against what the log says: what was written last, or
 * what stood before. What is neither is in doubt, and so is a key that is absent now: lost, or deleted by the
 * application. */
#include "run/worker_state.h"

bool lost_may_be(struct worker *worker, const struct undo_left *entry)
{
    const struct grant *grant = &worker->grant;
    bool counts = tail_accounted(worker, entry);
    for (size_t i = 0; i < grant->n_lost && !counts; i++)
        if (entry->lane == grant->lost[i].lane && entry->number <= grant->lost[i].settled)
            return true;
    return false;
}

/* --- by key ------------------------------------------------------------------------------------------------------- */

static struct undo_left *entry_at(struct worker *worker, size_t i)
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
    for (size_t i = 0; worker->job->kind != JOB_SETTLE && i < worker->tail.n; i++) {
        const struct undo_left *entry = &worker->tail.entries[i];
        if (entry->state != UNDO_NOT_APPLIED && lost_may_be(worker, entry))
            g_array_append_val(worker->lost, i);
    }
    g_array_sort_with_data(worker->lost, by_key, worker);
    go_on(worker);
    if (worker->lost->len)
        worker->phase = PHASE_STANDS;
}

/* --- what the store says ------------------------------------------------------------------------------------------ */

void lost_stands_next(struct worker *worker, struct op *op)
{
    g_array_set_size(worker->standings, 0);
    for (size_t i = 0; i < worker->lost->len; i++) {
        const struct undo_left *entry = entry_at(worker, i);
        struct standing_look look = {.key = entry->key, .lane = entry->lane, .number = entry->number};
        g_array_append_val(worker->standings, look);
    }
    op->kind = OP_STANDS;
    op->stands.fence = worker->lane.fence;
    op->stands.where = worker->grant.lost_where ? worker->grant.lost_where : "";
    op->stands.io = (struct standing_look *)(void *)worker->standings->data;
    op->stands.n = worker->standings->len;
}

static enum standing standing_at(const struct worker *worker, size_t i)
{
    return g_array_index(worker->standings, struct standing_look, i).ret;
}

/* Of a write whose outcome the log lacks it has to learn it: a rollback goes by the log. */
static void learn(struct worker *worker, struct undo_left *entry, enum undo_state state)
{
    bool known = entry->state != UNDO_UNKNOWN;
    entry->state = state;
    if (!known)
        tail_settle(worker, entry);
}

/* A key of which all stands is not read again. */
static bool key_stands(struct worker *worker, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (standing_at(worker, i) != STANDING_YES)
            return false;
    for (size_t i = from; i < to; i++) {
        learn(worker, entry_at(worker, i), UNDO_APPLIED);
        tail_remember(worker, entry_at(worker, i), false);
    }
    return true;
}

void lost_stands_done(struct worker *worker, struct op *op)
{
    size_t kept = 0;
    for (size_t i = 0, end; i < worker->lost->len; i = end) {
        end = key_end(worker, i);
        bool stands = key_stands(worker, i, end);
        for (size_t k = i; !stands && k < end; k++) {
            g_array_index(worker->lost, size_t, kept) = g_array_index(worker->lost, size_t, k);
            g_array_index(worker->standings, struct standing_look, kept++) =
                g_array_index(worker->standings, struct standing_look, k);
        }
    }
    g_array_set_size(worker->lost, (unsigned)kept);
    if (worker->error)
        worker_fail(worker, NULL);
    else
        go_on(worker);
}

void lost_next(struct worker *worker, struct op *op)
{
    GArray *images = worker->left_images;
    arena_reset(worker->batch.mem);
    g_array_set_size(images, 0);
    for (size_t i = worker->lost_from; i < worker->lost->len && images->len < worker->read_most;
         i = key_end(worker, i)) {
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
struct pile {
    struct undo_left **entries;
    size_t n;
};

/* One that was lost and done again stands on what stood before the first time: that takes the first one's place. */
static void pile_add(struct pile *pile, struct undo_left *entry)
{
    while (pile->n > 0 && !digest_equal(pile->entries[pile->n - 1]->written, entry->before))
        pile->n--;
    pile->entries[pile->n++] = entry;
}

static void keep(struct worker *worker, const struct pile *pile, bool in_doubt)
{
    for (size_t i = 0; i < pile->n; i++) {
        learn(worker, pile->entries[i], UNDO_APPLIED);
        tail_remember(worker, pile->entries[i], in_doubt);
    }
}

static void let_go(struct worker *worker, const struct pile *pile)
{
    for (size_t i = 0; i < pile->n; i++)
        learn(worker, pile->entries[i], UNDO_NOT_APPLIED);
}

static struct digest digest_of(const struct record *live)
{
    return live->presence == RECORD_PRESENT ? digest_stored(live->raw, live->expires_at_ms) : (struct digest){0};
}

static void compare(struct worker *worker, const struct pile *pile, const struct record *live)
{
    bool present = live->presence == RECORD_PRESENT, forward = worker->job->kind == JOB_FORWARD;
    struct digest now = digest_of(live);
    size_t n = pile->n;
    while (n > 0 && !digest_equal(pile->entries[n - 1]->written, now))
        n--;
    if (n > 0 && live->presence != RECORD_FAULT)
        keep(worker, pile, n < pile->n); /* a chain of which a part is lost would be cut in two */
    else if (present && digest_equal(pile->entries[0]->before, now))
        let_go(worker, pile);
    else if (present && forward && forward_by_version(&worker->job->rules))
        let_go(worker, pile); /* versions decide, whatever it was written upon */
    else
        keep(worker, pile, true);
}

/* What the fence says is not applied is not, unless it is just what stands there. */
static bool is_gone(struct worker *worker, size_t i, const struct record *live)
{
    return standing_at(worker, i) == STANDING_NO && live->presence != RECORD_FAULT &&
           !digest_equal(entry_at(worker, i)->written, digest_of(live));
}

static void take_key(struct worker *worker, size_t from, size_t to, const struct record *live)
{
    g_autofree struct undo_left **entries = g_new(struct undo_left *, to - from);
    struct pile pile = {.entries = entries};
    bool known = tail_find(worker, live->key) != NULL; /* a later write, which is known */
    bool certain = true;
    for (size_t i = from; i < to; i++) {
        if (is_gone(worker, i, live)) {
            learn(worker, entry_at(worker, i), UNDO_NOT_APPLIED);
            continue;
        }
        certain &= standing_at(worker, i) == STANDING_YES;
        pile_add(&pile, entry_at(worker, i));
    }
    if (pile.n > 0 && !known && certain)
        keep(worker, &pile, false);
    else if (pile.n > 0 && !known)
        compare(worker, &pile, live);
    for (size_t i = from; i < to; i++) /* what something else was written upon */
        if (entry_at(worker, i)->state == UNDO_UNKNOWN)
            learn(worker, entry_at(worker, i), UNDO_APPLIED);
}

void lost_done(struct worker *worker, struct op *op)
{
    if (tail_reads_fewer(worker, op))
        return;
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
