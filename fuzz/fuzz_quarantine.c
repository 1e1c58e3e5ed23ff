/* A quarantine with any bytes in it: read, opened, cut, appended to and read again; what was appended is there. */
#include "base/int.h"
#include "fuzz.h"
#include "memory.h"
#include "quarantine/quarantine.h"
#include "record/digest.h"

#define PATH  "/quarantine/run.ndjson"
#define FIRST "{\"quarantine\":1,\"run\":\"00000000000000000000000000000000\"}\n"

/* Each piece as a line whose check fits: else nothing would come past it. */
static void put_sealed(GByteArray *into, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    while (reader_left(&reader)) {
        struct slice line = reader_prefixed(&reader);
        char check[DIGEST_TEXT];
        g_autofree char *prefix = g_strdup_printf("{\"check\":\"%s\",", digest_text(digest_bytes(line, 0), check));
        put_bytes(into, slice_of_text(prefix));
        put_bytes(into, line);
        put_bytes(into, slice_of_text("\n"));
    }
}

/* How many rows come out; *ret_whole: the end was reached. */
static uint64_t read_rows(const struct quarantine_config *config, bool *ret_whole)
{
    auto_(quarantine_reader) reader = NULL;
    auto_(arena) mem = arena_new(16 << 20);
    uint64_t n = 0;
    *ret_whole = false;
    if (!quarantine_reader_open(&reader, config, NULL, NULL))
        return 0;
    for (struct quarantine_entry *entry;; n++, arena_reset(mem)) {
        if (!quarantine_next(reader, mem, &entry, NULL))
            return n;
        *ret_whole = !entry;
        if (!entry)
            return n;
        g_assert(entry->code && entry->reason && entry->raw.len <= entry->text.len);
    }
}

static void append_one(struct quarantine *quarantine)
{
    struct quarantine_row row = {.key = slice_of("\xff", 1), .code = SLUICE_ERROR_LUA, .reason = "again"};
    struct quarantine_batch batch = {.part = UINT32_MAX, .lane = UINT32_MAX, .checkpoint = 1, .rows = &row, .n = 1};
    GError *error = NULL;
    bool ok = quarantine_append(quarantine, &batch, &error) && quarantine_sync_durable(quarantine, &error);
    g_assert(ok || error_is(error, SLUICE_ERROR_INTERNAL)); /* the numbers of the file were used up */
    g_clear_error(&error);
}

static void write_rows(const struct quarantine_config *config)
{
    struct quarantine_mark marks[] = {{.part = 0}, {.part = 1, .lane = 2, .checkpoint = 3}};
    auto_(quarantine) quarantine = NULL;
    if (!quarantine_open(&quarantine, config, NULL))
        return;
    uint64_t before = quarantine_count(quarantine);
    g_assert(quarantine_cut_durable(quarantine, marks, 2, NULL));
    uint64_t left = quarantine_count(quarantine);
    g_assert(left <= before);
    append_one(quarantine);
    uint64_t count = quarantine_count(quarantine);
    quarantine_free(g_steal_pointer(&quarantine));
    g_assert(quarantine_open(&quarantine, config, NULL));
    g_assert(quarantine_count(quarantine) == count);
}

/* The first byte says what the rest is: a whole file, what follows a good first line, or lines to be sealed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    enum { WHOLE, LINES, SEALED, WAYS };
    if (len == 0)
        return 0;
    struct memory memory;
    memory_init(&memory);
    struct quarantine_config config = {.world = &memory.world, .path = PATH};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int way = data[0] % WAYS;
    struct slice rest = slice_of(data + 1, len - 1);
    if (way != WHOLE)
        put_bytes(bytes, slice_of_text(FIRST));
    if (way == SEALED)
        put_sealed(bytes, rest);
    else
        put_bytes(bytes, rest);
    memory_put(&memory, PATH, bytes->data, bytes->len);
    bool whole;
    read_rows(&config, &whole);
    write_rows(&config);
    read_rows(&config, &whole);
    memory_done(&memory);
    return 0;
}
