#include "store/rocksdb/rocks.h"

#define MIB ((size_t)1 << 20)

/* A full write buffer is what an opening after a crash has to read again: 16 MiB take 150 ms, 64 MiB 800. */
enum { WRITE_BUFFER_MIB = 16, WRITE_BUFFERS = 4, OWN_BUFFER_MIB = 1, WAL_MIB = 48, CACHE_MIB = 64 };
enum { BLOCK_INDEX_PARTITIONED = 2, BLOOM_BITS = 10, TABLE_FORMAT = 5, OPEN_FILES = 512 };
/* RocksDB begins so many threads for each column family that has a file, whenever it opens a store; sixteen where
 * nothing is said, which opening a small one has to wait for. Where OPEN_FILES are bounded it opens few files
 * then. */
enum { OPENING_THREADS = 4 };
enum { INDEX_PARTITION_BYTES = 32 << 10 };
enum { LOG_WARN = 2, LOGS_KEPT = 2 };

/* A memtable's Bloom filter: without it a key that is not there costs a search in every memtable. */
#define MEMTABLE_BLOOM_SHARE 0.04

/* Index and filter in partitions that take part in the cache: whole ones do not fit into a small cache and are read
 * again and again, or, outside of it, grow with the data. Of 32 KiB: at RocksDB's 4 KiB the search for a missing key
 * costs a quarter more, most of it in the cache's table. */
static rocksdb_block_based_table_options_t *table_options(rocksdb_cache_t *cache)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_format_version(table, TABLE_FORMAT);
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_index_type(table, BLOCK_INDEX_PARTITIONED);
    rocksdb_block_based_options_set_partition_filters(table, true);
    rocksdb_block_based_options_set_metadata_block_size(table, INDEX_PARTITION_BYTES);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, true);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, true);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, true);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, true);
    return table;
}

static rocksdb_options_t *common_options(rocksdb_cache_t *cache, size_t write_buffer)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_write_buffer_size(options, write_buffer);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, true);
    rocksdb_block_based_table_options_t *table = table_options(cache);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    return options;
}

/* Those of the database: only the first column family's are looked at. */
static void set_database(rocksdb_options_t *options)
{
    rocksdb_options_set_max_background_jobs(options, 2);
    /* Column families that are hardly written to must not hold back the log for ever. */
    rocksdb_options_set_max_total_wal_size(options, WAL_MIB * MIB);
    rocksdb_options_set_max_open_files(options, OPEN_FILES);
    rocksdb_options_set_max_file_opening_threads(options, OPENING_THREADS);
    rocksdb_options_set_bytes_per_sync(options, MIB);
    rocksdb_options_set_wal_bytes_per_sync(options, MIB);
    rocksdb_options_set_skip_stats_update_on_db_open(options, true);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_info_log_level(options, LOG_WARN);
    rocksdb_options_set_max_log_file_size(options, MIB);
    rocksdb_options_set_keep_log_file_num(options, LOGS_KEPT);
}

void rocks_options_init(struct rocks_options *ret)
{
    *ret = (struct rocks_options){.cache = rocksdb_cache_create_lru(CACHE_MIB * MIB)};
    ret->records = common_options(ret->cache, WRITE_BUFFER_MIB * MIB);
    rocksdb_options_set_max_write_buffer_number(ret->records, WRITE_BUFFERS);
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(ret->records, MEMTABLE_BLOOM_SHARE);
    rocksdb_options_set_memtable_whole_key_filtering(ret->records, true);
    set_database(ret->records);
    ret->small = common_options(ret->cache, OWN_BUFFER_MIB * MIB);
    ret->read = rocksdb_readoptions_create();
    ret->scan = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(ret->scan, false);
    ret->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(ret->write, false);
    ret->flush = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(ret->flush, true);
}

void rocks_options_done(struct rocks_options *options)
{
    rocksdb_flushoptions_destroy(options->flush);
    rocksdb_writeoptions_destroy(options->write);
    rocksdb_readoptions_destroy(options->scan);
    rocksdb_readoptions_destroy(options->read);
    rocksdb_options_destroy(options->small);
    rocksdb_options_destroy(options->records);
    rocksdb_cache_destroy(options->cache);
}
