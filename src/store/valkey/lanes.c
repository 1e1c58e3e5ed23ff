/* Lanes opened, fences read and dropped, as store.h has it. */
#include "store/valkey/valkey_store.h"

#define LOOKED_US INT64_C(1000000) /* how long a look without taking over is good for */

static struct fence_run *run_of(struct session *session, const uint8_t uid[16])
{
    struct fences *fences = valkey_store_of(session)->fences;
    auto_hold(&fences->lock);
    return fences_run(fences, uid);
}

static bool is_held(struct fences *fences, struct fence_run *run)
{
    auto_hold(&fences->lock);
    return run->held;
}

/* --- holding ------------------------------------------------------------------------------------------------------ */

static bool behind(const struct lane *lane, uint32_t highest, GError **error)
{
    return error_set(error, SLUICE_ERROR_BEHIND,
                     "lane %u of partition %u is not above lane %u, which the store has seen: the catalog is older "
                     "than the store; use the home that this run last ran in",
                     lane->lane, lane->fence.part, highest);
}

/* Whoever comes with an older home is refused before it has disturbed the holder. */
static bool hold_run(struct session *session, const struct call *call, struct fence_run *run, const struct lane *lane,
                     GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    struct fence_seen seen;
    if (is_held(fences, run))
        return true;
    if (!fence_look_record(session, call, run, lane, &seen, error))
        return false;
    if (lane->lane <= seen.highest)
        return behind(lane, seen.highest, error);
    {
        auto_hold(&fences->lock);
        run->epoch = MAX(run->epoch, seen.epoch);
    }
    return fence_take_run(session, call, run, true, error);
}

/* The partition is this thread's to change: no cas begins in it, and no other thread opens a lane of it. */
static struct fence_part *part_begin(struct fences *fences, struct fence_run *run, uint32_t number)
{
    auto_hold(&fences->lock);
    struct fence_part *part = fence_run_part(run, number);
    while (part->busy)
        pthread_cond_wait(&fences->changed, &fences->lock);
    part->busy = true;
    return part;
}

static void part_end(struct fences *fences, struct fence_part *part)
{
    auto_hold(&fences->lock);
    part->busy = false;
    pthread_cond_broadcast(&fences->changed);
}

/* Every place in which something of the partition may be under way. */
static GArray *places_open(struct fences *fences, struct fence_run *run, struct fence_part *part)
{
    auto_hold(&fences->lock);
    GArray *places = g_array_new(false, false, sizeof(uint32_t));
    for (size_t i = 0; i < part->flights->len; i++) {
        const struct fence_flight *flight = part->flights->pdata[i];
        g_array_append_vals(places, flight->places, (unsigned)flight->n);
    }
    for (size_t i = 0; i < run->unknown->len; i++) {
        const struct fence_unknown *unknown = &g_array_index(run->unknown, struct fence_unknown, i);
        if (unknown->part == part->part)
            g_array_append_val(places, unknown->place);
    }
    return places;
}

static int by_place(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void each_once(GArray *places)
{
    uint32_t *at = (uint32_t *)(void *)places->data;
    size_t kept = 0;
    g_array_sort(places, by_place);
    for (size_t i = 0; i < places->len; i++)
        if (!kept || at[kept - 1] != at[i])
            at[kept++] = at[i];
    g_array_set_size(places, (unsigned)kept);
}

static void forget_part(struct fences *fences, struct fence_run *run, struct fence_part *part)
{
    auto_hold(&fences->lock);
    part->record_unknown = false;
    for (size_t i = run->unknown->len; i > 0; i--)
        if (g_array_index(run->unknown, struct fence_unknown, i - 1).part == part->part)
            g_array_remove_index_fast(run->unknown, (unsigned)(i - 1));
}

/* From here on nothing of the partition is under way, and what is known of it is what stands. */
static bool part_settle(struct session *session, const struct call *call, struct fence_run *run,
                        struct fence_part *part, GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    bool stale;
    g_autoptr(GArray) places = places_open(fences, run, part);
    {
        auto_hold(&fences->lock);
        stale = part->stale || part->record_unknown;
    }
    each_once(places);
    if (!stale && places->len && !fence_take_places(session, call, run, places, error))
        return false;
    if (stale && !fence_take_part(session, call, run, part, error))
        return false;
    forget_part(fences, run, part);
    return true;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static struct fence_state *next_state(struct fences *fences, struct fence_run *run, struct fence_part *part,
                                      const struct lane *lane, uint64_t *ret_event, GError **error)
{
    auto_hold(&fences->lock);
    if (lane->lane <= fence_state_highest(part->state)) {
        behind(lane, fence_state_highest(part->state), error);
        return NULL;
    }
    if (!part->known)
        part->born = run->epoch;
    *ret_event = part->events;
    return fence_part_opened(part, lane, error);
}

/* A record that there is stays where it is. */
static void choose_home(struct session *session, const struct call *call, struct fence_part *part,
                        const struct lane *lane)
{
    struct fences *fences = valkey_store_of(session)->fences;
    uint32_t near;
    if (!valkey_place_near(session, call, lane->near, &near))
        return;
    auto_hold(&fences->lock);
    fence_part_choose(part, near);
}

static void take_state(struct fences *fences, struct fence_part *part, struct fence_state *state)
{
    auto_hold(&fences->lock);
    fence_part_take(part, state);
}

static bool open_lane(struct session *session, const struct call *call, struct fence_run *run, struct fence_part *part,
                      const struct lane *lane, GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    uint64_t event;
    bool lost = false;
    auto_(fence_state) state = next_state(fences, run, part, lane, &event, error);
    if (!state)
        return false;
    choose_home(session, call, part, lane);
    if (!fence_write_record(session, call, run, part, state, error)) {
        auto_hold(&fences->lock);
        part->record_unknown = true;
        return false;
    }
    take_state(fences, part, g_steal_pointer(&state));
    if (!event) /* nothing but this record tells of the partition: whoever loses it loses nothing */
        return true;
    if (!valkey_session_settle(session, call, &lost, error))
        return false;
    auto_hold(&fences->lock);
    if (!lost)
        part->durable = MAX(part->durable, event);
    return true;
}

static bool part_view(struct fences *fences, const struct fence_part *part, bool asked, struct arena *mem,
                      struct fence *ret, GError **error)
{
    auto_hold(&fences->lock);
    return fence_part_view(part, asked, mem, ret, error);
}

static bool lane_open_once(struct session *session, const struct call *call, const struct lane *lane,
                           struct fence *ret_before, GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    struct fence_run *run = run_of(session, lane->fence.run);
    if (!hold_run(session, call, run, lane, error))
        return false;
    struct fence_part *part = part_begin(fences, run, lane->fence.part);
    bool ok = part_settle(session, call, run, part, error) &&
              part_view(fences, part, false, call->mem, ret_before, error) &&
              open_lane(session, call, run, part, lane, error);
    part_end(fences, part);
    return ok;
}

/* Where the fence of its home has gone the lane is not open, and the places are to be taken anew. */
bool valkey_lane_open(struct session *session, const struct call *call, const struct lane *lane,
                      struct fence *ret_before, GError **error)
{
    g_autoptr(GError) failed = NULL;
    struct fence before;
    bool ok = lane_open_once(session, call, lane, &before, &failed);
    if (error_is(failed, SLUICE_ERROR_UNSETTLED)) {
        g_clear_error(&failed);
        ok = lane_open_once(session, call, lane, &before, &failed);
    }
    if (ok)
        *ret_before = before;
    else
        g_propagate_error(error, g_steal_pointer(&failed));
    return ok || valkey_name_right(session, call, error);
}

/* What stands without taking the run over: a partition of its own, in no run. */
static bool look_part(struct session *session, const struct call *call, struct fence_run *run, struct fence_part *into,
                      GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    int64_t now_us = world_monotonic_us(fences->world);
    auto_(fence_intake) fresh = NULL;
    bool looked;
    {
        auto_hold(&fences->lock);
        looked = run->looked && now_us - run->looked_us < LOOKED_US;
    }
    if (!looked && !fence_look(session, call, run, &fresh, error))
        return false;
    auto_hold(&fences->lock);
    if (fresh) {
        fence_intake_free(run->looked);
        run->looked = g_steal_pointer(&fresh);
        run->looked_us = now_us;
    }
    if (run->looked)
        return fence_intake_adopt(run->looked, into, error);
    into->known = false; /* taken over meanwhile: whoever asks asks again */
    return true;
}

static void look_done(struct fence_part *part)
{
    fence_state_free(part->state);
}

/* Whether the store has a fence of the partition; where it has, this process holds the run. */
static bool join_known(struct session *session, const struct call *call, struct fence_run *run, uint32_t number,
                       bool *ret_known, GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    struct fence_part seen = {.part = number, .state = fence_state_new()};
    bool ok = is_held(fences, run) || look_part(session, call, run, &seen, error);
    *ret_known = seen.known;
    look_done(&seen);
    if (ok && !is_held(fences, run) && *ret_known)
        ok = fence_take_run(session, call, run, false, error);
    if (ok && is_held(fences, run)) {
        auto_hold(&fences->lock);
        const struct fence_part *part = fence_run_find(run, number);
        *ret_known = part && part->known;
    }
    return ok;
}

bool fence_join(struct session *session, const struct call *call, const struct lane *lane, struct fence_run **ret,
                GError **error)
{
    struct fence_run *run = run_of(session, lane->fence.run);
    bool known;
    if (!join_known(session, call, run, lane->fence.part, &known, error))
        return false;
    *ret = known ? run : NULL;
    return true;
}

/* --- reading and dropping ----------------------------------------------------------------------------------------- */

static bool read_held(struct session *session, const struct call *call, struct fence_run *run,
                      const struct fence_id *id, struct fence *ret, GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    struct fence_part *part = part_begin(fences, run, id->part);
    bool open;
    {
        auto_hold(&fences->lock);
        open = part->stale || part->record_unknown;
        for (size_t i = 0; i < run->unknown->len && !open; i++)
            open = g_array_index(run->unknown, struct fence_unknown, i).part == part->part;
    }
    bool ok =
        (!open || part_settle(session, call, run, part, error)) && part_view(fences, part, true, call->mem, ret, error);
    part_end(fences, part);
    return ok;
}

bool valkey_fence_read(struct session *session, const struct call *call, const struct fence_id *id, struct fence *ret,
                       GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    struct fence_run *run = run_of(session, id->run);
    if (is_held(fences, run))
        return read_held(session, call, run, id, ret, error);
    struct fence_part seen = {.part = id->part, .state = fence_state_new()};
    bool ok = look_part(session, call, run, &seen, error) && fence_part_view(&seen, false, call->mem, ret, error);
    look_done(&seen);
    return ok;
}

static bool dropped(void *self, size_t i, const struct reply *reply, GError **error)
{
    return reply->type != REPLY_ERROR || valkey_refused(reply, "removing a fence", error);
}

bool valkey_fence_drop(struct session *session, const struct call *call, const uint8_t uid[16], GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    struct fences *fences = store->fences;
    struct fence_run *run = run_of(session, uid);
    g_autofree struct command *commands = g_new0(struct command, fences->places);
    g_autofree struct slice *args = g_new(struct slice, fences->places * 2);
    g_autoptr(GStringChunk) texts = g_string_chunk_new(4096);
    g_autoptr(GString) key = g_string_new(NULL);
    for (size_t i = 0; i < fences->places; i++) {
        fence_key(fences, run, (uint32_t)i, key);
        args[2 * i] = slice_of_text("UNLINK");
        args[2 * i + 1] = slice_of(g_string_chunk_insert(texts, key->str), key->len);
        commands[i] = (struct command){
            .args = args + 2 * i, .n_args = 2, .slot = store->cluster ? (int32_t)i : 0, .repeatable = true};
    }
    {
        auto_hold(&fences->lock);
        fences_drop(fences, run);
    }
    struct route_wish wish = {.commands = commands, .n = fences->places, .answer = dropped};
    return router_run(valkey_session_of(session)->router, call, &wish, error);
}
