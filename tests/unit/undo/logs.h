/* Small undo logs for tests: a batch in one call, with texts for keys and values. */
#pragma once

#include "kit/fake_world.h"
#include "kit/kit.h"
#include "undo/undo.h"

static const uint8_t LOGS_UID[16] = {0xa1, 0xb2, 0xc3, 0xd4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

struct logs {
    struct fake_world fake;
    struct undo_config config;
    struct undo_log *log;
    char *dir;
    uint64_t sequence; /* of the next entry */
};

static inline void logs_init(struct logs *logs, const char *below)
{
    *logs = (struct logs){.sequence = 1};
    fake_world_init(&logs->fake);
    logs->dir = g_build_filename(below, "undo", NULL);
    logs->config = (struct undo_config){.world = &logs->fake.world, .dir = logs->dir};
    memcpy(logs->config.run_uid, LOGS_UID, sizeof LOGS_UID);
}

static inline void logs_close(struct logs *logs)
{
    undo_free(logs->log);
    logs->log = NULL;
}

static inline void logs_done(struct logs *logs)
{
    logs_close(logs);
    g_free(logs->dir);
}

static inline void logs_open(struct logs *logs)
{
    GError *error = NULL;
    logs_close(logs);
    kit_ok(undo_open(&logs->log, &logs->config, &error));
}

/* key: before → after; NULL is absent. */
struct move {
    const char *key, *before, *after;
};

static inline struct digest logs_digest(const char *text)
{
    return text ? digest_stored(slice_of_text(text), EXPIRES_NEVER) : (struct digest){0, 0};
}

static inline struct undo_intent logs_intent(const struct move *move)
{
    return (struct undo_intent){
        .key = slice_of_text(move->key),
        .verb = move->after ? UNDO_PUT : UNDO_DELETE,
        .pre_present = move->before != NULL,
        .pre_raw = move->before ? slice_of_text(move->before) : SLICE_EMPTY,
        .written = logs_digest(move->after),
    };
}

static inline struct undo_position logs_intents(struct logs *logs, uint32_t part, uint32_t lane, uint64_t first,
                                                const struct move *moves, size_t n)
{
    GError *error = NULL;
    g_autofree struct undo_intent *intents = g_new0(struct undo_intent, n);
    for (size_t i = 0; i < n; i++)
        intents[i] = logs_intent(&moves[i]);
    struct undo_batch batch = {part, lane, first, logs->sequence, intents, n};
    struct undo_position at = {0, 0};
    kit_ok(undo_intents_durable(logs->log, &batch, &at, &error));
    logs->sequence += n;
    return at;
}

/* Up to 64 of them. */
static inline void logs_outcomes(struct logs *logs, uint32_t part, uint32_t lane, uint64_t first, size_t n,
                                 uint64_t applied)
{
    GError *error = NULL;
    uint8_t bits[8];
    for (unsigned i = 0; i < sizeof bits; i++)
        bits[i] = (uint8_t)(applied >> (8 * i));
    struct undo_outcome outcome = {part, lane, first, n, slice_of(bits, (n + 7) / 8)};
    kit_ok(undo_outcomes(logs->log, &outcome, &error));
}

static inline void logs_sync(struct logs *logs)
{
    GError *error = NULL;
    kit_ok(undo_sync_durable(logs->log, &error));
}

/* A batch of one, applied. */
static inline struct undo_position logs_write(struct logs *logs, uint32_t part, uint64_t number, const char *key,
                                              const char *before, const char *after)
{
    struct move move = {key, before, after};
    struct undo_position at = logs_intents(logs, part, 1, number, &move, 1);
    logs_outcomes(logs, part, 1, number, 1, 1);
    return at;
}

static inline char *logs_segment(const struct logs *logs, uint32_t segment)
{
    return g_strdup_printf("%s/%06u.undo", logs->dir, segment);
}

static inline GByteArray *logs_bytes(const char *path)
{
    gchar *data;
    gsize len;
    assert_true(g_file_get_contents(path, &data, &len, NULL));
    return g_byte_array_new_take((guint8 *)data, len);
}

static inline void logs_put_bytes(const char *path, const uint8_t *data, size_t len)
{
    assert_true(g_file_set_contents(path, (const char *)data, (gssize)len, NULL));
}

static inline void logs_flip(const char *path, size_t offset)
{
    g_autoptr(GByteArray) bytes = logs_bytes(path);
    assert_true(offset < bytes->len);
    bytes->data[offset] ^= 0x10;
    logs_put_bytes(path, bytes->data, bytes->len);
}
