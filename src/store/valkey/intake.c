/* What places say, put together: the record of a partition from its home place, its marks from all of them. */
#include "base/int.h"
#include "store/valkey/fence.h"

struct placed_marks {
    uint32_t place;
    uint32_t lane, count, base;
    size_t at, len; /* of the pairs, in `bytes` */
};

struct placed_record {
    uint32_t place;
    uint64_t born;
    size_t at, len; /* of what is behind it, in `bytes` */
};

struct intake_part {
    uint32_t part;
    GArray *records; /* of struct placed_record: one, or more where a server came back with what it once had */
    GArray *marks;   /* of struct placed_marks */
};

struct fence_intake {
    GByteArray *bytes;
    GHashTable *parts; /* part → struct intake_part */
    uint64_t youngest; /* the newest epoch under which a place's fence came to be */
};

static void intake_part_free(void *at)
{
    struct intake_part *part = at;
    g_array_unref(part->records);
    g_array_unref(part->marks);
    g_free(part);
}

struct fence_intake *fence_intake_new(void)
{
    struct fence_intake *intake = g_new0(struct fence_intake, 1);
    intake->bytes = g_byte_array_new();
    intake->parts = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, intake_part_free);
    return intake;
}

void fence_intake_free(struct fence_intake *intake)
{
    if (!intake)
        return;
    g_byte_array_unref(intake->bytes);
    g_hash_table_unref(intake->parts);
    g_free(intake);
}

static struct intake_part *part_of(const struct fence_intake *intake, uint32_t number)
{
    return g_hash_table_lookup(intake->parts, GUINT_TO_POINTER(number));
}

static struct intake_part *part_made(struct fence_intake *intake, uint32_t number)
{
    struct intake_part *part = part_of(intake, number);
    if (part)
        return part;
    part = g_new0(struct intake_part, 1);
    part->part = number;
    part->records = g_array_new(false, false, sizeof(struct placed_record));
    part->marks = g_array_new(false, false, sizeof(struct placed_marks));
    g_hash_table_insert(intake->parts, GUINT_TO_POINTER(number), part);
    return part;
}

static size_t kept(struct fence_intake *intake, struct slice bytes)
{
    size_t at = intake->bytes->len;
    put_bytes(intake->bytes, bytes);
    return at;
}

static bool add_record(struct fence_intake *intake, uint32_t place, uint32_t number, struct slice value, GError **error)
{
    struct reader from = reader_of(value);
    struct placed_record record = {.place = place, .born = reader_u64(&from), .len = reader_left(&from)};
    record.at = kept(intake, slice_of(from.at, record.len));
    g_array_append_val(part_made(intake, number)->records, record);
    return from.ok || error_set(error, SLUICE_ERROR_CORRUPT, "the record of partition %u is too short", number);
}

static bool add_marks(struct fence_intake *intake, uint32_t place, uint32_t number, struct slice value, GError **error)
{
    struct marks marks;
    if (!marks_read(value, &marks, error))
        return error_add(error, "partition %u", number);
    struct placed_marks placed = {.place = place, .lane = marks.lane, .count = marks.count, .base = marks.base};
    placed.len = marks.pairs.len;
    placed.at = kept(intake, marks.pairs);
    g_array_append_val(part_made(intake, number)->marks, placed);
    return true;
}

/* The epoch under which a place's fence came to be: all numbers of a takeover count as one. */
static void add_birth(struct fence_intake *intake, struct slice value)
{
    uint64_t birth = 0;
    const uint8_t *dash = value.len ? memchr(value.data, '-', value.len) : NULL;
    if (dash && int_parse_u64(slice_of(value.data, (size_t)(dash - value.data)), &birth))
        intake->youngest = MAX(intake->youngest, birth / FENCE_EPOCH_STEP * FENCE_EPOCH_STEP);
}

static bool add_field(struct fence_intake *intake, uint32_t place, struct slice name, struct slice value,
                      GError **error)
{
    uint64_t number;
    uint32_t part;
    bool record = fence_is_record(name);
    if (slice_equal(name, slice_of_text("e")) || slice_equal(name, slice_of_text("x")) || fence_is_witness(name, &part))
        return true;
    if (slice_equal(name, slice_of_text("b"))) {
        add_birth(intake, value);
        return true;
    }
    struct slice digits = record ? slice_of(name.data + 1, name.len - 1) : name;
    if (!int_parse_u64(digits, &number) || !int_to_u32(number, &part))
        return error_set(error, SLUICE_ERROR_CORRUPT, "a field of the fence is none of sluice's");
    return record ? add_record(intake, place, part, value, error) : add_marks(intake, place, part, value, error);
}

bool fence_intake_add(struct fence_intake *intake, uint32_t place, const struct reply *fields, GError **error)
{
    if ((fields->type != REPLY_ARRAY && fields->type != REPLY_MAP) || fields->n % 2)
        return error_set(error, SLUICE_ERROR_STORE, "the server answers HGETALL with something else");
    for (size_t i = 0; i < fields->n; i += 2)
        if (!add_field(intake, place, fields->items[i].bytes, fields->items[i + 1].bytes, error))
            return false;
    return true;
}

void fence_intake_parts(const struct fence_intake *intake, GArray *into)
{
    GHashTableIter at;
    void *key;
    g_hash_table_iter_init(&at, intake->parts);
    while (g_hash_table_iter_next(&at, &key, NULL)) {
        uint32_t part = GPOINTER_TO_UINT(key);
        g_array_append_val(into, part);
    }
}

/* --- into partitions ---------------------------------------------------------------------------------------------- */

static int by_lane(const void *a, const void *b)
{
    const struct placed_marks *x = a, *y = b;
    return (x->lane > y->lane) - (x->lane < y->lane);
}

static bool mark_pairs(const struct fence_intake *intake, const struct placed_marks *placed, struct fence_part *part,
                       GError **error)
{
    struct lane_state *lane = fence_state_lane(part->state, placed->lane);
    struct marks marks = {.pairs = slice_of(intake->bytes->data + placed->at, placed->len)};
    for (size_t i = 0; i < marks_pairs(&marks); i++) {
        uint32_t first, last;
        marks_pair(&marks, i, &first, &last);
        if (last > lane->base && !lane_state_takes(lane, last, error))
            return false;
        for (uint64_t number = first; number <= last; number++)
            if (!lane_state_applied(lane, number))
                lane_state_mark(lane, number);
        if (lane->open)
            part->highest = MAX(part->highest, last);
    }
    return true;
}

/* A lane that only marks tell of: its record was lost with its home. It is not open, or its holder lives. */
static struct lane_state *lane_of(struct fence_part *part, const struct placed_marks *placed)
{
    struct lane lane = {.fence.part = part->part, .lane = placed->lane, .base = placed->base};
    if (placed->lane > fence_state_highest(part->state) && fence_state_open(part->state, &lane, NULL))
        fence_state_close(part->state);
    return fence_state_lane(part->state, placed->lane);
}

static bool add_placed(const struct fence_intake *intake, const struct intake_part *seen, struct fence_part *part,
                       GError **error)
{
    for (size_t i = 0; i < seen->marks->len; i++) {
        const struct placed_marks *placed = &g_array_index(seen->marks, struct placed_marks, i);
        struct lane_state *lane = lane_of(part, placed);
        if (lane)
            lane_state_rebase(lane, placed->base);
    }
    for (size_t i = 0; i < seen->marks->len; i++) {
        const struct placed_marks *placed = &g_array_index(seen->marks, struct placed_marks, i);
        if (fence_state_lane(part->state, placed->lane) && !mark_pairs(intake, placed, part, error))
            return error_add(error, "partition %u", part->part);
    }
    return true;
}

/* What was written last: no lane is opened twice, and of one lane all records go to one place. *ret_state NULL: there
 * is none. */
static bool newest_record(const struct fence_intake *intake, const struct intake_part *seen,
                          struct placed_record *ret_record, struct fence_state **ret_state, GError **error)
{
    auto_(fence_state) newest = NULL;
    struct placed_record of = {.place = 0};
    for (size_t i = 0; i < seen->records->len; i++) {
        const struct placed_record *record = &g_array_index(seen->records, struct placed_record, i);
        auto_(fence_state) state = NULL;
        if (!fence_state_decode(&state, slice_of(intake->bytes->data + record->at, record->len), error))
            return error_add(error, "partition %u", seen->part);
        uint32_t lane = fence_state_highest(state), least = newest ? fence_state_highest(newest) : 0;
        if (newest && (lane < least || (lane == least && record->place > of.place)))
            continue;
        fence_state_free(newest);
        newest = g_steal_pointer(&state);
        of = *record;
    }
    *ret_record = of;
    *ret_state = g_steal_pointer(&newest);
    return true;
}

/* A home that was chosen, but at which nothing stands, stays. */
static bool take_record(const struct fence_intake *intake, const struct intake_part *seen, struct fence_part *part,
                        GError **error)
{
    struct placed_record record = {.born = 0};
    auto_(fence_state) state = NULL;
    if (seen && !newest_record(intake, seen, &record, &state, error))
        return false;
    if (state) {
        part->homed = true;
        part->home = record.place;
    }
    part->born = record.born;
    fence_part_take(part, state ? g_steal_pointer(&state) : fence_state_new());
    return true;
}

bool fence_intake_adopt(const struct fence_intake *intake, struct fence_part *part, GError **error)
{
    struct intake_part *seen = part_of(intake, part->part);
    if (!take_record(intake, seen, part, error))
        return false;
    part->known = seen != NULL;
    part->stale = false;
    part->partial = 0;
    if (!seen)
        return true;
    g_array_sort(seen->marks, by_lane);
    if (!add_placed(intake, seen, part, error))
        return false;
    struct lane_state *open = fence_part_open(part);
    part->asked = part->settled = open ? open->base : 0;
    if (intake->youngest > part->born)
        part->partial = fence_state_highest(part->state);
    return true;
}

void fence_intake_note(const struct fence_intake *intake, struct fence_run *run, struct fence_part *part)
{
    const struct intake_part *seen = part_of(intake, part->part);
    part->events++;
    for (size_t i = 0; seen && i < seen->marks->len; i++) {
        const struct placed_marks *placed = &g_array_index(seen->marks, struct placed_marks, i);
        struct fence_field field = {.part = part->part, .lane = placed->lane, .count = placed->count};
        fence_note(run, part, placed->place, &field);
    }
}

bool fence_intake_merge(const struct fence_intake *intake, struct fence_run *run, GError **error)
{
    g_autoptr(GArray) parts = g_array_new(false, false, sizeof(uint32_t));
    fence_intake_parts(intake, parts);
    for (size_t i = 0; i < parts->len; i++) {
        struct fence_part *part = fence_run_find(run, g_array_index(parts, uint32_t, i));
        if (!part || !part->known || part->stale)
            continue;
        struct intake_part *seen = part_of(intake, part->part);
        g_array_sort(seen->marks, by_lane);
        if (!add_placed(intake, seen, part, error))
            return false;
        fence_intake_note(intake, run, part);
    }
    return true;
}
