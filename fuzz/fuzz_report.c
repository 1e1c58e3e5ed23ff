/* What a repair reads: a report with any bytes in it, and the list of what a verification saw, written and read back,
 * and with any bytes in its place. */
#include "base/int.h"
#include "fuzz.h"
#include "listing/seen.h"
#include "memory.h"
#include "verify/lines.h"

#define REPORT "/reports/verify-1.ndjson"
#define SEEN   "/listing/a.seen"

static const uint8_t uid[16];

static bool take(void *self, const struct report_line *line, GError **error)
{
    GArray *seen = self;
    g_assert((unsigned)line->class < VERIFY_CLASS_COUNT && (line->looked || !line->present));
    struct seen one = {.key = line->key, .present = line->present, .stored = line->seen};
    g_array_append_val(seen, one);
    return true;
}

static void read_report(struct memory *memory, struct slice bytes)
{
    uint8_t digest[32];
    g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(struct seen));
    struct report_lines into = {.line = take, .self = seen};
    g_autoptr(GError) failed = NULL;
    memory_put(memory, REPORT, bytes.data, bytes.len);
    bool whole = report_read(&memory->world, REPORT, &into, digest, &failed);
    g_assert(whole || failed);
}

/* Keys of the input, each with a bit of it: what is written is found again, and nothing else. */
static void write_seen(struct memory *memory, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(struct seen));
    auto_(seen_list) back = NULL;
    while (reader_left(&reader) > 0) {
        struct slice key = reader_prefixed(&reader);
        struct seen one = {.key = key, .present = key.len % 2 == 0, .stored = digest_bytes(key, 7)};
        if (reader.ok)
            g_array_append_val(seen, one);
    }
    auto_(seen_list) list = seen_list_new((const struct seen *)(void *)seen->data, seen->len);
    g_assert(seen_list_write_durable(list, &memory->world, SEEN, uid, NULL));
    g_assert(seen_list_open(&back, &memory->world, SEEN, uid, NULL));
    g_assert(digest_equal(seen_list_digest(list), seen_list_digest(back)));
    for (guint i = 0; i < seen->len; i++) {
        const struct seen *one = &g_array_index(seen, struct seen, i);
        struct digest stored;
        g_assert(seen_list_find(back, one->key, &stored) == (one->present ? SEEN_PRESENT : SEEN_ABSENT));
    }
}

static void read_seen(struct memory *memory, struct slice bytes)
{
    auto_(seen_list) list = NULL;
    memory_put(memory, SEEN, bytes.data, bytes.len);
    if (seen_list_open(&list, &memory->world, SEEN, NULL, NULL))
        seen_list_find(list, bytes, &(struct digest){0});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const WAYS[])(struct memory * memory, struct slice bytes) = {read_report, write_seen, read_seen};
    struct memory memory;
    if (len == 0)
        return 0;
    memory_init(&memory);
    WAYS[data[0] % G_N_ELEMENTS(WAYS)](&memory, slice_of(data + 1, len - 1));
    memory_done(&memory);
    return 0;
}
