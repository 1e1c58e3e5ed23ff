#include "store/calls.h"
#include "store/file/file.h"
#include "store/mem/mem.h"
#include "store/rocksdb/rocksdb.h"
#include "store/undo/undo_store.h"
#include "store/valkey/valkey.h"

/* The drivers of this sluice, in the order in which `sluice stores` lists them. */
static const struct store_driver *const drivers[] = {
    &file_driver, &rocksdb_driver, &valkey_driver, &mem_driver, &undo_driver, NULL,
};

const struct store_driver *const *store_drivers(void)
{
    return drivers;
}

static const struct capability_row capability_rows[] = {
#define ROW(code, name, test, words) {name, words},
#include "store/capability_rows.h"
#undef ROW
};

const struct capability_row *capability_row(enum capability capability)
{
    return &capability_rows[capability];
}

bool store_can(const struct store_driver *driver, enum capability capability)
{
    switch (capability) {
#define ROW(code, name, test, words)                                                                                   \
    case CAN_##code:                                                                                                   \
        return (test);
#include "store/capability_rows.h"
#undef ROW
    case CAN_COUNT:
        break;
    }
    return false;
}
