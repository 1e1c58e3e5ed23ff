#include "store/valkey/fence.h"

#include "base/hex.h"
#include "base/int.h"

/* Callers who never settle do not let marks grow for ever. */
#define UNSETTLED_MOST (UINT64_C(1) << 18)

enum { PRUNED_MOST = 8 };

/* --- life --------------------------------------------------------------------------------------------------------- */

static void part_free(void *at)
{
    struct fence_part *part = at;
    fence_state_free(part->state);
    g_clear_pointer(&part->kept, g_byte_array_unref);
    g_ptr_array_unref(part->flights);
    g_free(part);
}

static void run_free(struct fences *fences, struct fence_run *run)
{
    for (size_t i = 0; i < fences->places; i++)
        if (run->places[i].fields)
            g_array_unref(run->places[i].fields);
    g_free(run->places);
    g_hash_table_unref(run->parts);
    g_array_unref(run->unknown);
    fence_intake_free(run->looked);
    g_free(run);
}

struct fences *fences_new(const struct world *world, size_t places)
{
    uint8_t holder[8];
    struct fences *fences = g_new0(struct fences, 1);
    fences->world = world;
    fences->places = places;
    world_random(world, holder, sizeof holder);
    hex_text(holder, sizeof holder, fences->holder);
    pthread_mutex_init(&fences->lock, NULL);
    pthread_cond_init(&fences->changed, NULL);
    fences->runs = g_hash_table_new(g_str_hash, g_str_equal);
    fences->dropped = g_ptr_array_new();
    return fences;
}

void fences_free(struct fences *fences)
{
    if (!fences)
        return;
    GHashTableIter at;
    void *run;
    g_hash_table_iter_init(&at, fences->runs);
    while (g_hash_table_iter_next(&at, NULL, &run))
        run_free(fences, run);
    for (size_t i = 0; i < fences->dropped->len; i++)
        run_free(fences, fences->dropped->pdata[i]);
    g_hash_table_unref(fences->runs);
    g_ptr_array_unref(fences->dropped);
    pthread_cond_destroy(&fences->changed);
    pthread_mutex_destroy(&fences->lock);
    g_free(fences);
}

struct fence_run *fences_run(struct fences *fences, const uint8_t uid[16])
{
    char hex[33];
    hex_text(uid, 16, hex);
    struct fence_run *run = g_hash_table_lookup(fences->runs, hex);
    if (run)
        return run;
    run = g_new0(struct fence_run, 1);
    memcpy(run->uid, uid, sizeof run->uid);
    memcpy(run->hex, hex, sizeof hex);
    run->places = g_new0(struct fence_place, fences->places);
    run->parts = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, part_free);
    run->unknown = g_array_new(false, false, sizeof(struct fence_unknown));
    g_hash_table_insert(fences->runs, run->hex, run);
    return run;
}

void fences_drop(struct fences *fences, struct fence_run *run)
{
    run->held = false;
    g_hash_table_remove(fences->runs, run->hex);
    g_ptr_array_add(fences->dropped, run);
}

void fences_suspect(struct fences *fences)
{
    GHashTableIter runs, parts;
    void *run, *part;
    g_hash_table_iter_init(&runs, fences->runs);
    while (g_hash_table_iter_next(&runs, NULL, &run)) {
        g_hash_table_iter_init(&parts, ((struct fence_run *)run)->parts);
        while (g_hash_table_iter_next(&parts, NULL, &part))
            ((struct fence_part *)part)->stale = true;
    }
}

struct fence_part *fence_run_find(const struct fence_run *run, uint32_t part)
{
    return g_hash_table_lookup(run->parts, GUINT_TO_POINTER(part));
}

struct fence_part *fence_run_part(struct fence_run *run, uint32_t number)
{
    struct fence_part *part = fence_run_find(run, number);
    if (part)
        return part;
    part = g_new0(struct fence_part, 1);
    part->part = number;
    part->state = fence_state_new();
    part->flights = g_ptr_array_new();
    g_hash_table_insert(run->parts, GUINT_TO_POINTER(number), part);
    return part;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

uint32_t fence_home(const struct fences *fences, uint32_t part)
{
    return part % (uint32_t)fences->places;
}

void fence_part_choose(struct fence_part *part, uint32_t home)
{
    if (!part->homed)
        part->home = home;
    part->homed = true;
}

uint32_t fence_part_home(const struct fences *fences, struct fence_part *part)
{
    fence_part_choose(part, fence_home(fences, part->part));
    return part->home;
}

void fence_record_field(const struct fences *fences, uint32_t part, uint32_t home, char into[FENCE_FIELD_BYTES])
{
    g_snprintf(into, FENCE_FIELD_BYTES, "%c%u", home == fence_home(fences, part) ? 'l' : 'r', part);
}

bool fence_is_record(struct slice field)
{
    return field.len > 0 && (field.data[0] == 'l' || field.data[0] == 'r');
}

void fence_key(const struct fences *fences, const struct fence_run *run, uint32_t place, GString *into)
{
    if (fences->places == 1)
        g_string_printf(into, "sluice:fence:%s", run->hex);
    else
        g_string_printf(into, "sluice:fence:{%s}:%s", slot_tag((uint16_t)place), run->hex);
}

void fence_epoch_put(const struct fences *fences, uint64_t epoch, char into[FENCE_EPOCH_BYTES])
{
    g_snprintf(into, FENCE_EPOCH_BYTES, "%" G_GUINT64_FORMAT "-%s", epoch, fences->holder);
}

uint64_t fence_epoch_read(const struct fences *fences, struct slice text, bool *ret_ours)
{
    const uint8_t *dash = text.len ? memchr(text.data, '-', text.len) : NULL;
    uint64_t epoch = 0;
    if (!dash || !int_parse_u64(slice_of(text.data, (size_t)(dash - text.data)), &epoch)) {
        *ret_ours = false;
        return 0;
    }
    struct slice holder = slice_of(dash + 1, text.len - (size_t)(dash + 1 - text.data));
    *ret_ours = slice_equal(holder, slice_of_text(fences->holder));
    return epoch;
}

uint64_t fence_tick_of(uint64_t epoch)
{
    return epoch / FENCE_EPOCH_STEP << FENCE_TICK_SHIFT;
}

void fence_tick_put(uint64_t tick, char into[FENCE_TICK_BYTES])
{
    g_snprintf(into, FENCE_TICK_BYTES, "%016" G_GINT64_MODIFIER "x", tick);
}

bool fence_tick_read(struct slice text, uint64_t *ret)
{
    uint8_t bytes[8];
    uint64_t tick = 0;
    char same[FENCE_TICK_BYTES];
    if (text.len != 2 * sizeof bytes || !hex_parse(text, bytes, sizeof bytes))
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        tick = tick << 8 | bytes[i];
    fence_tick_put(tick, same);
    if (!slice_equal(slice_of_text(same), text)) /* small letters: nobody else writes one */
        return false;
    *ret = tick;
    return true;
}

bool fence_is_witness(struct slice field, uint32_t *ret_part)
{
    uint64_t number;
    return field.len > 1 && field.data[0] == 'w' && int_parse_u64(slice_of(field.data + 1, field.len - 1), &number) &&
           int_to_u32(number, ret_part);
}

/* --- marks -------------------------------------------------------------------------------------------------------- */

/* Only the highest lane can be open. NULL: none is. */
struct lane_state *fence_part_open(const struct fence_part *part)
{
    struct lane_state *lane = fence_state_lane(part->state, fence_state_highest(part->state));
    return lane && lane->open ? lane : NULL;
}

void fence_part_rebase(struct fence_part *part)
{
    struct lane_state *lane = fence_part_open(part);
    uint64_t base = MIN(part->asked, part->settled);
    if (part->asked > base + UNSETTLED_MOST)
        base = part->asked;
    if (lane)
        lane_state_rebase(lane, base);
}

void fence_mark(struct fence_part *part, uint32_t lane, uint64_t number)
{
    struct lane_state *state = fence_state_lane(part->state, lane);
    part->events++;
    if (!state)
        return;
    if (!lane_state_applied(state, number))
        lane_state_mark(state, number);
    if (state->open)
        part->highest = MAX(part->highest, number);
}

static struct fence_field *field_of(const struct fence_place *place, uint32_t part)
{
    for (size_t i = 0; place->fields && i < place->fields->len; i++) {
        struct fence_field *field = &g_array_index(place->fields, struct fence_field, i);
        if (field->part == part)
            return field;
    }
    return NULL;
}

static struct fence_field *field_made(struct fence_place *place, uint32_t part)
{
    struct fence_field *field = field_of(place, part);
    if (field)
        return field;
    if (!place->fields)
        place->fields = g_array_new(false, false, sizeof(struct fence_field));
    struct fence_field made = {.part = part};
    g_array_append_val(place->fields, made);
    return &g_array_index(place->fields, struct fence_field, place->fields->len - 1);
}

void fence_note(struct fence_run *run, const struct fence_part *part, uint32_t place, const struct fence_field *seen)
{
    struct fence_field *field = field_made(&run->places[place], part->part);
    if (seen->lane < field->lane)
        return;
    if (seen->count)
        field->count = seen->count;
    else
        field->count = seen->lane == field->lane ? field->count + 1 : 1;
    field->lane = seen->lane;
    field->event = part->events;
    field->tick = ++run->tick;
}

void fence_prunable(const struct fence_run *run, uint32_t place, uint32_t but, GArray *into)
{
    const GArray *fields = run->places[place].fields;
    size_t most = into->len + PRUNED_MOST;
    for (size_t i = 0; fields && i < fields->len && into->len < most; i++) {
        const struct fence_field *field = &g_array_index(fields, struct fence_field, i);
        const struct fence_part *part = fence_run_find(run, field->part);
        if (field->part != but && part && field->event <= part->durable)
            g_array_append_val(into, *field);
    }
}

void fence_pruned(struct fence_run *run, uint32_t place, const struct fence_field *field)
{
    GArray *fields = run->places[place].fields;
    for (size_t i = 0; fields && i < fields->len; i++) {
        const struct fence_field *now = &g_array_index(fields, struct fence_field, i);
        if (now->part != field->part || now->lane != field->lane || now->count != field->count)
            continue;
        g_array_remove_index_fast(fields, (unsigned)i);
        return;
    }
}

/* --- what callers see --------------------------------------------------------------------------------------------- */

static struct fence_state *copied(const struct fence_state *state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct fence_state *copy = NULL;
    fence_state_encode(state, bytes);
    bool decoded = fence_state_decode(&copy, slice_of(bytes->data, bytes->len), NULL);
    g_assert(decoded);
    return copy;
}

bool fence_part_view(const struct fence_part *part, bool asked, struct arena *mem, struct fence *ret, GError **error)
{
    if (!part || !part->known)
        return fence_state_view(NULL, mem, ret, error);
    auto_(fence_state) state = copied(part->state);
    struct lane_state *open = fence_state_lane(state, fence_state_highest(state));
    if (asked && open && open->open)
        lane_state_rebase(open, part->asked);
    struct fence view;
    if (!fence_state_view(state, mem, &view, error))
        return false;
    for (size_t i = 0; i < view.n; i++)
        view.lanes[i].partial = view.lanes[i].lane <= part->partial;
    *ret = view;
    return true;
}

void fence_record_put(const struct fence_part *part, const struct fence_state *state, GByteArray *into)
{
    put_u64(into, part->born);
    fence_state_encode(state, into);
}

void fence_part_keep(struct fence_part *part)
{
    g_clear_pointer(&part->kept, g_byte_array_unref);
    part->kept = g_byte_array_new();
    part->kept_event = part->events;
    fence_record_put(part, part->state, part->kept);
}

struct fence_state *fence_part_opened(const struct fence_part *part, const struct lane *lane, GError **error)
{
    auto_(fence_state) state = copied(part->state);
    if (!fence_state_open(state, lane, error))
        return NULL;
    return g_steal_pointer(&state);
}

void fence_part_take(struct fence_part *part, struct fence_state *state)
{
    struct lane_state *open = fence_state_lane(state, fence_state_highest(state));
    fence_state_free(part->state);
    g_clear_pointer(&part->kept, g_byte_array_unref);
    part->state = state;
    part->known = true;
    part->asked = part->settled = part->highest = open && open->open ? open->base : 0;
}
