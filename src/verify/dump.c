/* The verifier's own files, for people who look for something: each is a header, blocks of items, nothing else. */
#include "verify/dump.h"

#include "base/blockfile.h"
#include "base/int.h"
#include "record/key.h"
#include "verify/past.h"
#include "verify/progress.h"
#include "verify/verify_parts.h"

struct dump {
    const struct document_lines *into;
    GString *text;
};

/* Takes the line over. */
static bool give(const struct dump *dump, bson_t *line, GError **error)
{
    g_string_truncate(dump->text, 0);
    bool ok = document_to_json(slice_of(bson_get_data(line), line->len), dump->text, error);
    bson_destroy(line);
    return ok && dump->into->line(dump->into->self, dump->text->str, error);
}

static bool give_damage(void *self, uint64_t offset, GError **error)
{
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", "damage");
    BSON_APPEND_INT64(&line, "offset", (int64_t)MIN(offset, INT64_MAX));
    return give(self, &line, error);
}

static bool give_one_sampled(const struct dump *dump, const struct sampled_key *sampled, const struct undo_nth *before,
                             GError **error)
{
    char digest[DIGEST_TEXT];
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", before ? "glimpsed" : "sampled");
    key_show(sampled->key, "key", &line);
    BSON_APPEND_UTF8(&line, "digest", digest_text(sampled->digest, digest));
    if (before) {
        BSON_APPEND_INT64(&line, "lane", before->lane);
        BSON_APPEND_INT64(&line, "number", (int64_t)MIN(before->number, INT64_MAX));
    }
    return give(dump, &line, error);
}

static bool give_sampled(void *self, const struct block *block, bool *ret_sound, GError **error)
{
    struct reader reader = reader_of(block->payload);
    bool glimpsed = block->type == GLANCE_BLOCK;
    while (reader_left(&reader) > 0) {
        struct glimpsed_key item;
        if (!(glimpsed ? sample_glimpsed_get(&reader, &item) : sample_item_get(&reader, &item.seen)))
            return true;
        if (!give_one_sampled(self, &item.seen, glimpsed ? &item.place : NULL, error))
            return false;
    }
    *ret_sound = true;
    return true;
}

static bool give_owner(const struct dump *dump, const struct owner *owner, GError **error)
{
    char digest[DIGEST_TEXT];
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", "owner");
    BSON_APPEND_UTF8(&line, "key_digest", digest_text(digest_get(owner->key), digest));
    BSON_APPEND_INT64(&line, "partition", owner->part);
    return give(dump, &line, error);
}

static bool give_owners(void *self, const struct block *block, bool *ret_sound, GError **error)
{
    struct owner owner;
    *ret_sound = block->payload.len % OWNERS_ITEM_BYTES == 0;
    for (size_t at = 0; *ret_sound && at < block->payload.len; at += OWNERS_ITEM_BYTES) {
        owners_item_get(block->payload.data + at, &owner);
        if (!give_owner(self, &owner, error))
            return false;
    }
    return true;
}

static bool give_sketch(void *self, const struct block *block, bool *ret_sound, GError **error)
{
    struct kept_sketch kept;
    char digest[DIGEST_TEXT];
    /* Where records lie in it is nobody's question here. */
    *ret_sound = sketch_block_get(block, SKETCH_RATELESS, &kept);
    if (!*ret_sound)
        return true;
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", "sketch");
    BSON_APPEND_INT64(&line, "cells", kept.sketch->n);
    BSON_APPEND_INT64(&line, "records", (int64_t)MIN(kept.stored.count, INT64_MAX));
    BSON_APPEND_UTF8(&line, "sum", digest_text(kept.stored.sum, digest));
    BSON_APPEND_BOOL(&line, "made_keys", kept.made_keys);
    sketch_free(kept.sketch);
    return give(self, &line, error);
}

static bool give_progress(void *self, const struct block *block, bool *ret_sound, GError **error)
{
    struct progress progress;
    int64_t kept_ms, done = 0;
    auto_(arena) mem = arena_new(512 << 20);
    bson_t line = BSON_INITIALIZER;
    *ret_sound = progress_get(block->payload, NULL, mem, &progress, &kept_ms);
    for (uint32_t i = 0; *ret_sound && i < progress.n_units; i++)
        done += progress.done[i];
    sketch_free(progress.sketch);
    BSON_APPEND_UTF8(&line, "type", "progress");
    BSON_APPEND_DATE_TIME(&line, "begun", progress.begun_ms);
    BSON_APPEND_DATE_TIME(&line, "kept", kept_ms);
    BSON_APPEND_INT64(&line, "units", progress.n_units);
    BSON_APPEND_INT64(&line, "done", done);
    BSON_APPEND_INT64(&line, "partitions", progress.n_sums);
    if (*ret_sound)
        return give(self, &line, error);
    bson_destroy(&line);
    return true;
}

static bool give_field(const struct dump *dump, struct profile_field *field, GError **error)
{
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", "field");
    BSON_APPEND_UTF8(&line, "name", field->name);
    BSON_APPEND_BOOL(&line, "moved", field->moved);
    BSON_APPEND_INT64(&line, "present", (int64_t)MIN(field->present, INT64_MAX));
    BSON_APPEND_INT64(&line, "nulls", (int64_t)MIN(field->nulls, INT64_MAX));
    BSON_APPEND_INT64(&line, "numbers", (int64_t)MIN(field->numbers, INT64_MAX));
    BSON_APPEND_INT64(&line, "distinct", (int64_t)distinct_estimate(&field->distinct));
    if (field->values.count > 0) {
        BSON_APPEND_DOUBLE(&line, "least", field->values.least);
        BSON_APPEND_DOUBLE(&line, "median", quantiles_at(&field->values, 0.5));
        BSON_APPEND_DOUBLE(&line, "greatest", field->values.greatest);
    }
    top_sort(&field->top);
    if (field->top.n > 0)
        BSON_APPEND_UTF8(&line, "commonest", field->top.of[0].text);
    return give(dump, &line, error);
}

static bool give_profile(void *self, const struct block *block, bool *ret_sound, GError **error)
{
    struct past_part part = {0};
    bson_t line = BSON_INITIALIZER;
    *ret_sound = past_block_get(block, &part);
    if (!*ret_sound) {
        bson_destroy(&line);
        return true;
    }
    BSON_APPEND_UTF8(&line, "type", "profile");
    BSON_APPEND_UTF8(&line, "run", part.run);
    BSON_APPEND_UTF8(&line, "stage", part.stage);
    BSON_APPEND_DATE_TIME(&line, "kept", part.kept_ms);
    BSON_APPEND_INT64(&line, "keys", (int64_t)MIN(part.keys, INT64_MAX));
    BSON_APPEND_INT64(&line, "records", (int64_t)MIN(profile_records(part.profile), INT64_MAX));
    bool ok = give(self, &line, error);
    for (size_t i = 0; ok && i < profile_count(part.profile); i++)
        ok = give_field(self, profile_at(part.profile, i), error);
    past_part_done(&part);
    return ok;
}

static bool dump_file(struct blockfile *file, struct block_visit visit, const struct document_lines *into,
                      GError **error)
{
    auto_(arena) mem = arena_new(256 << 20);
    g_autoptr(GString) text = g_string_new(NULL);
    struct dump dump = {.into = into, .text = text};
    visit.damage = give_damage;
    visit.self = &dump;
    visit.mem = mem;
    return blockfile_visit(file, &visit, error);
}

bool sample_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(blockfile) file = NULL;
    return blockfile_open(&file, world, path, &sample_kind, false, error) &&
           dump_file(file, (struct block_visit){.block = give_sampled}, into, error);
}

bool owners_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(blockfile) file = NULL;
    return blockfile_open(&file, world, path, &owners_kind, false, error) &&
           dump_file(file, (struct block_visit){.block = give_owners}, into, error);
}

bool sketch_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(blockfile) file = NULL;
    return blockfile_open(&file, world, path, &sketch_kind, false, error) &&
           dump_file(file, (struct block_visit){.block = give_sketch}, into, error);
}

bool progress_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(blockfile) file = NULL;
    return blockfile_open(&file, world, path, &progress_kind, false, error) &&
           dump_file(file, (struct block_visit){.block = give_progress}, into, error);
}

bool past_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(blockfile) file = NULL;
    return blockfile_open(&file, world, path, &past_kind, false, error) &&
           dump_file(file, (struct block_visit){.block = give_profile}, into, error);
}
