#include "base/hex.h"
#include "record/key.h"
#include "undo/chains_format.h"
#include "undo/walk.h"

struct dump {
    struct undo_walk walk;
    const struct document_lines *into;
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

bool undo_dump(const struct undo_config *config, const struct document_lines *into, GError **error)
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

/* --- one file by itself ------------------------------------------------------------------------------------------- */

/* A segment without its log, or chains: the walk only keeps what its functions find damaged. */
struct alone {
    struct dump dump;
    uint32_t segment; /* 0: chains */
    uint64_t index;   /* of the next chain */
};

static bool give_damaged_place(void *self, uint64_t offset, GError **error)
{
    struct alone *alone = self;
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", "damage");
    if (alone->segment)
        put_u64_field(&line, "segment", alone->segment);
    put_u64_field(&line, "offset", offset);
    return give(&alone->dump, &line, error);
}

static bool give_segment_block(void *self, const struct block *block, bool *ret_sound, GError **error)
{
    struct alone *alone = self;
    struct undo_block found = {.at = {alone->segment, block->offset}, .end = block->end, .type = block->type};
    guint damage = alone->dump.walk.damage->len;
    bool known = block->type == UNDO_INTENTS || block->type == UNDO_OUTCOMES;
    if (!undo_head_get(block->head, &found.head) || !known)
        return true;
    bool given = block->type == UNDO_INTENTS ? give_intents(&alone->dump, &found, block->payload, error)
                                             : give_outcomes(&alone->dump, &found, block->payload, error);
    *ret_sound = alone->dump.walk.damage->len == damage;
    return given;
}

static bool give_chain_items(struct alone *alone, const struct block *block, bool *ret_sound, GError **error)
{
    struct undo_chains_items_head head;
    g_autofree struct undo_turn *turns = g_new(struct undo_turn, UNDO_CHAINS_BLOCK);
    char written[DIGEST_TEXT];
    *ret_sound = undo_chains_items_head_get(block->head, &head) && undo_turns_get(block->payload, turns, head.count);
    for (uint32_t i = 0; *ret_sound && i < head.count; i++) {
        bson_t line = BSON_INITIALIZER;
        put_place(&line, "chain", &turns[i].spot.at);
        put_u64_field(&line, "index", head.first + i);
        put_u64_field(&line, "entry", turns[i].spot.entry);
        BSON_APPEND_UTF8(&line, "written", digest_text(turns[i].written, written));
        if (!give(&alone->dump, &line, error))
            return false;
    }
    return true;
}

static bool give_lost(struct alone *alone, const struct block *block, bool *ret_sound, GError **error)
{
    struct reader head = reader_of(block->head);
    uint32_t n = reader_u32(&head);
    bool fits = head.ok && n <= block->payload.len; /* before memory is taken for them */
    g_autofree struct undo_damage *lost = fits ? g_new0(struct undo_damage, n + 1) : NULL;
    *ret_sound = fits && undo_chains_damage_get(block->payload, lost, n);
    for (uint32_t i = 0; *ret_sound && i < n; i++) {
        bson_t line = BSON_INITIALIZER;
        put_place(&line, "lost", &lost[i].at);
        put_u64_field(&line, "part", lost[i].part);
        put_u64_field(&line, "lane", lost[i].lane);
        put_u64_field(&line, "first_number", lost[i].first_number);
        put_u64_field(&line, "keys", lost[i].keys);
        if (!give(&alone->dump, &line, error))
            return false;
    }
    return true;
}

static bool give_chains_end(struct alone *alone, const struct block *block, bool *ret_sound, GError **error)
{
    struct undo_chains_end end;
    bson_t line = BSON_INITIALIZER;
    *ret_sound = undo_chains_end_get(block->head, &end);
    if (!*ret_sound) {
        bson_destroy(&line);
        return true;
    }
    put_place(&line, "end", &end.upto);
    put_u64_field(&line, "chains", end.items);
    return give(&alone->dump, &line, error);
}

static bool give_chains_block(void *self, const struct block *block, bool *ret_sound, GError **error)
{
    static bool (*const GIVE[])(struct alone *, const struct block *, bool *, GError **) = {
        [UNDO_CHAINS_ITEMS] = give_chain_items, [UNDO_CHAINS_DAMAGE] = give_lost, [UNDO_CHAINS_END] = give_chains_end};
    bool known = block->type < G_N_ELEMENTS(GIVE) && GIVE[block->type];
    return !known || GIVE[block->type](self, block, ret_sound, error);
}

/* What the file says it is. */
static bool give_kind(struct alone *alone, const struct blockfile *file, GError **error)
{
    struct slice tag = blockfile_tag(file);
    char run[HEX_TEXT(UNDO_UID_LEN)];
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", alone->segment ? "segment" : "chains");
    BSON_APPEND_UTF8(&line, "run", hex_text(tag.data, UNDO_UID_LEN, run));
    if (alone->segment)
        put_u64_field(&line, "segment", alone->segment);
    return give(&alone->dump, &line, error);
}

static bool dump_alone(struct alone *alone, struct blockfile *file, const struct document_lines *into, GError **error)
{
    alone->dump = (struct dump){.into = into, .mem = arena_new(PAYLOAD_CAP), .text = g_string_new(NULL)};
    alone->dump.walk.damage = g_array_new(FALSE, FALSE, sizeof(struct undo_damage));
    struct block_visit visit = {.block = alone->segment ? give_segment_block : give_chains_block,
                                .damage = give_damaged_place,
                                .self = alone,
                                .mem = alone->dump.mem};
    bool ok = give_kind(alone, file, error) && blockfile_visit(file, &visit, error);
    g_array_unref(alone->dump.walk.damage);
    g_string_free(alone->dump.text, TRUE);
    arena_free(alone->dump.mem);
    return ok;
}

bool undo_dump_segment(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(blockfile) file = NULL;
    if (!blockfile_open(&file, world, path, &UNDO_KIND, false, error))
        return false;
    struct slice tag = blockfile_tag(file);
    struct reader number = reader_of(slice_of(tag.data + UNDO_UID_LEN, sizeof(uint32_t)));
    struct alone alone = {.segment = reader_u32(&number)};
    return dump_alone(&alone, file, into, error);
}

bool undo_dump_chains(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(blockfile) file = NULL;
    struct alone alone = {0};
    return blockfile_open(&file, world, path, &UNDO_CHAINS_KIND, false, error) && dump_alone(&alone, file, into, error);
}
