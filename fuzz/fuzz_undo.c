/* An undo log with any bytes in it: the tail, the dump, the chains and the store `undo:` read it to its end, and the
 * two decoders see the same entries. */
#include "base/blockfile.h"
#include "base/int.h"
#include "fuzz.h"
#include "memory.h"
#include "store/calls.h"
#include "store/undo/undo_store.h"
#include "undo/chains.h"
#include "undo/undo.h"

#define DIR "/log"
#define MANIFEST_TEXT                                                                                                  \
    "{\"undo\": 1, \"run\": \"00000000000000000000000000000000\", \"segments\": [{\"name\": \"000001.undo\"%s}, "      \
    "{\"name\": \"000002.undo\"}]}"

enum { PARTS = 3, HEAD = 40 };

static const struct blockfile_kind undo_kind = {.magic = "SLUNDO1\n", .version = 1, .block_magic = 0x4f444e55};
static const struct blockfile_kind chains_kind = {.magic = "SLCHAIN1", .version = 1, .block_magic = 0x4e494843};

static struct undo_config config_of(const struct memory *memory)
{
    return (struct undo_config){.world = &memory->world, .dir = DIR};
}

/* --- making a log --------------------------------------------------------------------------------------------------
 */

static struct blockfile *file_new(struct memory *memory, const char *path, const struct blockfile_kind *kind,
                                  uint8_t segment)
{
    uint8_t tag[32] = {[16] = segment};
    struct blockfile *file;
    g_assert(blockfile_create(&file, &memory->world, path, kind, slice_of(tag, sizeof tag), NULL));
    return file;
}

/* The input as blocks that verify: else nothing would come past the checksums. Numbers are small, so that outcomes meet
 * intents; what is left of the input behind the last whole block is torn off. */
static void put_block(struct blockfile *file, struct reader *reader, uint64_t *io_sequence)
{
    uint8_t form = reader_u8(reader), where = reader_u8(reader), number = reader_u8(reader), count = reader_u8(reader);
    struct slice payload = reader_prefixed(reader);
    g_autoptr(GByteArray) head = g_byte_array_new();
    put_u32(head, where % PARTS | (where & 128 ? UNDO_ROLLBACK_PART : 0));
    put_u32(head, where / PARTS % 2);
    put_u64(head, form & 64 ? UINT64_MAX - number : number);
    put_u64(head, (*io_sequence)++);
    put_u32(head, form & 32 ? count * UINT32_C(0x01010101) : count);
    put_u32(head, 0);
    put_u64(head, form & 16 ? blockfile_end(file) : 0);
    if (form & 8)
        g_byte_array_set_size(head, form % 64);
    struct block_draft draft = {
        .type = form % 4, .head = slice_of(head->data, head->len), .payload = payload, .pack = form & 4};
    if (reader->ok)
        g_assert(blockfile_append(file, &draft, NULL, NULL));
}

static void put_segments(struct memory *memory, struct slice input)
{
    struct reader reader = reader_of(input);
    uint64_t sequence = 1;
    for (uint8_t segment = 1; segment <= 2; segment++) {
        g_autofree char *path = g_strdup_printf(DIR "/%06u.undo", segment);
        auto_(blockfile) file = file_new(memory, path, &undo_kind, segment);
        for (size_t left = segment == 1 ? reader_left(&reader) / 2 : 0; reader_left(&reader) > left;)
            put_block(file, &reader, &sequence);
    }
}

static void put_manifest(struct memory *memory, bool closed)
{
    g_autofree char *text = g_strdup_printf(MANIFEST_TEXT, closed ? ", \"bytes\": 300" : "");
    memory_put(memory, DIR "/MANIFEST", text, strlen(text));
}

/* Somewhere a bit, or the end, is not what it was. */
static void bend(struct memory *memory, const char *path, uint16_t at)
{
    GByteArray *bytes = g_hash_table_lookup(memory->files, path);
    uint16_t place = at / 2;
    if (!bytes || place >= bytes->len)
        return;
    if (at % 2)
        g_byte_array_set_size(bytes, place);
    else
        bytes->data[place] ^= 1;
}

/* --- reading it ----------------------------------------------------------------------------------------------------
 */

/* An entry as either decoder tells it. */
struct seen {
    struct slice key;
    bool deleted;
    struct digest before, written;
};

static void put_seen(GString *into, const struct seen *seen)
{
    g_string_append_len(into, (const char *)seen->key.data, (gssize)seen->key.len);
    g_string_append_len(into, (const char *)&seen->before, sizeof seen->before);
    g_string_append_len(into, (const char *)&seen->written, sizeof seen->written);
    g_string_append_printf(into, "%zu %d\n", seen->key.len, seen->deleted);
}

static bool see_tail(const struct undo_config *config, uint32_t part, GString *into)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct undo_tail tail;
    if (!undo_tail_read(&tail, config, part, (struct undo_position){0, 0}, mem, NULL))
        return false;
    for (size_t i = 0; i < tail.n; i++) {
        const struct undo_left *entry = &tail.entries[i];
        struct seen seen = {.key = entry->key,
                            .deleted = entry->verb == UNDO_DELETE,
                            .before = entry->before,
                            .written = entry->written};
        if (entry->state == UNDO_APPLIED)
            put_seen(into, &seen);
    }
    return true;
}

static bool see_batches(struct scan *scan, const struct dataset *ds, GString *into)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct call call = {.ds = ds, .mem = mem};
    for (struct batch batch = {.n = 0}; !batch.done; arena_reset(mem)) {
        if (!store_scan_next(scan, &call, &batch, NULL))
            return false;
        for (size_t i = 0; i < batch.n; i++) {
            const struct record *record = &batch.records[i];
            struct seen seen = {.key = record->key};
            if (record->presence == RECORD_PRESENT)
                seen.before = digest_stored(record->raw, record->expires_at_ms);
            g_assert(undo_record_written(record, &seen.written, &seen.deleted));
            put_seen(into, &seen);
        }
    }
    return true;
}

static bool see_scan(struct session *session, uint32_t part, GString *into)
{
    auto_(arena) mem = arena_new(1024);
    auto_(scan) scan = NULL;
    struct dataset ds = {.name = ""};
    struct scan_spec spec = {.ds = &ds, .bounds = undo_part_bounds(part, mem), .max_records = 3, .max_bytes = 1 << 20};
    return store_scan_open(&scan, session, &spec, NULL) && see_batches(scan, &ds, into);
}

static void both_agree(const struct undo_config *config)
{
    struct store_registry *registry = store_registry_new(config->world, NULL);
    struct store_config store_config = {.uri = "undo:" DIR, .base_dir = "/", .read_only = true};
    struct store *store;
    struct session *session;
    if (store_open(&store, registry, &store_config, NULL)) {
        g_assert(store_session_open(&session, store, NULL));
        for (uint32_t part = 0; part < PARTS; part++) {
            g_autoptr(GString) tail = g_string_new(NULL);
            g_autoptr(GString) scan = g_string_new(NULL);
            bool tail_ok = see_tail(config, part, tail), scan_ok = see_scan(session, part, scan);
            g_assert(tail_ok == scan_ok && (!tail_ok || g_string_equal(tail, scan)));
        }
        store_session_close(session);
        store_release(registry, store);
    }
    store_registry_free(registry);
}

static bool take_line(void *self, const char *text, GError **error)
{
    g_assert(!strchr(text, '\n'));
    return true;
}

static void read_chains(const struct undo_config *config, bool made)
{
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    if (!undo_chains_open(&chains, config, NULL)) {
        g_assert(!made);
        return;
    }
    struct undo_chain_list list = {.n = 1};
    for (uint64_t at = 0; list.n > 0; at += list.n, arena_reset(mem))
        if (!undo_chains_read(chains, at, 100, mem, &list, NULL)) {
            g_assert(!made);
            return;
        }
}

static void read_all(const struct undo_config *config)
{
    struct document_lines lines = {.line = take_line};
    undo_dump(config, &lines, NULL);
    read_chains(config, undo_chains_build(config, NULL, NULL));
}

/* Blocks of the file of chains, over a log that has one entry. */
static void put_chains(struct memory *memory, struct slice input)
{
    struct reader reader = reader_of(input);
    auto_(blockfile) file = file_new(memory, DIR "/chains", &chains_kind, 0);
    while (reader_left(&reader)) {
        struct block_draft draft = {.type = reader_u8(&reader) % 4};
        draft.head = reader_prefixed(&reader);
        draft.payload = reader_prefixed(&reader);
        if (reader.ok)
            g_assert(blockfile_append(file, &draft, NULL, NULL));
    }
}

/* The first byte says what the rest is: a manifest, a segment, blocks of a log (bent at one place or not), or the file
 * of chains. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    enum { MANIFEST, SEGMENT, BLOCKS, BENT, CHAINS, WAYS };
    struct memory memory;
    struct reader reader = reader_of(slice_of(data, len));
    int way = reader_u8(&reader) % WAYS;
    memory_init(&memory);
    struct undo_config config = config_of(&memory);
    put_manifest(&memory, way == BENT);
    uint16_t at = way == BENT ? reader_u16(&reader) : 0;
    struct slice input = reader_bytes(&reader, reader_left(&reader));
    if (way == MANIFEST)
        memory_put(&memory, DIR "/MANIFEST", input.data, input.len);
    else if (way == SEGMENT)
        memory_put(&memory, DIR "/000001.undo", input.data, input.len);
    else if (way == CHAINS)
        put_chains(&memory, input);
    else
        put_segments(&memory, input);
    if (way == BENT)
        bend(&memory, DIR "/000001.undo", at);
    if (way == CHAINS) {
        read_chains(&config, false);
    } else {
        if (way != MANIFEST)
            both_agree(&config);
        read_all(&config);
    }
    memory_done(&memory);
    return 0;
}
