#include "conformance/stand.h"
#include "store/mem/mem.h"

#define KEYED                                                                                                          \
    (NEEDS(SCAN) | NEEDS(READ) | NEEDS(SPLIT) | NEEDS(LIST) | NEEDS(CAS) | NEEDS(FENCE) | NEEDS(SETTLE) | NEEDS(LOCK))

/* --- mem ---------------------------------------------------------------------------------------------------------- */

static void mem_set_up(struct stand *stand)
{
    struct mem_driver *driver = g_new0(struct mem_driver, 1);
    mem_driver_init(driver, mem_space_new());
    stand->own = driver;
    stand->drivers[0] = &driver->table;
    stand->uri = g_strdup("mem:conformance");
}

static void mem_tear_down(struct stand *stand)
{
    struct mem_driver *driver = stand->own;
    mem_space_free(driver->space);
    g_free(driver);
}

/* --- rocksdb ------------------------------------------------------------------------------------------------------ */

static void rocksdb_set_up(struct stand *stand)
{
    stand->uri = g_strdup("rocksdb:db"); /* relative to stand->dir */
}

const struct subject subjects[] = {
    {"mem", KEYED, mem_set_up, mem_tear_down},
    {"rocksdb", KEYED, rocksdb_set_up, NULL},
};
const size_t subject_count = G_N_ELEMENTS(subjects);
