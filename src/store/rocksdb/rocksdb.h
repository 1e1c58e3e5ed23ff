/* `rocksdb:DIR`: the embedded store. A dataset is a column family, made by the first write to it.
 *
 * One process at a time has the directory open; within it all writes go through this driver. So what makes `cas` atomic
 * is a latch on the keys of a call (latch.h) around one RocksDB write batch that holds the records and the fence:
 * either all of it is in the log or none. RocksDB's own TransactionDB would do the same at twice the cost for each
 * record (docs/drivers.md has the measurements), and its C interface lacks sorted multi-gets and estimates per column
 * family.
 *
 * The column families `sluice.…` are sluice's own and no datasets: sluice.fence (a row for each run and partition, see
 * fence.h) and sluice.meta (`format`, and a row `lock/DATASET` for each locked dataset).
 *
 * Threads: as store.h says. Reads see single records as they are; a scan sees the state of its opening. */
#pragma once

#include "store/store.h"

extern const struct store_driver rocksdb_driver;
