/* librocksdb, loaded with the first database that is opened: see base/later.h. */
#include "base/later.h"
#include "store/rocksdb/library_name.h"
#include "store/rocksdb/rocks.h"

/* Each of its releases is a file, and a package, of its own name: those of the one that this was built with. */
static struct later library = {.file = ROCKSDB_FILE, .package = ROCKSDB_PACKAGE};

bool rocks_library_load(GError **error)
{
    return later_load(&library, error);
}

#define ROCKS(returns, name, parameters, arguments) LATER(library, returns, name, parameters, arguments)

ROCKS(rocksdb_t *, rocksdb_open_column_families,
      (const rocksdb_options_t *options, const char *name, int num_column_families,
       const char *const *column_family_names, const rocksdb_options_t *const *column_family_options,
       rocksdb_column_family_handle_t **column_family_handles, char **errptr),
      (options, name, num_column_families, column_family_names, column_family_options, column_family_handles, errptr))
ROCKS(rocksdb_t *, rocksdb_open_for_read_only_column_families,
      (const rocksdb_options_t *options, const char *name, int num_column_families,
       const char *const *column_family_names, const rocksdb_options_t *const *column_family_options,
       rocksdb_column_family_handle_t **column_family_handles, unsigned char error_if_wal_file_exists, char **errptr),
      (options, name, num_column_families, column_family_names, column_family_options, column_family_handles,
       error_if_wal_file_exists, errptr))
ROCKS(char **, rocksdb_list_column_families,
      (const rocksdb_options_t *options, const char *name, size_t *lencf, char **errptr),
      (options, name, lencf, errptr))
ROCKS(void, rocksdb_list_column_families_destroy, (char **list, size_t len), (list, len))
ROCKS(rocksdb_column_family_handle_t *, rocksdb_create_column_family,
      (rocksdb_t * db, const rocksdb_options_t *column_family_options, const char *column_family_name, char **errptr),
      (db, column_family_options, column_family_name, errptr))
ROCKS(void, rocksdb_drop_column_family, (rocksdb_t * db, rocksdb_column_family_handle_t *handle, char **errptr),
      (db, handle, errptr))
ROCKS(void, rocksdb_column_family_handle_destroy, (rocksdb_column_family_handle_t * a), (a))
ROCKS(void, rocksdb_close, (rocksdb_t * db), (db))
ROCKS(void, rocksdb_set_options_cf,
      (rocksdb_t * db, rocksdb_column_family_handle_t *handle, int count, const char *const keys[],
       const char *const values[], char **errptr),
      (db, handle, count, keys, values, errptr))
ROCKS(void, rocksdb_put_cf,
      (rocksdb_t * db, const rocksdb_writeoptions_t *options, rocksdb_column_family_handle_t *column_family,
       const char *key, size_t keylen, const char *val, size_t vallen, char **errptr),
      (db, options, column_family, key, keylen, val, vallen, errptr))
ROCKS(void, rocksdb_write,
      (rocksdb_t * db, const rocksdb_writeoptions_t *options, rocksdb_writebatch_t *batch, char **errptr),
      (db, options, batch, errptr))
ROCKS(void, rocksdb_batched_multi_get_cf,
      (rocksdb_t * db, const rocksdb_readoptions_t *options, rocksdb_column_family_handle_t *column_family,
       size_t num_keys, const char *const *keys_list, const size_t *keys_list_sizes, rocksdb_pinnableslice_t **values,
       char **errs, const bool sorted_input),
      (db, options, column_family, num_keys, keys_list, keys_list_sizes, values, errs, sorted_input))
ROCKS(rocksdb_iterator_t *, rocksdb_create_iterator_cf,
      (rocksdb_t * db, const rocksdb_readoptions_t *options, rocksdb_column_family_handle_t *column_family),
      (db, options, column_family))
ROCKS(void, rocksdb_flush_cf,
      (rocksdb_t * db, const rocksdb_flushoptions_t *options, rocksdb_column_family_handle_t *column_family,
       char **errptr),
      (db, options, column_family, errptr))
ROCKS(void, rocksdb_flush_wal, (rocksdb_t * db, unsigned char sync, char **errptr), (db, sync, errptr))
ROCKS(void, rocksdb_iter_destroy, (rocksdb_iterator_t * a), (a))
ROCKS(unsigned char, rocksdb_iter_valid, (const rocksdb_iterator_t *a), (a))
ROCKS(void, rocksdb_iter_seek_to_first, (rocksdb_iterator_t * a), (a))
ROCKS(void, rocksdb_iter_seek_to_last, (rocksdb_iterator_t * a), (a))
ROCKS(void, rocksdb_iter_seek, (rocksdb_iterator_t * a, const char *k, size_t klen), (a, k, klen))
ROCKS(void, rocksdb_iter_next, (rocksdb_iterator_t * a), (a))
ROCKS(const char *, rocksdb_iter_key, (const rocksdb_iterator_t *a, size_t *klen), (a, klen))
ROCKS(const char *, rocksdb_iter_value, (const rocksdb_iterator_t *a, size_t *vlen), (a, vlen))
ROCKS(void, rocksdb_iter_get_error, (const rocksdb_iterator_t *a, char **errptr), (a, errptr))
ROCKS(rocksdb_writebatch_t *, rocksdb_writebatch_create, (void), ())
ROCKS(void, rocksdb_writebatch_destroy, (rocksdb_writebatch_t * a), (a))
ROCKS(void, rocksdb_writebatch_clear, (rocksdb_writebatch_t * a), (a))
ROCKS(void, rocksdb_writebatch_put_cf,
      (rocksdb_writebatch_t * a, rocksdb_column_family_handle_t *column_family, const char *key, size_t klen,
       const char *val, size_t vlen),
      (a, column_family, key, klen, val, vlen))
ROCKS(void, rocksdb_writebatch_delete_cf,
      (rocksdb_writebatch_t * a, rocksdb_column_family_handle_t *column_family, const char *key, size_t klen),
      (a, column_family, key, klen))
ROCKS(rocksdb_block_based_table_options_t *, rocksdb_block_based_options_create, (void), ())
ROCKS(void, rocksdb_block_based_options_destroy, (rocksdb_block_based_table_options_t * options), (options))
ROCKS(void, rocksdb_block_based_options_set_metadata_block_size,
      (rocksdb_block_based_table_options_t * options, uint64_t metadata_block_size), (options, metadata_block_size))
ROCKS(void, rocksdb_block_based_options_set_partition_filters,
      (rocksdb_block_based_table_options_t * options, unsigned char partition_filters), (options, partition_filters))
ROCKS(void, rocksdb_block_based_options_set_filter_policy,
      (rocksdb_block_based_table_options_t * options, rocksdb_filterpolicy_t *filter_policy), (options, filter_policy))
ROCKS(void, rocksdb_block_based_options_set_block_cache,
      (rocksdb_block_based_table_options_t * options, rocksdb_cache_t *block_cache), (options, block_cache))
ROCKS(void, rocksdb_block_based_options_set_format_version, (rocksdb_block_based_table_options_t * a, int b), (a, b))
ROCKS(void, rocksdb_block_based_options_set_index_type, (rocksdb_block_based_table_options_t * a, int b), (a, b))
ROCKS(void, rocksdb_block_based_options_set_cache_index_and_filter_blocks,
      (rocksdb_block_based_table_options_t * a, unsigned char b), (a, b))
ROCKS(void, rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority,
      (rocksdb_block_based_table_options_t * a, unsigned char b), (a, b))
ROCKS(void, rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache,
      (rocksdb_block_based_table_options_t * a, unsigned char b), (a, b))
ROCKS(void, rocksdb_block_based_options_set_pin_top_level_index_and_filter,
      (rocksdb_block_based_table_options_t * a, unsigned char b), (a, b))
ROCKS(void, rocksdb_options_set_block_based_table_factory,
      (rocksdb_options_t * opt, rocksdb_block_based_table_options_t *table_options), (opt, table_options))
ROCKS(rocksdb_options_t *, rocksdb_options_create, (void), ())
ROCKS(void, rocksdb_options_set_disable_auto_compactions, (rocksdb_options_t * a, int b), (a, b))
ROCKS(void, rocksdb_options_destroy, (rocksdb_options_t * a), (a))
ROCKS(void, rocksdb_options_set_create_if_missing, (rocksdb_options_t * a, unsigned char b), (a, b))
ROCKS(void, rocksdb_options_set_create_missing_column_families, (rocksdb_options_t * a, unsigned char b), (a, b))
ROCKS(void, rocksdb_options_set_info_log_level, (rocksdb_options_t * a, int b), (a, b))
ROCKS(void, rocksdb_options_set_write_buffer_size, (rocksdb_options_t * a, size_t b), (a, b))
ROCKS(void, rocksdb_options_set_max_open_files, (rocksdb_options_t * a, int b), (a, b))
ROCKS(void, rocksdb_options_set_max_file_opening_threads, (rocksdb_options_t * a, int b), (a, b))
ROCKS(void, rocksdb_options_set_max_total_wal_size, (rocksdb_options_t * opt, uint64_t n), (opt, n))
ROCKS(void, rocksdb_options_set_level_compaction_dynamic_level_bytes, (rocksdb_options_t * a, unsigned char b), (a, b))
ROCKS(void, rocksdb_options_set_skip_stats_update_on_db_open, (rocksdb_options_t * opt, unsigned char val), (opt, val))
ROCKS(void, rocksdb_options_set_max_write_buffer_number, (rocksdb_options_t * a, int b), (a, b))
ROCKS(void, rocksdb_options_set_max_background_jobs, (rocksdb_options_t * a, int b), (a, b))
ROCKS(void, rocksdb_options_set_max_log_file_size, (rocksdb_options_t * a, size_t b), (a, b))
ROCKS(void, rocksdb_options_set_keep_log_file_num, (rocksdb_options_t * a, size_t b), (a, b))
ROCKS(void, rocksdb_options_set_stats_dump_period_sec, (rocksdb_options_t * a, unsigned int b), (a, b))
ROCKS(void, rocksdb_options_set_stats_persist_period_sec, (rocksdb_options_t * a, unsigned int b), (a, b))
ROCKS(void, rocksdb_options_set_bytes_per_sync, (rocksdb_options_t * a, uint64_t b), (a, b))
ROCKS(void, rocksdb_options_set_wal_bytes_per_sync, (rocksdb_options_t * a, uint64_t b), (a, b))
ROCKS(void, rocksdb_options_set_memtable_prefix_bloom_size_ratio, (rocksdb_options_t * a, double b), (a, b))
ROCKS(void, rocksdb_options_set_compression, (rocksdb_options_t * a, int b), (a, b))
ROCKS(rocksdb_filterpolicy_t *, rocksdb_filterpolicy_create_bloom_full, (double bits_per_key), (bits_per_key))
ROCKS(rocksdb_readoptions_t *, rocksdb_readoptions_create, (void), ())
ROCKS(void, rocksdb_set_perf_level, (int level), (level))
ROCKS(void, rocksdb_readoptions_destroy, (rocksdb_readoptions_t * a), (a))
ROCKS(void, rocksdb_readoptions_set_fill_cache, (rocksdb_readoptions_t * a, unsigned char b), (a, b))
ROCKS(void, rocksdb_readoptions_set_iterate_upper_bound, (rocksdb_readoptions_t * a, const char *key, size_t keylen),
      (a, key, keylen))
ROCKS(void, rocksdb_readoptions_set_readahead_size, (rocksdb_readoptions_t * a, size_t b), (a, b))
ROCKS(rocksdb_writeoptions_t *, rocksdb_writeoptions_create, (void), ())
ROCKS(void, rocksdb_writeoptions_destroy, (rocksdb_writeoptions_t * a), (a))
ROCKS(void, rocksdb_writeoptions_set_sync, (rocksdb_writeoptions_t * a, unsigned char b), (a, b))
ROCKS(rocksdb_flushoptions_t *, rocksdb_flushoptions_create, (void), ())
ROCKS(void, rocksdb_flushoptions_destroy, (rocksdb_flushoptions_t * a), (a))
ROCKS(void, rocksdb_flushoptions_set_wait, (rocksdb_flushoptions_t * a, unsigned char b), (a, b))
ROCKS(rocksdb_cache_t *, rocksdb_cache_create_lru, (size_t capacity), (capacity))
ROCKS(void, rocksdb_cache_destroy, (rocksdb_cache_t * cache), (cache))
ROCKS(void, rocksdb_free, (void *ptr), (ptr))
ROCKS(rocksdb_pinnableslice_t *, rocksdb_get_pinned_cf,
      (rocksdb_t * db, const rocksdb_readoptions_t *options, rocksdb_column_family_handle_t *column_family,
       const char *key, size_t keylen, char **errptr),
      (db, options, column_family, key, keylen, errptr))
ROCKS(void, rocksdb_pinnableslice_destroy, (rocksdb_pinnableslice_t * v), (v))
ROCKS(const char *, rocksdb_pinnableslice_value, (const rocksdb_pinnableslice_t *t, size_t *vlen), (t, vlen))
ROCKS(void, rocksdb_options_set_memtable_whole_key_filtering, (rocksdb_options_t * a, unsigned char b), (a, b))
ROCKS(int, rocksdb_property_int_cf,
      (rocksdb_t * db, rocksdb_column_family_handle_t *column_family, const char *propname, uint64_t *out_val),
      (db, column_family, propname, out_val))
