#include "metrics/memory.h"

#include "base/file.h"
#include "catalog/ledger.h"
#include "plan/home.h"
#include "quarantine/quarantine.h"

#define AUDIT_MS    INT64_C(60000)
#define ENTRY_BYTES (128u << 20)

/* A quarantine as it was when it was counted. */
struct counted {
    struct world_stat stat;
    GHashTable *of;
};

struct metrics_memory {
    GHashTable *counted; /* NAME.N: struct counted */
    uint64_t entries;
    double share;
    int64_t audited_ms; /* 0: never */
};

static void counted_free(void *data)
{
    struct counted *counted = data;
    g_hash_table_unref(counted->of);
    g_free(counted);
}

struct metrics_memory *metrics_memory_new(void)
{
    struct metrics_memory *memory = g_new0(struct metrics_memory, 1);
    memory->counted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, counted_free);
    return memory;
}

void metrics_memory_free(struct metrics_memory *memory)
{
    if (memory)
        g_hash_table_unref(memory->counted);
    g_free(memory);
}

/* --- the quarantine ----------------------------------------------------------------------------------------------- */

static void add_one(GHashTable *counts, const char *code)
{
    gsize n = GPOINTER_TO_SIZE(g_hash_table_lookup(counts, code));
    g_hash_table_replace(counts, g_strdup(code), GSIZE_TO_POINTER(n + 1));
}

/* A file may hold any word; a label may not. */
static const char *class_of(const char *code)
{
    for (int i = 0; i < SLUICE_ERROR_COUNT; i++)
        if (strcmp(error_row((enum error_code)i)->name, code) == 0)
            return code;
    return "unknown";
}

static bool count_rows(struct metrics_source *source, const struct run_row *run, const char *path, GHashTable *into)
{
    auto_(quarantine_reader) reader = NULL;
    auto_(arena) mem = arena_new(ENTRY_BYTES);
    struct quarantine_filter filter = {0};
    struct quarantine_entry *entry;
    struct quarantine_config config = {.world = source->world, .path = path, .sealed_as = "quarantine"};
    memcpy(config.run_uid, run->uid, sizeof run->uid);
    if (!quarantine_reader_open(&reader, &config, &filter, NULL))
        return false;
    do {
        arena_reset(mem);
        if (!quarantine_next(reader, mem, &entry, NULL))
            return false;
        if (entry)
            add_one(into, class_of(entry->code));
    } while (entry);
    return true;
}

static bool is_as_it_was(const struct world_stat *a, const struct world_stat *b)
{
    return a->size == b->size && a->inode == b->inode && a->mtime_ns == b->mtime_ns;
}

GHashTable *metrics_memory_rejected(struct metrics_source *source, const struct run_row *run)
{
    struct metrics_memory *memory = source->memory;
    g_autofree char *path = home_path(catalog_home(source->catalog), HOME_QUARANTINE, run->name);
    struct world_stat stat = {0};
    struct counted *counted = g_hash_table_lookup(memory->counted, run->name);
    if (file_exists(source->world, path) && !file_stat_path(source->world, path, &stat, NULL))
        return NULL;
    if (counted && is_as_it_was(&counted->stat, &stat))
        return counted->of;
    g_autoptr(GHashTable) of = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (stat.size > 0 && !count_rows(source, run, path, of))
        return NULL;
    counted = g_new0(struct counted, 1);
    counted->stat = stat;
    counted->of = g_steal_pointer(&of);
    g_hash_table_replace(memory->counted, g_strdup(run->name), counted);
    return counted->of;
}

/* --- the ledger --------------------------------------------------------------------------------------------------- */

bool metrics_memory_audit(struct metrics_source *source, uint64_t *ret_entries, double *ret_share, GError **error)
{
    struct metrics_memory *memory = source->memory;
    int64_t now_ms = world_wall_ms(source->world);
    uint8_t head[32];
    uint64_t entries;
    if (!ledger_head(source->catalog, &entries, head, error))
        return false;
    if (memory->audited_ms == 0 || entries != memory->entries || now_ms - memory->audited_ms > AUDIT_MS) {
        auto_(arena) mem = arena_new(64u << 20);
        struct ledger_verdict verdict;
        if (!ledger_verify(source->catalog, NULL, mem, &verdict, error))
            return false;
        memory->entries = entries;
        memory->audited_ms = now_ms;
        memory->share = verdict.ok || entries == 0 ? 1 : (double)(verdict.number - 1) / (double)entries;
    }
    *ret_entries = memory->entries;
    *ret_share = memory->share;
    return true;
}
