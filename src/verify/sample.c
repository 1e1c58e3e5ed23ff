/* The verifier's own sample of a dataset that is its own source: read before the first write, held against the undo log
 * afterwards. A file of one block, so that a resumed run still has it. */
#include "base/blockfile.h"
#include "base/int.h"
#include "verify/verify_parts.h"

static const struct blockfile_kind SAMPLE_KIND = {.magic = "SLSAMP1\n", .version = 1, .block_magic = 0x504d4153};

struct verify_sample {
    GHashTable *digests; /* GBytes (key) → struct digest * */
};

static bool sample_keys(const struct verify_input *input, struct session *session, size_t n, GByteArray *into,
                        GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    auto_(listing_reader) reader = NULL;
    if (!listing_reader_open(&reader, input->world, input->listing_path, NULL, error))
        return false;
    const struct listing_totals *totals = listing_reader_totals(reader);
    uint64_t step = MAX(totals->keys / n, (uint64_t)1);
    for (uint64_t i = 0; i < totals->keys; i += step) {
        struct slice *keys, document;
        size_t got;
        struct digest digest;
        struct call call = {.ds = &input->target_ds, .mem = mem, .cancel = input->cancel};
        arena_reset(mem);
        if (!listing_reader_seek(reader, (uint32_t)(i / totals->size), i % totals->size, error) ||
            !listing_reader_next(reader, 1, mem, &keys, &got, error))
            return false;
        struct record record = {.key = got ? keys[0] : SLICE_EMPTY};
        if (got == 0 || !store_read(session, &call, &record, 1, error))
            return got == 0;
        if (record.presence != RECORD_PRESENT ||
            !store_decode(store_driver(input->target), &input->target_ds, record.raw, mem, &document, NULL) ||
            !digest_canonical(document, 0, &digest, NULL))
            continue;
        put_prefixed(into, record.key);
        put_u64(into, digest.low);
        put_u64(into, digest.high);
    }
    return true;
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
    struct block_draft draft = {.type = 1, .payload = slice_of(bytes->data, bytes->len), .pack = true};
    return file_make_dirs(input->world, folder, error) && file_unlink(input->world, aside, error) &&
           blockfile_create(&file, input->world, aside, &SAMPLE_KIND, SLICE_EMPTY, error) &&
           blockfile_append(file, &draft, NULL, error) && blockfile_sync_durable(file, error) &&
           file_rename_durable(input->world, aside, path, error);
}

static void take_sampled(struct verify_sample *sample, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    while (reader.ok && reader_left(&reader) > 0) {
        struct slice key = reader_prefixed(&reader);
        struct digest *digest = g_new0(struct digest, 1);
        digest->low = reader_u64(&reader);
        digest->high = reader_u64(&reader);
        if (reader.ok)
            g_hash_table_insert(sample->digests, g_bytes_new(key.data, key.len), digest);
        else
            g_free(digest);
    }
}

bool verify_sample_open(struct verify_sample **ret, const struct world *world, const char *path, GError **error)
{
    auto_(blockfile) file = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct block block;
    if (!blockfile_open(&file, world, path, &SAMPLE_KIND, false, error))
        return false;
    enum block_result result = blockfile_read(file, blockfile_begin(file), false, mem, &block, error);
    if (result == BLOCK_FAILED)
        return false;
    if (result != BLOCK_OK)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: the sample is damaged", path);
    struct verify_sample *sample = g_new0(struct verify_sample, 1);
    sample->digests = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, g_free);
    take_sampled(sample, block.payload);
    *ret = sample;
    return true;
}

void verify_sample_free(struct verify_sample *sample)
{
    if (!sample)
        return;
    g_hash_table_unref(sample->digests);
    g_free(sample);
}

/* Whether the pre-image that the undo log holds is what the verifier saw; *ret_sampled: whether it saw that key. */
bool sample_holds(const struct verify_sample *sample, struct slice key, struct slice document, bool *ret_sampled)
{
    struct digest now;
    *ret_sampled = false;
    if (!sample)
        return false;
    g_autoptr(GBytes) bytes = g_bytes_new_static(key.data, key.len);
    const struct digest *seen = g_hash_table_lookup(sample->digests, bytes);
    *ret_sampled = seen != NULL;
    return seen && digest_canonical(document, 0, &now, NULL) && digest_equal(*seen, now);
}
