#include "verify/past.h"

#include <sodium.h>

#include "base/blockfile.h"
#include "base/hex.h"
#include "verify/verify_parts.h"

const struct blockfile_kind past_kind = {
    .magic = "SLPROF1\n", .version = 1, .block_magic = 0x464f5250, .sealed_as = "reports"};

#define TYPE_PROFILE 1
#define FILE_MOST    (16u << 20)

void past_part_done(struct past_part *part)
{
    g_free(part->run);
    g_free(part->stage);
    g_free(part->path);
    profile_free(part->profile);
}

static void part_clear(void *data)
{
    past_part_done(data);
}

struct past *past_new(const char *of, bool named)
{
    struct past *baseline = g_new0(struct past, 1);
    *baseline =
        (struct past){.of = g_strdup(of), .named = named, .parts = g_array_new(FALSE, TRUE, sizeof(struct past_part))};
    g_array_set_clear_func(baseline->parts, part_clear);
    return baseline;
}

void past_free(struct past *baseline)
{
    if (!baseline)
        return;
    g_free(baseline->of);
    g_free(baseline->stage);
    g_free(baseline->why);
    g_array_unref(baseline->parts);
    profile_free(baseline->profile);
    g_free(baseline);
}

/* --- kept --------------------------------------------------------------------------------------------------------- */

static bool digest_file(const struct world *world, const char *path, uint8_t ret[32], GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    if (!file_read_all(world, path, FILE_MOST, &bytes, error))
        return false;
    gsize len;
    const uint8_t *data = g_bytes_get_data(bytes, &len);
    crypto_generichash(ret, 32, data, len, NULL, 0);
    return true;
}

bool past_keep_durable(const struct verify_input *input, struct profile *profile, double share, uint8_t ret_digest[32],
                       GError **error)
{
    auto_(blockfile) file = NULL;
    g_autofree char *folder = g_path_get_dirname(input->profile_path);
    g_autofree char *aside = g_strconcat(input->profile_path, ".tmp", NULL);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    put_prefixed(bytes, slice_of_text(input->run));
    put_prefixed(bytes, slice_of_text(input->stage ? input->stage : ""));
    put_i64(bytes, world_wall_ms(input->world));
    put_u64(bytes, (uint64_t)((double)profile_records(profile) / share));
    profile_put(profile, bytes);
    struct block_draft draft = {.type = TYPE_PROFILE, .pack = true, .payload = slice_of(bytes->data, bytes->len)};
    return file_make_dirs(input->world, folder, error) && file_unlink(input->world, aside, error) &&
           blockfile_create(&file, input->world, aside, &past_kind, slice_of(input->run_uid, 16), error) &&
           blockfile_append(file, &draft, NULL, error) && blockfile_sync_durable(file, error) &&
           file_rename_durable(input->world, aside, input->profile_path, error) &&
           digest_file(input->world, input->profile_path, ret_digest, error);
}

static bool get_text(struct reader *reader, char **ret)
{
    struct slice text = reader_prefixed(reader);
    if (!reader->ok || !g_utf8_validate((const char *)text.data, (gssize)text.len, NULL))
        return false;
    *ret = g_strndup((const char *)text.data, text.len);
    return true;
}

bool past_block_get(const struct block *block, struct past_part *ret)
{
    struct reader reader = reader_of(block->payload);
    struct past_part part = {0};
    bool ok = block->type == TYPE_PROFILE && get_text(&reader, &part.run) && get_text(&reader, &part.stage);
    part.kept_ms = reader_i64(&reader);
    part.keys = reader_u64(&reader);
    part.profile = ok ? profile_get(&reader) : NULL;
    if (part.profile && part.keys > 0 && reader_left(&reader) == 0) {
        *ret = part;
        return true;
    }
    past_part_done(&part);
    return false;
}

/* --- found again -------------------------------------------------------------------------------------------------- */

static bool read_part(const struct world *world, const char *path, struct past_part *ret, GError **error)
{
    auto_(blockfile) file = NULL;
    auto_(arena) mem = arena_new(4 * FILE_MOST);
    struct block block;
    if (!blockfile_open(&file, world, path, &past_kind, false, error))
        return false;
    enum block_result result = blockfile_read(file, blockfile_begin(file), false, mem, &block, error);
    if (result == BLOCK_FAILED)
        return false;
    return (result == BLOCK_OK && past_block_get(&block, ret)) ||
           error_set(error, SLUICE_ERROR_CORRUPT, "%s: the profile is damaged", path);
}

bool past_add(struct past *baseline, const struct world *world, const char *path, const uint8_t *digest, GError **error)
{
    uint8_t found[32];
    struct past_part part;
    if (!digest_file(world, path, found, error))
        return false;
    if (digest && memcmp(found, digest, sizeof found) != 0)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: it is not what its gate kept: the digest is another", path);
    if (!read_part(world, path, &part, error))
        return false;
    memcpy(part.digest, found, sizeof found);
    part.path = g_strdup(path);
    g_array_append_val(baseline->parts, part);
    return true;
}

/* How much of what the target held is in it. */
static double rate_of(const struct past_part *part)
{
    return (double)profile_records(part->profile) / (double)part->keys;
}

/* Gates look at about as many records each, however many keys they judge: so each counts by the least of these rates.
 */
void past_join(struct past *baseline)
{
    double least = 1;
    profile_free(baseline->profile);
    baseline->profile = profile_new();
    for (guint i = 0; i < baseline->parts->len; i++)
        least = MIN(least, rate_of(&g_array_index(baseline->parts, struct past_part, i)));
    for (guint i = 0; i < baseline->parts->len; i++) {
        struct past_part *part = &g_array_index(baseline->parts, struct past_part, i);
        baseline->kept_ms = MAX(baseline->kept_ms, part->kept_ms);
        if (rate_of(part) > least)
            profile_scale(part->profile, least / rate_of(part));
        profile_merge(baseline->profile, part->profile);
    }
}

char *past_words(const struct past *baseline)
{
    return baseline->stage ? g_strdup_printf("%s (stage %s)", baseline->of, baseline->stage) : g_strdup(baseline->of);
}
