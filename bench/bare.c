/* The limit: bare loops over the same libraries, on as many threads, in the same order and batches, one sync at the
 * end.
 *
 *     bare load FILE DIR THREADS            parse NDJSON, put into the column family `items`
 *     bare load-lua FILE DIR THREADS        the same with one call of the sandbox a document
 *     bare repair COUNT DIR THREADS         read, change and put each record in transactions of get_for_update
 *     bare repair-blind COUNT DIR THREADS   the same with get and put, whatever happens in between
 *     bare verify FILE DIR THREADS          parse NDJSON, sorted multi-get, compare
 *     bare both FILE DIR THREADS            parse NDJSON, then scan all of the column family
 *     bare scan COUNT DIR THREADS           scan all of the column family
 *     bare list FILE DIR THREADS            parse NDJSON, sort the keys, write them to DIR/keys
 *     bare list-db - DIR 1                  write the keys of the column family to DIR/keys
 *     bare open - DIR 1                     open, and say how long it took
 *     bare compact - DIR 1                  compact the column family
 *
 * No undo log, no fences, no checkpoints, no contract: what is left is what a script would do at best. The line it
 * prints comes after the sync. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/int.h"
#include "record/document.h"
#include "sandbox/sandbox.h"
#include "store/rocksdb/rocks.h"

#define BATCH        2000u
#define FAMILY       "items"
#define MAX_FAMILIES 16

struct bare {
    struct rocks_options options;
    rocksdb_t *db;                   /* plain */
    rocksdb_transactiondb_t *txn_db; /* repair */
    rocksdb_column_family_handle_t *family;
    const char *text;
    size_t len;
    const char *mode, *dir;
};

struct part {
    struct bare *bare;
    const char *from, *to; /* of the text */
    uint64_t first, count; /* of the keys */
    uint64_t records, equal;
    GArray *keys; /* of struct slice, in `mem` */
    struct arena *mem;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bare: %s: %s\n", what, why);
    exit(1);
}

static void check(char *message)
{
    if (message)
        die("rocksdb", message);
}

static struct slice key_of(struct slice document)
{
    bson_t view;
    bson_iter_t iter;
    uint32_t len;
    if (!document_view(document, &view) || !bson_iter_init_find(&iter, &view, "id"))
        die("a document", "has no id");
    const char *text = bson_iter_utf8(&iter, &len);
    return slice_of(text, len);
}

static struct slice parse_line(const char **at, const char *to, struct arena *mem)
{
    const char *end = memchr(*at, '\n', (size_t)(to - *at));
    struct slice line = slice_of(*at, (size_t)((end ? end : to) - *at)), document;
    GError *error = NULL;
    if (!document_from_json(line, mem, &document, NULL, &error))
        die("parse", error->message);
    *at = end ? end + 1 : to;
    return document;
}

/* --- load
 * ------------------------------------------------------------------------------------------------------------- */

static const char IDENTITY[] = "function transform(doc, ctx) return doc end";

static struct sandbox *identity(void)
{
    struct sandbox_source source = {.name = "identity.lua", .text = slice_of_text(IDENTITY)};
    struct sandbox_config config = {.world = world_real(), .sources = &source, .n_sources = 1, .want_transform = true};
    struct sandbox *sandbox = NULL;
    GError *error = NULL;
    if (!sandbox_new(&sandbox, &config, &error))
        die("lua", error->message);
    return sandbox;
}

static struct slice call_identity(struct sandbox *sandbox, struct slice key, struct slice document, struct arena *mem)
{
    struct sandbox_context context = {.run = "bare", .spec = "bare", .key = key};
    struct sandbox_result result;
    GError *error = NULL;
    if (!sandbox_transform(sandbox, document, &context, mem, &result, &error))
        die("lua", error->message);
    return result.documents[0];
}

static void *load_part(void *self)
{
    struct part *part = self;
    struct bare *bare = part->bare;
    struct arena *mem = arena_new(64u << 20);
    struct sandbox *sandbox = strcmp(bare->mode, "load-lua") == 0 ? identity() : NULL;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    const char *at = part->from;
    while (at < part->to) {
        arena_reset(mem);
        for (unsigned i = 0; i < BATCH && at < part->to; i++) {
            struct slice document = parse_line(&at, part->to, mem), key = key_of(document);
            if (sandbox)
                document = call_identity(sandbox, key, document, mem);
            rocksdb_writebatch_put_cf(batch, bare->family, (const char *)key.data, key.len, (const char *)document.data,
                                      document.len);
            part->records++;
        }
        char *message = NULL;
        rocksdb_write(bare->db, bare->options.write, batch, &message);
        check(message);
        rocksdb_writebatch_clear(batch);
    }
    rocksdb_writebatch_destroy(batch);
    sandbox_free(sandbox);
    arena_free(mem);
    return NULL;
}

/* --- repair
 * ----------------------------------------------------------------------------------------------------------- */

static void key_text(uint64_t n, char into[16])
{
    g_snprintf(into, 16, "key%08" PRIu64, n);
}

/* One byte of the document changes: what a transform costs is not the loop's. */
static void changed(const char *value, size_t len, GByteArray *into)
{
    g_byte_array_set_size(into, 0);
    g_byte_array_append(into, (const guint8 *)value, (guint)len);
    into->data[len - 3] ^= 1;
}

static void *repair_part(void *self)
{
    struct part *part = self;
    struct bare *bare = part->bare;
    rocksdb_transaction_options_t *options = rocksdb_transaction_options_create();
    g_autoptr(GByteArray) value = g_byte_array_new();
    for (uint64_t n = part->first; n < part->first + part->count;) {
        rocksdb_transaction_t *txn = rocksdb_transaction_begin(bare->txn_db, bare->options.write, options, NULL);
        char *message = NULL;
        for (unsigned i = 0; i < BATCH && n < part->first + part->count; i++, n++) {
            char key[16];
            size_t len;
            key_text(n, key);
            char *live = rocksdb_transaction_get_for_update_cf(txn, bare->options.read, bare->family, key, strlen(key),
                                                               &len, true, &message);
            check(message);
            if (!live)
                die(key, "is not there");
            changed(live, len, value);
            rocksdb_transaction_put_cf(txn, bare->family, key, strlen(key), (const char *)value->data, value->len,
                                       &message);
            check(message);
            rocksdb_free(live);
            part->records++;
        }
        rocksdb_transaction_commit(txn, &message);
        check(message);
        rocksdb_transaction_destroy(txn);
    }
    rocksdb_transaction_options_destroy(options);
    return NULL;
}

static void *repair_blind_part(void *self)
{
    struct part *part = self;
    struct bare *bare = part->bare;
    g_autoptr(GByteArray) value = g_byte_array_new();
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (uint64_t n = part->first; n < part->first + part->count;) {
        char *message = NULL;
        for (unsigned i = 0; i < BATCH && n < part->first + part->count; i++, n++) {
            char key[16];
            size_t len;
            key_text(n, key);
            char *live = rocksdb_get_cf(bare->db, bare->options.read, bare->family, key, strlen(key), &len, &message);
            check(message);
            if (!live)
                die(key, "is not there");
            changed(live, len, value);
            rocksdb_writebatch_put_cf(batch, bare->family, key, strlen(key), (const char *)value->data, value->len);
            rocksdb_free(live);
            part->records++;
        }
        rocksdb_write(bare->db, bare->options.write, batch, &message);
        check(message);
        rocksdb_writebatch_clear(batch);
    }
    rocksdb_writebatch_destroy(batch);
    return NULL;
}

/* --- verify
 * ----------------------------------------------------------------------------------------------------------- */

struct wanted {
    struct slice key, document;
};

static int by_key(const void *a, const void *b)
{
    return slice_compare(((const struct wanted *)a)->key, ((const struct wanted *)b)->key);
}

static void multi_get(struct part *part, const struct wanted *wanted, size_t n)
{
    const char *keys[BATCH] = {0};
    size_t lens[BATCH] = {0};
    rocksdb_pinnableslice_t *values[BATCH];
    char *messages[BATCH];
    for (size_t i = 0; i < n; i++) {
        keys[i] = (const char *)wanted[i].key.data;
        lens[i] = wanted[i].key.len;
    }
    rocksdb_batched_multi_get_cf(part->bare->db, part->bare->options.read, part->bare->family, n, keys, lens, values,
                                 messages, true);
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        check(messages[i]);
        const char *live = values[i] ? rocksdb_pinnableslice_value(values[i], &len) : NULL;
        /* sluice stores an envelope of one byte before the document */
        part->equal +=
            live && len == wanted[i].document.len + 1 && memcmp(live + 1, wanted[i].document.data, len - 1) == 0;
        if (values[i])
            rocksdb_pinnableslice_destroy(values[i]);
    }
}

static void *verify_part(void *self)
{
    struct part *part = self;
    struct arena *mem = arena_new(64u << 20);
    struct wanted *wanted = g_new(struct wanted, BATCH);
    const char *at = part->from;
    while (at < part->to) {
        size_t n = 0;
        arena_reset(mem);
        while (n < BATCH && at < part->to) {
            wanted[n].document = parse_line(&at, part->to, mem);
            wanted[n].key = key_of(wanted[n].document);
            n++;
        }
        qsort(wanted, n, sizeof *wanted, by_key);
        multi_get(part, wanted, n);
        part->records += n;
    }
    g_free(wanted);
    arena_free(mem);
    return NULL;
}

/* --- scanning both sides
 * -------------------------------------------------------------------------------------------------
 */

static void *parse_part(void *self)
{
    struct part *part = self;
    struct arena *mem = arena_new(64u << 20);
    for (const char *at = part->from; at < part->to; part->records++) {
        if (part->records % BATCH == 0)
            arena_reset(mem);
        parse_line(&at, part->to, mem);
    }
    arena_free(mem);
    return NULL;
}

/* Each thread a stretch of the keys, as the records of the bench bear them. */
static void *scan_part(void *self)
{
    struct part *part = self;
    struct bare *bare = part->bare;
    char from[16], to[16];
    key_text(part->first, from);
    key_text(part->first + part->count, to);
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(bare->db, bare->options.scan, bare->family);
    for (rocksdb_iter_seek(at, from, strlen(from)); rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        size_t key_len, value_len;
        const char *key = rocksdb_iter_key(at, &key_len), *value = rocksdb_iter_value(at, &value_len);
        if (slice_compare(slice_of(key, key_len), slice_of_text(to)) >= 0)
            break;
        part->equal += value_len > 0 && value[0] != 0;
    }
    rocksdb_iter_destroy(at);
    return NULL;
}

static void *both_part(void *self)
{
    parse_part(self);
    return scan_part(self);
}

/* --- listing
 * ------------------------------------------------------------------------------------------------------------ */

static FILE *keys_file(const struct bare *bare)
{
    g_autofree char *path = g_build_filename(bare->dir, "keys", NULL);
    FILE *into = fopen(path, "we");
    if (!into)
        die(path, "cannot be written");
    return into;
}

static void key_write(FILE *into, struct slice key)
{
    uint32_t len = (uint32_t)key.len;
    if (fwrite(&len, sizeof len, 1, into) != 1 || fwrite(key.data, key.len, 1, into) != 1)
        die("keys", "cannot be written");
}

static void keys_end(FILE *into)
{
    if (fflush(into) != 0 || fsync(fileno(into)) != 0 || fclose(into) != 0)
        die("keys", "cannot be written");
}

static int by_bytes(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Each thread its stretch of the file, its keys sorted. */
static void *list_part(void *self)
{
    struct part *part = self;
    struct arena *mem = arena_new(64u << 20);
    part->keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    part->mem = arena_new((size_t)4 << 30);
    for (const char *at = part->from; at < part->to; part->records++) {
        struct slice key;
        if (part->records % BATCH == 0)
            arena_reset(mem);
        if (!arena_copy(part->mem, key_of(parse_line(&at, part->to, mem)), &key))
            die("keys", "do not fit into memory");
        g_array_append_val(part->keys, key);
    }
    g_array_sort(part->keys, by_bytes);
    arena_free(mem);
    return NULL;
}

static void list_merge(struct bare *bare, struct part *parts, unsigned n)
{
    guint at[64] = {0};
    FILE *into = keys_file(bare);
    for (;;) {
        const struct slice *least = NULL;
        unsigned of = 0;
        for (unsigned i = 0; i < n; i++) {
            const struct slice *key =
                at[i] < parts[i].keys->len ? &g_array_index(parts[i].keys, struct slice, at[i]) : NULL;
            if (key && (!least || slice_compare(*key, *least) < 0)) {
                least = key;
                of = i;
            }
        }
        if (!least)
            break;
        key_write(into, *least);
        at[of]++;
    }
    keys_end(into);
}

static void *list_db_part(void *self)
{
    struct part *part = self;
    struct bare *bare = part->bare;
    FILE *into = keys_file(bare);
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(bare->db, bare->options.scan, bare->family);
    for (rocksdb_iter_seek_to_first(at); rocksdb_iter_valid(at); rocksdb_iter_next(at), part->records++) {
        size_t len;
        const char *key = rocksdb_iter_key(at, &len);
        key_write(into, slice_of(key, len));
    }
    rocksdb_iter_destroy(at);
    keys_end(into);
    return NULL;
}

/* --- all together
 * ------------------------------------------------------------------------------------------------------- */

/* The families of what is there already, which RocksDB wants opened all; of a new directory the two that it needs. */
static size_t families_of(struct bare *bare, const char *dir, char **names)
{
    char *message = NULL;
    size_t n = 0;
    g_autofree char *current = g_build_filename(dir, "CURRENT", NULL);
    if (!g_file_test(current, G_FILE_TEST_EXISTS)) {
        names[0] = g_strdup("default");
        names[1] = g_strdup(FAMILY);
        return 2;
    }
    char **found = rocksdb_list_column_families(bare->options.records, dir, &n, &message);
    check(message);
    if (n > MAX_FAMILIES)
        die(dir, "has too many column families");
    for (size_t i = 0; i < n; i++)
        names[i] = g_strdup(found[i]);
    rocksdb_list_column_families_destroy(found, n);
    return n;
}

static void open_db(struct bare *bare, const char *dir, bool transactions, bool reads)
{
    char *names[MAX_FAMILIES] = {0}, *message = NULL;
    const rocksdb_options_t *options[MAX_FAMILIES];
    rocksdb_column_family_handle_t *handles[MAX_FAMILIES];
    rocks_options_init(&bare->options);
    rocksdb_options_set_create_if_missing(bare->options.records, true);
    rocksdb_options_set_create_missing_column_families(bare->options.records, true);
    rocksdb_options_set_disable_auto_compactions(bare->options.records, reads); /* as sluice, too, reads */
    size_t n = families_of(bare, dir, names);
    for (size_t i = 0; i < n; i++)
        options[i] = bare->options.records;
    if (transactions) {
        rocksdb_transactiondb_options_t *txn = rocksdb_transactiondb_options_create();
        bare->txn_db = rocksdb_transactiondb_open_column_families(
            bare->options.records, txn, dir, (int)n, (const char *const *)names, options, handles, &message);
    } else {
        bare->db = rocksdb_open_column_families(bare->options.records, dir, (int)n, (const char *const *)names, options,
                                                handles, &message);
    }
    check(message);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], FAMILY) == 0)
            bare->family = handles[i];
        g_free(names[i]);
    }
    if (!bare->family)
        die(dir, "has no column family '" FAMILY "'");
}

static void map_text(struct bare *bare, const char *path)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) != 0)
        die(path, "cannot be read");
    bare->len = (size_t)stat.st_size;
    bare->text = mmap(NULL, bare->len, PROT_READ, MAP_PRIVATE, fd, 0);
}

static struct part run_parts(struct bare *bare, unsigned threads, uint64_t count, void *(*body)(void *))
{
    struct part parts[64] = {0};
    pthread_t ids[64];
    const char *at = bare->text, *end = bare->text ? bare->text + bare->len : NULL;
    for (unsigned i = 0; i < threads; i++) {
        parts[i] = (struct part){.bare = bare, .first = count * i / threads};
        parts[i].count = count * (i + 1) / threads - parts[i].first;
        if (at) {
            const char *to = i + 1 == threads ? end : bare->text + bare->len * (i + 1) / threads;
            to = to == end ? end : (const char *)memchr(to, '\n', (size_t)(end - to)) + 1;
            parts[i].from = at;
            parts[i].to = at = to;
        }
        pthread_create(&ids[i], NULL, body, &parts[i]);
    }
    struct part sum = {0};
    for (unsigned i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    if (parts[0].keys)
        list_merge(bare, parts, threads);
    for (unsigned i = 0; i < threads; i++) {
        sum.records += parts[i].records;
        sum.equal += parts[i].equal;
    }
    return sum;
}

static void sync_all(struct bare *bare)
{
    char *message = NULL;
    if (bare->db)
        rocksdb_flush_wal(bare->db, true, &message);
    else
        rocksdb_transactiondb_flush_wal(bare->txn_db, true, &message);
    check(message);
}

static int64_t now_us(void)
{
    return world_monotonic_us(world_real());
}

static void *open_part(void *self)
{
    return self;
}

/* What is to be read in turn is in one state, whoever reads first. */
static void *compact_part(void *self)
{
    const struct part *part = self;
    rocksdb_compact_range_cf(part->bare->db, part->bare->family, NULL, 0, NULL, 0);
    return NULL;
}

static const struct {
    const char *mode;
    bool text, transactions, reads;
    void *(*body)(void *);
} MODES[] = {
    {"load", true, false, false, load_part},        {"load-lua", true, false, false, load_part},
    {"verify", true, false, true, verify_part},     {"both", true, false, true, both_part},
    {"repair", false, true, false, repair_part},    {"repair-blind", false, false, false, repair_blind_part},
    {"list", true, false, true, list_part},         {"list-db", false, false, true, list_db_part},
    {"scan", false, false, true, scan_part},        {"open", false, false, true, open_part},
    {"compact", false, false, false, compact_part},
};

/* Lines of the text: how many keys there are. */
static uint64_t lines_of(const struct bare *bare)
{
    const char *end = memchr(bare->text, '\n', bare->len);
    return end ? bare->len / (uint64_t)(end + 1 - bare->text) : 0;
}

static void run(struct bare *bare, size_t mode, char **argv)
{
    uint64_t threads = 0, count = 0;
    bool counted = MODES[mode].text || strcmp(argv[2], "-") == 0;
    if (!int_parse_u64(slice_of_text(argv[4]), &threads) || threads == 0 || threads > 64 ||
        (!counted && !int_parse_u64(slice_of_text(argv[2]), &count)))
        die(argv[4], "a count and a number of threads were expected");
    if (MODES[mode].text)
        map_text(bare, argv[2]);
    int64_t began_us = now_us();
    open_db(bare, argv[3], MODES[mode].transactions, MODES[mode].reads);
    int64_t open_us = now_us() - began_us;
    struct part sum = run_parts(bare, (unsigned)threads, MODES[mode].text ? lines_of(bare) : count, MODES[mode].body);
    sync_all(bare);
    printf("{\"records\": %" PRIu64 ", \"equal\": %" PRIu64 ", \"open_ms\": %.1f}\n", sum.records, sum.equal,
           (double)open_us / 1000);
}

int main(int argc, char **argv)
{
    struct bare bare = {.mode = argc > 1 ? argv[1] : "", .dir = argc > 3 ? argv[3] : ""};
    if (!rocks_library_load(NULL))
        return 1;
    for (size_t i = 0; i < G_N_ELEMENTS(MODES); i++) {
        if (strcmp(MODES[i].mode, bare.mode) != 0 || argc != 5)
            continue;
        run(&bare, i, argv);
        return 0;
    }
    fprintf(
        stderr,
        "usage: bare load|load-lua|verify|both|list FILE DIR THREADS, bare repair|repair-blind|scan COUNT DIR THREADS, "
        "bare open|list-db - DIR 1\n");
    return 2;
}
