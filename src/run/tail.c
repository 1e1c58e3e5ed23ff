/* What a dead holder left: the undo log's tail and the fence of its lanes tell, together, exactly which of its writes
 * were applied. Those are counted when their key comes by; nothing is repeated and nothing compared. What was
 * checkpointed and may have been lost by a server since is lost.c's. */
#include "run/worker_state.h"

static guint slice_hash(gconstpointer pointer)
{
    const struct slice *slice = pointer;
    return (guint)digest_bytes(*slice, 0).low;
}

static gboolean slice_same(gconstpointer a, gconstpointer b)
{
    return slice_equal(*(const struct slice *)a, *(const struct slice *)b);
}

/* As the fence stood when our lane-open closed the old ones; NULL: it has none. */
static const struct fence_lane *lane_before(const struct worker *worker, uint32_t lane)
{
    const struct fence *fence = &worker->before;
    for (size_t i = 0; fence->present && i < fence->n; i++)
        if (fence->lanes[i].lane == lane)
            return &fence->lanes[i];
    return NULL;
}

/* The fence as it stood when our lane-open closed the old lanes knows better than the log: a store that lost its newest
 * writes with its machine lost their marks with them. Settled numbers it has forgotten; of those the log is right.
 * Without the lane (a holder logs intents only in a lane that it has opened) the fence is lost, and where a part of it
 * is gone so is what it does not mark: UNKNOWN. */
static enum undo_state ask_fence(const struct worker *worker, const struct undo_left *entry)
{
    const struct fence_lane *lane = lane_before(worker, entry->lane);
    if (!lane)
        return UNDO_UNKNOWN;
    if (entry->number <= lane->base)
        return entry->state;
    if (fence_lane_applied(lane, entry->number))
        return UNDO_APPLIED;
    return lane->partial ? UNDO_UNKNOWN : UNDO_NOT_APPLIED;
}

/* One outcome entry for the undo log; runs of one lane could share a block, but a tail is a batch or two. */
void tail_settle(struct worker *worker, const struct undo_left *entry)
{
    uint8_t *bit = arena_alloc0(worker->part_mem, 1);
    if (!bit) {
        worker_fail_memory(worker, entry->key);
        return;
    }
    *bit = entry->state == UNDO_APPLIED;
    struct undo_outcome outcome = {
        .part = entry->part, .lane = entry->lane, .first_number = entry->number, .n = 1, .applied = slice_of(bit, 1)};
    g_array_append_val(worker->settled, outcome);
}

bool tail_accounted(struct worker *worker, const struct undo_left *entry)
{
    return claims_have(worker->claimed, entry->lane, entry->number);
}

/* NULL: there is no memory, and the worker has failed. */
static struct applied *applied_of(struct worker *worker, struct slice key)
{
    if (!worker->applied)
        worker->applied = g_hash_table_new(slice_hash, slice_same);
    struct applied *applied = g_hash_table_lookup(worker->applied, &key);
    if (applied)
        return applied;
    applied = arena_alloc0(worker->part_mem, sizeof *applied);
    if (!applied) {
        worker_fail_memory(worker, key);
        return NULL;
    }
    applied->key = key;
    g_hash_table_insert(worker->applied, &applied->key, applied);
    return applied;
}

void tail_remember(struct worker *worker, const struct undo_left *entry, bool in_doubt)
{
    struct applied *applied = applied_of(worker, entry->key);
    struct unclaimed *write = arena_alloc(worker->part_mem, sizeof *write);
    if (!applied || !write) {
        worker_fail_memory(worker, entry->key);
        return;
    }
    *write = (struct unclaimed){.lane = entry->lane,
                                .number = entry->number,
                                .verb = entry->verb,
                                .written = entry->written,
                                .before_expires_at_ms = entry->before_expires_at_ms,
                                .next = applied->left};
    applied->left = write;
    worker->applied_left++;
    applied->verb = entry->verb;
    applied->written = entry->written;
    applied->in_doubt |= in_doubt;
}

struct applied *tail_find(struct worker *worker, struct slice key)
{
    struct applied *applied = worker->applied ? g_hash_table_lookup(worker->applied, &key) : NULL;
    return applied && applied->left ? applied : NULL;
}

static void claim_at(struct worker *worker, struct applied *applied, struct unclaimed **at)
{
    struct claim claim = {.applied = applied, .at = at, .write = *at, .met = applied->met};
    *at = claim.write->next;
    applied->met = true;
    worker->applied_left--;
    g_array_append_val(worker->claims, claim);
}

struct applied *tail_claim(struct worker *worker, struct slice key)
{
    struct applied *applied = tail_find(worker, key);
    if (applied)
        claim_at(worker, applied, &applied->left);
    return applied;
}

/* An expiry that is kept was that of what stood there. */
static bool is_same(const struct unclaimed *write, const struct item *item)
{
    if (item->want_delete || write->verb == UNDO_DELETE)
        return item->want_delete && write->verb == UNDO_DELETE;
    int64_t expires_at_ms = item->expiry_settled ? item->expires_at_ms : write->before_expires_at_ms;
    return digest_equal(digest_stored(item->raw, expires_at_ms), write->written);
}

struct applied *tail_claim_same(struct worker *worker, const struct item *item)
{
    struct applied *applied = tail_find(worker, item->key);
    struct unclaimed **found = NULL;
    for (struct unclaimed **at = applied ? &applied->left : NULL; at && *at; at = &(*at)->next)
        if (is_same(*at, item))
            found = at;
    if (!found)
        return NULL;
    claim_at(worker, applied, found);
    return applied;
}

void tail_unclaim(struct worker *worker)
{
    while (worker->claims->len > 0) {
        struct claim claim = g_array_index(worker->claims, struct claim, worker->claims->len - 1);
        *claim.at = claim.write; /* the newest claim first, so that what is before it and behind it is as it was */
        claim.applied->met = claim.met;
        worker->applied_left++;
        g_array_set_size(worker->claims, worker->claims->len - 1);
    }
}

void tail_claims_stand(struct worker *worker)
{
    for (size_t i = 0; i < worker->claims->len; i++) {
        const struct unclaimed *write = g_array_index(worker->claims, struct claim, i).write;
        claims_add(worker->claimed, write->lane, write->number);
    }
    g_array_set_size(worker->claims, 0);
}

bool tail_claims(struct worker *worker, struct slice *ret)
{
    *ret = SLICE_EMPTY;
    if (!worker->owes_tail)
        return true;
    auto_(claims) all = claims_new();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    claims_put(worker->claimed, bytes);
    claims_get(all, slice_of(bytes->data, bytes->len));
    for (size_t i = 0; i < worker->claims->len; i++) {
        const struct unclaimed *write = g_array_index(worker->claims, struct claim, i).write;
        claims_add(all, write->lane, write->number);
    }
    g_byte_array_set_size(bytes, 0);
    claims_put(all, bytes);
    return arena_copy(worker->batch.mem, slice_of(bytes->data, bytes->len), ret);
}

/* What is known is counted when its key comes by; then what was checkpointed once is looked at again. */
static void take_known(struct worker *worker)
{
    for (size_t i = 0; i < worker->tail.n; i++) {
        const struct undo_left *entry = &worker->tail.entries[i];
        bool accounted = tail_accounted(worker, entry);
        struct applied *met = accounted ? applied_of(worker, entry->key) : NULL;
        if (met)
            met->met = true;
        else if (entry->state == UNDO_APPLIED && !accounted && !lost_may_be(worker, entry))
            tail_remember(worker, entry, false);
    }
    if (worker->error)
        worker_fail(worker, NULL);
    else
        lost_begin(worker);
}

/* What was found out goes into the log, unless the log knows. */
static void take_state(struct worker *worker, struct undo_left *entry, enum undo_state state)
{
    bool known = entry->state != UNDO_UNKNOWN;
    entry->state = state;
    if (!known)
        tail_settle(worker, entry);
}

static bool compares(const struct worker *worker)
{
    return worker->job->kind == JOB_BACK || worker->job->kind == JOB_SETTLE;
}

/* --- damage
 * ----------------------------------------------------------------------------------------------------------- */

static bool tail_names(const struct worker *worker, uint32_t lane, uint64_t number)
{
    for (size_t i = 0; i < worker->tail.n; i++)
        if (worker->tail.entries[i].lane == lane && worker->tail.entries[i].number == number)
            return true;
    return false;
}

/* Its outcome stands in the log, where its intent cannot be read. */
static bool outcome_names(const struct worker *worker, uint32_t lane, uint64_t number)
{
    for (size_t i = 0; i < worker->tail.n_nameless; i++) {
        const struct undo_nameless *range = &worker->tail.nameless[i];
        if (range->lane == lane && number - range->first_number < range->n)
            return true;
    }
    return false;
}

/* Writes of a lane that no checkpoint accounts for, and of which no entry can be read: those that the fence marks, and
 * those that it has forgotten, which were applied or not (a damaged block may not even tell whose it was). Settling
 * logs what is marked as applied, so that the rollback counts what it cannot take back. */
static uint64_t nameless_of(struct worker *worker, const struct fence_lane *lane)
{
    uint64_t nameless = 0;
    struct undo_left entry = {.part = worker->grant.part.part, .lane = lane->lane, .state = UNDO_APPLIED};
    for (entry.number = 1; entry.number <= lane->base + lane->bitmap.len * 8; entry.number++) {
        bool forgotten = entry.number <= lane->base;
        if ((!forgotten && !fence_lane_applied(lane, entry.number)) || tail_accounted(worker, &entry) ||
            tail_names(worker, entry.lane, entry.number))
            continue;
        nameless++;
        if (worker->job->kind == JOB_SETTLE && !forgotten)
            tail_settle(worker, &entry);
    }
    return nameless;
}

/* No checkpoint accounts for all of the lane. */
static bool is_open(const struct worker *worker, uint32_t lane)
{
    return lane >= claims_lowest(worker->claimed);
}

/* Whether a write that only a damaged block names may have been applied, beside those that nameless_of() counts. */
static bool may_be_applied(const struct worker *worker, const struct undo_damage *damage, uint64_t number)
{
    const struct fence_lane *lane = lane_before(worker, damage->lane);
    if (!lane)
        return true;
    return lane->partial && number > lane->base && !fence_lane_applied(lane, number);
}

/* Of a block of a lane whose fence is lost, in part or as a whole. */
static uint64_t nameless_below(struct worker *worker, const struct undo_damage *damage)
{
    uint64_t nameless = 0;
    bool tells = damage->part != UINT32_MAX && is_open(worker, damage->lane);
    for (uint64_t i = 0; tells && i < damage->keys; i++) {
        struct undo_left entry = {
            .part = damage->part, .lane = damage->lane, .number = damage->first_number + i, .state = UNDO_APPLIED};
        if (!may_be_applied(worker, damage, entry.number) || tail_accounted(worker, &entry) ||
            tail_names(worker, entry.lane, entry.number) || outcome_names(worker, entry.lane, entry.number))
            continue;
        nameless++;
        if (worker->job->kind == JOB_SETTLE)
            tail_settle(worker, &entry);
    }
    return nameless;
}

/* Every write has its intent in the log before it is sent, so that the highest number that a lane marks, or has
 * forgotten, stands in an undamaged tail. Where it does not, this home is a copy that is older than the store. */
static bool log_is_behind(struct worker *worker)
{
    for (size_t i = 0; i < worker->before.n; i++) {
        const struct fence_lane *lane = &worker->before.lanes[i];
        struct undo_left highest = {.lane = lane->lane, .number = lane->base + lane->bitmap.len * 8};
        while (highest.number > lane->base && !fence_lane_applied(lane, highest.number))
            highest.number--;
        if (is_open(worker, lane->lane) && highest.number > 0 && !tail_accounted(worker, &highest) &&
            !tail_names(worker, highest.lane, highest.number))
            return true;
    }
    return false;
}

static bool is_a_copy(struct worker *worker)
{
    GError *error = NULL;
    error_set(
        &error, SLUICE_ERROR_BEHIND,
        "partition %u: the store knows writes of %s of which the undo log of this home says nothing: the home was "
        "restored from an older copy; use the home that the run last ran in",
        worker->grant.part.part, worker->job->run_name);
    worker_fail(worker, error);
    return false;
}

/* Of writes whose outcomes can be read, although their intents and their marks cannot. */
static uint64_t nameless_outcomes(struct worker *worker, const struct undo_nameless *range)
{
    uint64_t nameless = 0;
    const struct fence_lane *lane = lane_before(worker, range->lane);
    for (uint64_t i = 0; is_open(worker, range->lane) && i < range->n; i++) {
        struct undo_left entry = {.lane = range->lane, .number = range->first_number + i};
        bool marked = lane && (entry.number <= lane->base || fence_lane_applied(lane, entry.number));
        nameless += !marked && !tail_accounted(worker, &entry);
    }
    return nameless;
}

static uint64_t nameless_writes(struct worker *worker)
{
    uint64_t nameless = 0;
    for (size_t i = 0; i < worker->before.n; i++)
        if (is_open(worker, worker->before.lanes[i].lane))
            nameless += nameless_of(worker, &worker->before.lanes[i]);
    for (size_t i = 0; i < worker->tail.n_damage; i++)
        nameless += nameless_below(worker, &worker->tail.damage[i]);
    for (size_t i = 0; i < worker->tail.n_nameless; i++)
        nameless += nameless_outcomes(worker, &worker->tail.nameless[i]);
    return nameless;
}

/* Something was logged in it, or checkpointed. */
static bool was_opened(const struct worker *worker, uint32_t lane)
{
    bool opened = worker->grant.checkpoint > 0 && lane == worker->grant.settled_lane;
    for (size_t i = 0; i < worker->tail.n && !opened; i++)
        opened = worker->tail.entries[i].lane == lane;
    return opened;
}

/* The first lane of which the fence no longer tells all of what it wrote that no checkpoint accounts for; 0: there is
 * none. A lane that was granted and never opened looks the same: `surely` not that. */
static uint32_t lost_lane(const struct worker *worker, bool surely)
{
    uint32_t lane = MAX(claims_lowest(worker->claimed), 1u);
    for (; lane < worker->lane.lane; lane++) {
        const struct fence_lane *found = lane_before(worker, lane);
        if (found ? found->partial : !surely || was_opened(worker, lane))
            return lane;
    }
    return 0;
}

/* A block that does not even tell whose it was: only the fence says whether it held writes of ours. One that was not
 * proven to be synced may be torn, and nothing of it sent: that must not hold up who died before he opened his lane. */
static bool hides_writes(const struct worker *worker, bool *ret_proven)
{
    bool hidden = false, proven = false;
    for (size_t i = 0; i < worker->tail.n_damage; i++) {
        const struct undo_damage *damage = &worker->tail.damage[i];
        bool tells = damage->part != UINT32_MAX, torn = damage->cut_off && !damage->proven;
        hidden |= !tells && !torn;
        proven |= !tells && damage->proven;
    }
    *ret_proven = proven;
    return hidden && lost_lane(worker, !proven) > 0;
}

static bool cannot_tell(struct worker *worker, const char *what)
{
    const struct undo_damage *first = &worker->tail.damage[0];
    GError *error = NULL;
    error_set(&error, SLUICE_ERROR_CORRUPT,
              "undo log, segment %u, offset %" G_GUINT64_FORMAT
              ": cannot be read, and %s of partition %u may have been applied of which it alone says to which keys; "
              "`sluice rollback %s` takes back everything that can be read",
              first->at.segment, first->at.offset, what, worker->grant.part.part, worker->job->run_name);
    worker_fail(worker, error);
    return false;
}

/* A number of the lane of which nothing is known. */
static uint64_t number_unknown(struct worker *worker, uint32_t lane)
{
    const struct fence_lane *found = lane_before(worker, lane);
    struct undo_left entry = {.lane = lane, .number = found ? found->base + found->bitmap.len * 8 : 0};
    for (size_t i = 0; i < worker->tail.n; i++)
        if (worker->tail.entries[i].lane == lane)
            entry.number = MAX(entry.number, worker->tail.entries[i].number);
    do
        entry.number++;
    while (tail_accounted(worker, &entry));
    return entry.number;
}

/* Of a block that tells nothing, and that may have held writes: as one that was applied, of which the log does not say
 * to which key, so that the rollback lists it. What is proven to have been synced it lists by itself. */
static void settle_hidden(struct worker *worker)
{
    uint32_t lane = lost_lane(worker, true);
    struct undo_left entry = {.part = worker->grant.part.part, .lane = lane, .state = UNDO_APPLIED};
    entry.number = number_unknown(worker, lane);
    tail_settle(worker, &entry);
}

/* A torn tail of which nothing was sent is no loss. But where a write was applied and its entry cannot be read, nobody
 * can say which key it was: to go on could apply the transform a second time. */
static bool tail_is_whole(struct worker *worker)
{
    if (worker->tail.n_damage == 0)
        return !log_is_behind(worker) || is_a_copy(worker);
    bool proven;
    uint64_t nameless = nameless_writes(worker);
    bool hidden = nameless == 0 && hides_writes(worker, &proven);
    if (hidden && !proven && worker->job->kind == JOB_SETTLE)
        settle_hidden(worker);
    if (compares(worker))
        return true;
    g_autofree char *many = g_strdup_printf("%" G_GUINT64_FORMAT " writes", nameless);
    if (nameless > 0)
        return cannot_tell(worker, many);
    return !hidden || cannot_tell(worker, "writes");
}

/* --- taking it
 * -------------------------------------------------------------------------------------------------------- */

/* Who takes back compares before it touches anything: it goes on without. The checkpoint tells by one number what it
 * accounts for of its own lane; of a later one's checkpoint that has to be told as well. */
static bool begin_claims(struct worker *worker)
{
    GError *error = NULL;
    const struct grant *grant = &worker->grant;
    bool whole = claims_get(worker->claimed, grant->claims);
    if (!whole && !compares(worker)) {
        error_set(&error, SLUICE_ERROR_CORRUPT,
                  "partition %u: what its checkpoint %" G_GUINT64_FORMAT
                  " says of earlier writes is damaged, so that nobody can tell which of them it counts; "
                  "`sluice rollback %s` takes back all that the run wrote",
                  grant->part.part, grant->checkpoint, worker->job->run_name);
        worker_fail(worker, error);
        return false;
    }
    if (!whole)
        claims_clear(worker->claimed);
    claims_add_up_to(worker->claimed, grant->settled_lane, grant->settled);
    return true;
}

void tail_take(struct worker *worker)
{
    if (!begin_claims(worker) || !tail_is_whole(worker))
        return;
    worker->doubt_from = 0;
    for (size_t i = 0; i < worker->tail.n; i++) {
        struct undo_left *entry = &worker->tail.entries[i];
        bool known = entry->state != UNDO_UNKNOWN;
        if (entry->state == UNDO_NOT_APPLIED || (known && tail_accounted(worker, entry)))
            continue;
        if (lost_may_be(worker, entry) && (known || worker->job->kind != JOB_SETTLE))
            continue;
        enum undo_state told = ask_fence(worker, entry);
        if (told == UNDO_UNKNOWN)
            g_array_append_val(worker->doubtful, i);
        else
            take_state(worker, entry, told);
    }
    if (worker->doubtful->len > 0)
        worker->phase = PHASE_DOUBT;
    else
        take_known(worker);
}

/* The fence is lost. The live value is the pre-image: not applied. It is what was to be written: applied. Anything
 * else, and what cannot be read, the application wrote: over ours, or over the pre-image, where the server has lost
 * ours since it answered, and a part of the fence with it. Nobody can tell, whatever outcome the log has: the key is in
 * doubt: listed, never guessed. (Counted as applied in the undo log: a rollback compares before it touches.) */
static void take_doubt(struct worker *worker, struct undo_left *entry, const struct record *live)
{
    bool present = live->presence == RECORD_PRESENT, known = live->presence != RECORD_FAULT;
    struct digest now = present ? digest_stored(live->raw, live->expires_at_ms) : (struct digest){0};
    bool is_ours = known && digest_equal(now, entry->written), is_old = known && digest_equal(now, entry->before);
    if (is_ours || is_old) {
        take_state(worker, entry, is_ours ? UNDO_APPLIED : UNDO_NOT_APPLIED);
        return;
    }
    take_state(worker, entry, UNDO_APPLIED);
    if (!tail_accounted(worker, entry))
        tail_remember(worker, entry, true);
    entry->state = UNDO_NOT_APPLIED; /* remembered already */
}

bool tail_reads_fewer(struct worker *worker, struct op *op)
{
    if (op->ok)
        return false;
    if (op->read.n > 1 && error_is(op->error, SLUICE_ERROR_TOO_BIG))
        worker->read_most = MAX(op->read.n / FEWER, 1u);
    else
        worker_fail(worker, g_steal_pointer(&op->error));
    return true;
}

static struct undo_left *doubt_at(struct worker *worker, size_t i)
{
    return &worker->tail.entries[g_array_index(worker->doubtful, size_t, i)];
}

void tail_doubts_next(struct worker *worker, struct op *op)
{
    GArray *images = worker->left_images;
    arena_reset(worker->batch.mem);
    g_array_set_size(images, 0);
    for (size_t i = worker->doubt_from; i < worker->doubtful->len && images->len < worker->read_most; i++) {
        struct record image = {.key = doubt_at(worker, i)->key};
        g_array_append_val(images, image);
    }
    op->kind = OP_READ;
    op->read.io = (struct record *)(void *)images->data;
    op->read.n = images->len;
    op->read.mem = worker->batch.mem;
}

void tail_doubts_done(struct worker *worker, struct op *op)
{
    if (tail_reads_fewer(worker, op))
        return;
    for (size_t i = 0; i < op->read.n; i++)
        take_doubt(worker, doubt_at(worker, worker->doubt_from++), &op->read.io[i]);
    if (worker->error)
        worker_fail(worker, NULL);
    else if (worker->doubt_from == worker->doubtful->len)
        take_known(worker);
}
