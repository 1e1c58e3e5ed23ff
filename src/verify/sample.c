/* The verifier's own sample of a dataset that is its own source: read before the first write, held against the undo log
 * afterwards. A file, so that a resumed run still has it: one block, and behind it those of glance.c. */
#include "base/blockfile.h"
#include "base/int.h"
#include "base/spread.h"
#include "verify/verify_parts.h"

const struct blockfile_kind sample_kind = {
    .magic = "SLSAMP1\n", .version = 1, .block_magic = 0x504d4153, .sealed_as = "reports"};

struct verify_sample {
    GHashTable *digests;  /* GBytes (key) → struct digest *, before the stage */
    GHashTable *glimpsed; /* GBytes (key) → GArray of struct glimpsed_key, without it: before a write each */
};

#define NEAR_KEYS    4096u /* what lies nearer is read on to: a seek reads a block of so many from its beginning */
#define READ_AT_ONCE 500u

struct sampling {
    struct listing_reader *listing;
    struct arena *mem, *scratch; /* of the keys that are taken; of those on the way */
    GArray *records;             /* of struct record */
    uint64_t step, next;         /* every step-th key; how many keys from here the next one is */
};

/* The key at `index`; the listing stands there already, or is to be sought. */
static bool take_key(struct sampling *sampling, const struct listing_stretch *of, uint64_t index, GError **error)
{
    struct slice *keys;
    size_t n;
    struct record record = {0};
    bool near = sampling->step <= NEAR_KEYS;
    arena_reset(sampling->scratch);
    if ((!near && !listing_reader_seek_in(sampling->listing, of, index, error)) ||
        !listing_reader_next(sampling->listing, near ? (size_t)sampling->step : 1, sampling->scratch, &keys, &n, error))
        return false;
    if (n == 0)
        return true;
    if (!arena_copy(sampling->mem, keys[0], &record.key))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the keys of the sample do not fit into their memory");
    g_array_append_val(sampling->records, record);
    return true;
}

/* One ordered pass along the listing's stretch. */
static bool take_part(struct sampling *sampling, const struct listing_stretch *of, GError **error)
{
    uint64_t index = sampling->next;
    if (index < of->keys && !listing_reader_seek_in(sampling->listing, of, index, error))
        return false;
    for (; index < of->keys; index += sampling->step)
        if (!take_key(sampling, of, index, error))
            return false;
    sampling->next = index - of->keys;
    return true;
}

static bool take_keys(const struct verify_input *input, struct sampling *sampling, size_t n, GError **error)
{
    uint64_t keys = 0;
    for (size_t i = 0; i < input->n_parts; i++)
        keys += input->parts[i].keys.keys;
    sampling->step = MAX(keys / MAX(n, 1), (uint64_t)1);
    for (size_t i = 0; i < input->n_parts; i++)
        if (!take_part(sampling, &input->parts[i].keys, error))
            return false;
    return true;
}

void sample_item_put(struct store *target, const struct dataset *ds, const struct record *record, struct arena *mem,
                     GByteArray *into)
{
    struct slice document;
    struct digest digest;
    if (record->presence != RECORD_PRESENT ||
        !store_decode(store_driver(target), ds, record->raw, mem, &document, NULL) ||
        !digest_canonical(document, 0, &digest, NULL))
        return;
    put_prefixed(into, record->key);
    put_u64(into, digest.low);
    put_u64(into, digest.high);
}

struct putting {
    const struct verify_input *input;
    struct arena *mem;
    GByteArray *into;
};

static bool put_all(void *self, struct record *records, size_t n, GError **error)
{
    const struct putting *putting = self;
    for (size_t i = 0; i < n; i++)
        sample_item_put(putting->input->target, &putting->input->target_ds, &records[i], putting->mem, putting->into);
    return true;
}

static bool read_sampled(const struct verify_input *input, struct session *session, struct sampling *sampling,
                         GByteArray *into, GError **error)
{
    struct record *records = (struct record *)(void *)sampling->records->data;
    size_t n = sampling->records->len;
    struct call call = {.ds = &input->target_ds, .mem = sampling->scratch, .cancel = input->cancel};
    struct portions portions = {.most = READ_AT_ONCE};
    struct putting putting = {input, sampling->scratch, into};
    const struct read_portions by = {.portions = &portions, .take = put_all, .self = &putting};
    arena_reset(sampling->scratch);
    return store_read_portions(session, &call, records, n, &by, error);
}

/* Far from each other, so that each call asks all servers. */
static GArray *spread(const GArray *records)
{
    GArray *ret = g_array_sized_new(FALSE, FALSE, sizeof(struct record), records->len);
    for (size_t i = 0; i < records->len; i++)
        g_array_append_val(ret, g_array_index(records, struct record, spread_at(i, records->len)));
    return ret;
}

static bool sample_keys(const struct verify_input *input, struct session *session, size_t n, GByteArray *into,
                        GError **error)
{
    auto_(listing_reader) reader = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    auto_(arena) scratch = arena_new(256 << 20);
    g_autoptr(GArray) records = g_array_new(FALSE, TRUE, sizeof(struct record));
    if (!listing_reader_open(&reader, input->world, input->listing_path, NULL, error))
        return false;
    struct sampling sampling = {.listing = reader, .mem = mem, .scratch = scratch, .records = records};
    if (!take_keys(input, &sampling, n, error))
        return false;
    g_autoptr(GArray) taken = g_steal_pointer(&records);
    records = sampling.records = spread(taken);
    return read_sampled(input, session, &sampling, into, error);
}

bool verify_sample_take(const struct verify_input *input, size_t n, const char *path, GError **error)
{
    auto_(session) session = NULL;
    auto_(blockfile) file = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *aside = g_strconcat(path, ".tmp", NULL);
    if (!store_session_open(&session, input->target, error) || !sample_keys(input, session, n, bytes, error))
        return false;
    struct block_draft draft = {.type = SAMPLE_BLOCK, .payload = slice_of(bytes->data, bytes->len), .pack = true};
    return file_make_dirs(input->world, folder, error) && file_unlink(input->world, aside, error) &&
           blockfile_create(&file, input->world, aside, &sample_kind, slice_of(input->run_uid, 16), error) &&
           blockfile_append(file, &draft, NULL, error) && blockfile_sync_durable(file, error) &&
           file_rename_durable(input->world, aside, path, error);
}

bool sample_item_get(struct reader *reader, struct sampled_key *ret)
{
    ret->key = reader_prefixed(reader);
    ret->digest.low = reader_u64(reader);
    ret->digest.high = reader_u64(reader);
    return reader->ok;
}

static bool take_sampled(struct verify_sample *sample, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    struct sampled_key item;
    while (reader_left(&reader) > 0) {
        if (!sample_item_get(&reader, &item))
            return false;
        g_hash_table_insert(sample->digests, g_bytes_new(item.key.data, item.key.len),
                            g_memdup2(&item.digest, sizeof item.digest));
    }
    return true;
}

static GArray *glimpses_of(const struct verify_sample *sample, struct slice key)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(key.data, key.len);
    return g_hash_table_lookup(sample->glimpsed, bytes);
}

bool sample_glimpsed_get(struct reader *reader, struct glimpsed_key *ret)
{
    ret->place.lane = reader_u32(reader);
    ret->place.number = reader_u64(reader);
    return sample_item_get(reader, &ret->seen);
}

static void take_glimpsed(struct verify_sample *sample, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    struct glimpsed_key item;
    while (reader_left(&reader) > 0 && sample_glimpsed_get(&reader, &item)) {
        struct slice key = item.seen.key;
        GArray *glimpses = glimpses_of(sample, key);
        if (!glimpses) {
            glimpses = g_array_new(FALSE, FALSE, sizeof(struct glimpsed_key));
            g_hash_table_insert(sample->glimpsed, g_bytes_new(key.data, key.len), glimpses);
        }
        item.seen.key = SLICE_EMPTY;
        g_array_append_val(glimpses, item);
    }
}

/* Up to the first that does not verify: they were not durable before the writes. What is lost of them is told as what
 * cannot be compared. */
static bool take_glances(struct verify_sample *sample, struct blockfile *file, uint64_t from, struct arena *mem,
                         GError **error)
{
    struct block block = {.end = from};
    enum block_result result;
    while (arena_reset(mem), (result = blockfile_read(file, block.end, false, mem, &block, error)) == BLOCK_OK)
        take_glimpsed(sample, block.payload);
    return result != BLOCK_FAILED;
}

struct verify_sample *verify_sample_new(void)
{
    struct verify_sample *sample = g_new0(struct verify_sample, 1);
    sample->digests = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, g_free);
    sample->glimpsed = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                                             (GDestroyNotify)g_array_unref);
    return sample;
}

#define BY_ITSELF                                                                                                      \
    "what the undo log says stood there before the run cannot be held against what was read apart from it; put it "    \
    "back from a copy of the home"

bool verify_sample_add(struct verify_sample *sample, const struct world *world, const char *path, GError **error)
{
    auto_(blockfile) file = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct block block;
    GError *failed = NULL;
    if (!blockfile_open(&file, world, path, &sample_kind, false, &failed))
        return error_forgive(failed, SLUICE_ERROR_NOT_FOUND, error) &&
               error_set(error, SLUICE_ERROR_CORRUPT, "%s: the sample is gone: " BY_ITSELF, path);
    enum block_result result = blockfile_read(file, blockfile_begin(file), false, mem, &block, error);
    if (result == BLOCK_FAILED)
        return false;
    if (result == BLOCK_OK && take_sampled(sample, block.payload))
        return take_glances(sample, file, block.end, mem, error);
    return error_set(error, SLUICE_ERROR_CORRUPT, "%s: the sample is damaged: " BY_ITSELF, path);
}

void verify_sample_free(struct verify_sample *sample)
{
    if (!sample)
        return;
    g_hash_table_unref(sample->digests);
    g_hash_table_unref(sample->glimpsed);
    g_free(sample);
}

static const struct digest *sampled_as(const struct verify_sample *sample, struct slice key)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(key.data, key.len);
    return g_hash_table_lookup(sample->digests, bytes);
}

bool verify_sample_has(const struct verify_sample *sample, struct slice key)
{
    return sampled_as(sample, key) != NULL;
}

/* What was seen right before that write; NULL: nobody looked. */
static const struct digest *glimpsed_as(const struct verify_sample *sample, struct slice key,
                                        const struct undo_nth *place)
{
    const GArray *glimpses = glimpses_of(sample, key);
    for (guint i = 0; glimpses && i < glimpses->len; i++) {
        const struct glimpsed_key *glimpse = &g_array_index(glimpses, struct glimpsed_key, i);
        if (glimpse->place.lane == place->lane && glimpse->place.number == place->number)
            return &glimpse->seen.digest;
    }
    return NULL;
}

enum pre_image sample_says(const struct verify_sample *sample, const struct pre_image_logged *logged)
{
    struct digest now = {0};
    const struct digest *sampled = sampled_as(sample, logged->key);
    const struct digest *glimpsed = glimpsed_as(sample, logged->key, &logged->place);
    if (!sampled)
        return PRE_IMAGE_NOT_SAMPLED;
    bool known = digest_canonical(logged->document, 0, &now, NULL);
    if (glimpsed && !(known && digest_equal(*glimpsed, now)))
        return PRE_IMAGE_REFUTED;
    if (known && digest_equal(*sampled, now))
        return PRE_IMAGE_STOOD;
    return glimpsed ? PRE_IMAGE_CHANGED : PRE_IMAGE_UNSEEN;
}
