#include "verify/glance.h"

#include "base/blockfile.h"
#include "base/int.h"
#include "base/lock.h"
#include "verify/verify_parts.h"

#define SYNC_US      (INT64_C(1) * 1000 * 1000)
#define SAMPLE_BYTES (64u << 20)
#define READ_AT_ONCE 500u

struct glances {
    const struct world *world;
    struct store *target;
    struct dataset ds; /* what is written */
    struct verify_sample *sample;
    pthread_mutex_t lock;   /* guards what follows; a leaf, but for the file's own calls */
    struct blockfile *file; /* at its end */
    int64_t synced_us;
};

struct glance {
    struct glances *of;
    struct session *session; /* opened when it is needed; NULL: not yet, or not any more */
    struct arena *mem;
    struct portions portions;
    GArray *records;   /* of struct record: those that are looked at next, … */
    GArray *places;    /* of struct undo_nth: … before these writes */
    size_t seen;       /* of them */
    GByteArray *items; /* what was seen */
};

/* Behind the last block that verifies; the first one does. */
static bool find_end(struct blockfile *file, GError **error)
{
    auto_(arena) mem = arena_new(SAMPLE_BYTES);
    struct block block;
    enum block_result result;
    uint64_t end = blockfile_begin(file);
    while (arena_reset(mem), (result = blockfile_read(file, end, false, mem, &block, error)) == BLOCK_OK)
        end = block.end;
    return result != BLOCK_FAILED && (end == blockfile_end(file) || blockfile_cut(file, end, error));
}

bool glances_open(struct glances **io, const struct verify_input *input, const char *path, GError **error)
{
    auto_(glances) glances = g_new0(struct glances, 1);
    g_clear_pointer(io, glances_free);
    pthread_mutex_init(&glances->lock, NULL);
    glances->world = input->world;
    glances->target = input->target;
    glances->ds = input->target_ds;
    glances->sample = verify_sample_new();
    glances->synced_us = world_monotonic_us(input->world) - SYNC_US; /* the first one at once */
    if (!verify_sample_add(glances->sample, input->world, path, error) ||
        !blockfile_open(&glances->file, input->world, path, &sample_kind, true, error) ||
        !find_end(glances->file, error))
        return false;
    *io = g_steal_pointer(&glances);
    return true;
}

void glances_free(struct glances *glances)
{
    if (!glances)
        return;
    blockfile_free(glances->file);
    verify_sample_free(glances->sample);
    pthread_mutex_destroy(&glances->lock);
    g_free(glances);
}

struct glance *glance_new(struct glances *glances)
{
    struct glance *glance = g_new0(struct glance, 1);
    glance->of = glances;
    glance->mem = arena_new(SAMPLE_BYTES);
    glance->portions = (struct portions){.most = READ_AT_ONCE};
    glance->records = g_array_new(FALSE, TRUE, sizeof(struct record));
    glance->places = g_array_new(FALSE, FALSE, sizeof(struct undo_nth));
    glance->items = g_byte_array_new();
    return glance;
}

void glance_free(struct glance *glance)
{
    if (!glance)
        return;
    g_clear_pointer(&glance->session, store_session_close);
    arena_free(glance->mem);
    g_array_unref(glance->records);
    g_array_unref(glance->places);
    g_byte_array_unref(glance->items);
    g_free(glance);
}

void glance_add(struct glance *glance, struct slice key, const struct undo_nth *place)
{
    struct record record = {.key = key};
    if (!verify_sample_has(glance->of->sample, key))
        return;
    g_array_append_val(glance->records, record);
    g_array_append_val(glance->places, *place);
}

static void put_one(struct glance *glance, const struct record *record, const struct undo_nth *place)
{
    guint before = glance->items->len;
    put_u32(glance->items, place->lane);
    put_u64(glance->items, place->number);
    guint placed = glance->items->len;
    sample_item_put(glance->of->target, &glance->of->ds, record, glance->mem, glance->items);
    if (glance->items->len == placed) /* no document */
        g_byte_array_set_size(glance->items, before);
}

static bool put_seen(void *self, struct record *records, size_t n, GError **error)
{
    struct glance *glance = self;
    for (size_t i = 0; i < n; i++)
        put_one(glance, &records[i], &g_array_index(glance->places, struct undo_nth, glance->seen++));
    return true;
}

static bool look(struct glance *glance, const struct call *by, GError **error)
{
    struct call call = *by;
    const struct read_portions portions = {.portions = &glance->portions, .take = put_seen, .self = glance};
    call.ds = &glance->of->ds;
    call.mem = glance->mem;
    call.no_etag = true;
    arena_reset(glance->mem);
    glance->seen = 0;
    return (glance->session || store_session_open(&glance->session, glance->of->target, error)) &&
           store_read_portions(glance->session, &call, (struct record *)(void *)glance->records->data,
                               glance->records->len, &portions, error);
}

/* Now and then durable: what a machine loses with its power is not comparable, of a second at most. */
static bool keep(struct glance *glance, GError **error)
{
    struct glances *glances = glance->of;
    struct block_draft draft = {.type = GLANCE_BLOCK, .payload = slice_of(glance->items->data, glance->items->len)};
    auto_hold(&glances->lock);
    if (!blockfile_append(glances->file, &draft, NULL, error))
        return false;
    int64_t now_us = world_monotonic_us(glances->world);
    if (now_us - glances->synced_us < SYNC_US)
        return true;
    glances->synced_us = now_us;
    return blockfile_sync_durable(glances->file, error);
}

/* What comes of a moment, or of one record, leaves those keys unseen. */
static bool forgive(GError *failed, GError **error)
{
    enum error_class class = error_class(failed);
    bool forgiven = class == ERROR_TRANSIENT || class == ERROR_RECORD;
    if (forgiven)
        g_clear_error(&failed);
    else
        g_propagate_error(error, failed);
    return forgiven;
}

static bool look_forgiving(struct glance *glance, const struct call *by, GError **error)
{
    GError *failed = NULL;
    if (look(glance, by, &failed))
        return true;
    g_clear_pointer(&glance->session, store_session_close); /* the next look opens another one */
    return forgive(failed, error);
}

bool glance_take(struct glance *glance, const struct call *by, GError **error)
{
    bool ok = (glance->records->len == 0 || look_forgiving(glance, by, error)) &&
              (glance->items->len == 0 || keep(glance, error));
    g_array_set_size(glance->records, 0);
    g_array_set_size(glance->places, 0);
    g_byte_array_set_size(glance->items, 0);
    return ok;
}
