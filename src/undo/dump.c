#include "record/key.h"
#include "undo/walk.h"

enum { PAYLOAD_CAP = 1 << 30 };

struct dump {
    struct undo_walk walk;
    const struct undo_lines *into;
    struct arena *mem;
    GString *text;
};

static void put_u64_field(bson_t *line, const char *name, uint64_t value)
{
    int64_t number;
    char text[32];
    if (int_to_i64(value, &number)) {
        BSON_APPEND_INT64(line, name, number);
        return;
    }
    g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, (guint64)value);
    BSON_APPEND_UTF8(line, name, text);
}

static void put_place(bson_t *line, const char *type, const struct undo_position *at)
{
    BSON_APPEND_UTF8(line, "type", type);
    put_u64_field(line, "segment", at->segment);
    put_u64_field(line, "offset", at->offset);
}

/* Takes the line over. */
static bool give(struct dump *dump, bson_t *line, GError **error)
{
    g_string_truncate(dump->text, 0);
    bool ok = document_to_json(slice_of(bson_get_data(line), line->len), dump->text, error);
    bson_destroy(line);
    return ok && dump->into->line(dump->into->self, dump->text->str, error);
}

static bool give_segments(struct dump *dump, GError **error)
{
    for (uint32_t number = 1; number <= undo_manifest_last(&dump->walk.manifest); number++) {
        uint64_t bytes = g_array_index(dump->walk.manifest.segments, struct undo_segment, number - 1).bytes;
        char name[UNDO_SEGMENT_TEXT];
        bson_t line = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&line, "type", "segment");
        put_u64_field(&line, "segment", number);
        BSON_APPEND_UTF8(&line, "name", undo_segment_name(number, name));
        if (bytes)
            put_u64_field(&line, "bytes", bytes);
        if (!give(dump, &line, error))
            return false;
    }
    return true;
}

static void put_block(bson_t *line, const struct undo_block *block)
{
    put_place(line, block->type == UNDO_INTENTS ? "intents" : "outcomes", &block->at);
    put_u64_field(line, "end", block->end);
    put_u64_field(line, "part", block->head.part);
    put_u64_field(line, "lane", block->head.lane);
    put_u64_field(line, "first_number", block->head.first_number);
    if (block->type == UNDO_INTENTS)
        put_u64_field(line, "first_sequence", block->head.first_sequence);
    put_u64_field(line, "count", block->head.count);
    put_u64_field(line, "durable", block->head.durable);
}

static bool give_entry(struct dump *dump, const struct undo_block *block, const struct undo_entry *entry,
                       GError **error)
{
    bson_t line = BSON_INITIALIZER;
    char written[DIGEST_TEXT];
    put_place(&line, "entry", &block->at);
    put_u64_field(&line, "number", entry->number);
    put_u64_field(&line, "sequence", entry->sequence);
    key_show(entry->key, "key", &line);
    BSON_APPEND_UTF8(&line, "verb", entry->verb == UNDO_PUT ? "put" : "delete");
    BSON_APPEND_UTF8(&line, "written", digest_text(entry->written, written));
    BSON_APPEND_BOOL(&line, "pre_present", entry->pre_present);
    if (entry->pre_present) {
        BSON_APPEND_INT64(&line, "pre_expires_at_ms", entry->pre_expires_at_ms);
        BSON_APPEND_BINARY(&line, "pre_base64", BSON_SUBTYPE_BINARY, entry->pre_raw.data,
                           (uint32_t)entry->pre_raw.len); /* a block holds 1 GiB */
    }
    return give(dump, &line, error);
}

static bool give_intents(struct dump *dump, const struct undo_block *block, struct slice bytes, GError **error)
{
    bson_t line = BSON_INITIALIZER;
    struct undo_payload payload = undo_payload_of(&block->head, bytes);
    struct undo_entry entry;
    put_block(&line, block);
    if (!give(dump, &line, error))
        return false;
    while (undo_payload_next(&payload, &entry))
        if (!give_entry(dump, block, &entry, error))
            return false;
    if (!undo_payload_whole(&payload))
        undo_walk_damaged(&dump->walk, block);
    return true;
}

static bool give_outcomes(struct dump *dump, const struct undo_block *block, struct slice applied, GError **error)
{
    if (!undo_outcomes_whole(&block->head, applied)) {
        undo_walk_damaged(&dump->walk, block);
        return true;
    }
    bson_t line = BSON_INITIALIZER;
    g_autofree char *bits = g_malloc0((gsize)block->head.count + 1);
    for (uint32_t i = 0; i < block->head.count; i++)
        bits[i] = undo_bit(applied, i) ? '1' : '0';
    put_block(&line, block);
    BSON_APPEND_UTF8(&line, "applied", bits);
    return give(dump, &line, error);
}

static bool give_block(struct dump *dump, const struct undo_block *block, GError **error)
{
    struct slice payload;
    bool whole;
    arena_reset(dump->mem);
    if (!undo_walk_payload(&dump->walk, block, dump->mem, &payload, &whole, error))
        return false;
    if (!whole)
        return true;
    return block->type == UNDO_INTENTS ? give_intents(dump, block, payload, error)
                                       : give_outcomes(dump, block, payload, error);
}

static bool give_damage(struct dump *dump, GError **error)
{
    size_t n;
    const struct undo_damage *damage = undo_walk_damage(&dump->walk, &n);
    for (size_t i = 0; i < n; i++) {
        bson_t line = BSON_INITIALIZER;
        put_place(&line, "damage", &damage[i].at);
        if (damage[i].part != UINT32_MAX) {
            put_u64_field(&line, "part", damage[i].part);
            put_u64_field(&line, "lane", damage[i].lane);
            put_u64_field(&line, "first_number", damage[i].first_number);
            put_u64_field(&line, "count", damage[i].keys);
        }
        BSON_APPEND_BOOL(&line, "proven", damage[i].proven);
        if (!give(dump, &line, error))
            return false;
    }
    return true;
}

static bool give_all(struct dump *dump, GError **error)
{
    struct undo_block block;
    if (!give_segments(dump, error))
        return false;
    for (bool over = false; !over;) {
        if (!undo_walk_next(&dump->walk, &block, &over, error))
            return false;
        if (!over && !give_block(dump, &block, error))
            return false;
    }
    return give_damage(dump, error);
}

bool undo_dump(const struct undo_config *config, const struct undo_lines *into, GError **error)
{
    struct dump dump = {.into = into};
    if (!undo_walk_open(&dump.walk, config, (struct undo_position){0, 0}, error))
        return false;
    dump.mem = arena_new(PAYLOAD_CAP);
    dump.text = g_string_new(NULL);
    bool ok = give_all(&dump, error);
    arena_free(dump.mem);
    g_string_free(dump.text, TRUE);
    undo_walk_done(&dump.walk);
    return ok;
}
