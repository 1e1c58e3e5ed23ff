/* The record of a run, as somebody hands it over: its files one behind the other, with a byte of zero between them.
 * Whatever they hold there is a verdict, or there is no bundle; and an entry of the ledger is written as it was read.
 */
#include "audit/files.h"
#include "fuzz.h"
#include "memory.h"
#include "parts.h"

#define FOLDER "/record/"

static const char *const FILES[] = {BUNDLE_MANIFEST,       BUNDLE_LEDGER,    BUNDLE_PLAN,
                                    "texts/1-spec-f.yaml", "reports/1.json", "reports/1.ndjson"};

static void put_entry(json_t *line)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct ledger_entry entry, back;
    uint8_t first[32], second[32];
    g_autoptr(GString) text = g_string_new(NULL);
    if (!bundle_entry_read(line, mem, &entry) || !bundle_entry_put(text, &entry, NULL))
        return;
    json_t *again = json_loadb(text->str, text->len, 0, NULL);
    g_assert(again && bundle_entry_read(again, mem, &back));
    json_decref(again);
    ledger_entry_digest(&entry, first);
    ledger_entry_digest(&back, second);
    g_assert(memcmp(first, second, sizeof first) == 0);
}

static void put_entries(struct slice ledger)
{
    json_t *line = json_loadb((const char *)ledger.data, ledger.len, JSON_DISABLE_EOF_CHECK, NULL);
    if (line)
        put_entry(line);
    json_decref(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct memory memory;
    struct bundle_verdict verdict;
    g_autoptr(GError) failed = NULL;
    struct slice rest = slice_of(data, len);
    static const uint8_t head[32];
    memory_init(&memory);
    for (size_t i = 0; i < G_N_ELEMENTS(FILES) && rest.len > 0; i++) {
        struct slice part = next_part(&rest);
        g_autofree char *path = g_strconcat(FOLDER, FILES[i], NULL);
        memory_put(&memory, path, part.data, part.len);
        if (i == 1)
            put_entries(part);
    }
    if (audit_bundle_verify(&memory.world, FOLDER, len % 2 ? head : NULL, &verdict, &failed)) {
        g_assert(verdict.run && verdict.checks->len > 0);
        bundle_verdict_done(&verdict);
    } else {
        g_assert(failed);
    }
    memory_done(&memory);
    return 0;
}
