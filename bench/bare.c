/* The limit: bare loops over the same libraries, on as many threads, in the same order and batches, one sync at the end.
 *
 *     bare load FILE DIR THREADS         parse NDJSON, put into the column family `items`
 *     bare load-lua FILE DIR THREADS     the same with one Lua call a document
 *     bare repair COUNT DIR THREADS      read, change and put each record in transactions of get_for_update
 *     bare repair-blind COUNT DIR THREADS   the same with get and put, whatever happens in between
 *     bare verify FILE DIR THREADS       parse NDJSON, sorted multi-get, compare
 *
 * No undo log, no fences, no checkpoints, no contract: what is left is what a script would do at best. */
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/int.h"
#include "record/document.h"
#include "store/rocksdb/rocks.h"

#define BATCH 2000u

struct bare {
    struct rocks_options options;
    rocksdb_t *db;                  /* plain */
    rocksdb_transactiondb_t *txn_db; /* repair */
    rocksdb_column_family_handle_t *families[2];
    const char *text;
    size_t len;
    const char *mode;
};

struct part {
    struct bare *bare;
    const char *from, *to;  /* of the text */
    uint64_t first, count;  /* of the keys */
    uint64_t records, equal;
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

/* --- load ------------------------------------------------------------------------------------------------------------- */

/* A Lua function that is called once a document and gives it back; what the document costs to reach from Lua is sluice's. */
static lua_State *identity(void)
{
    lua_State *lua = luaL_newstate();
    luaL_openlibs(lua);
    if (luaL_dostring(lua, "function transform(doc, ctx) return doc end"))
        die("lua", lua_tostring(lua, -1));
    return lua;
}

static void call_identity(lua_State *lua, struct slice document)
{
    lua_getglobal(lua, "transform");
    lua_pushlightuserdata(lua, (void *)document.data);
    lua_newtable(lua);
    if (lua_pcall(lua, 2, 1, 0))
        die("lua", lua_tostring(lua, -1));
    lua_pop(lua, 1);
}

static void *load_part(void *self)
{
    struct part *part = self;
    struct bare *bare = part->bare;
    struct arena *mem = arena_new(64u << 20);
    lua_State *lua = strcmp(bare->mode, "load-lua") == 0 ? identity() : NULL;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    const char *at = part->from;
    while (at < part->to) {
        arena_reset(mem);
        for (unsigned i = 0; i < BATCH && at < part->to; i++) {
            struct slice document = parse_line(&at, part->to, mem), key = key_of(document);
            if (lua)
                call_identity(lua, document);
            rocksdb_writebatch_put_cf(batch, bare->families[1], (const char *)key.data, key.len,
                                      (const char *)document.data, document.len);
            part->records++;
        }
        char *message = NULL;
        rocksdb_write(bare->db, bare->options.write, batch, &message);
        check(message);
        rocksdb_writebatch_clear(batch);
    }
    rocksdb_writebatch_destroy(batch);
    if (lua)
        lua_close(lua);
    arena_free(mem);
    return NULL;
}

/* --- repair ----------------------------------------------------------------------------------------------------------- */

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
            char *live = rocksdb_transaction_get_for_update_cf(txn, bare->options.read, bare->families[1], key,
                                                               strlen(key), &len, true, &message);
            check(message);
            if (!live)
                die(key, "is not there");
            changed(live, len, value);
            rocksdb_transaction_put_cf(txn, bare->families[1], key, strlen(key), (const char *)value->data, value->len,
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
            char *live = rocksdb_get_cf(bare->db, bare->options.read, bare->families[1], key, strlen(key), &len, &message);
            check(message);
            if (!live)
                die(key, "is not there");
            changed(live, len, value);
            rocksdb_writebatch_put_cf(batch, bare->families[1], key, strlen(key), (const char *)value->data, value->len);
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

/* --- verify ----------------------------------------------------------------------------------------------------------- */

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
    rocksdb_batched_multi_get_cf(part->bare->db, part->bare->options.read, part->bare->families[1], n, keys, lens, values,
                                 messages, true);
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        check(messages[i]);
        const char *live = values[i] ? rocksdb_pinnableslice_value(values[i], &len) : NULL;
        /* sluice stores an envelope of one byte before the document */
        part->equal += live && len == wanted[i].document.len + 1 && memcmp(live + 1, wanted[i].document.data, len - 1) == 0;
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

/* --- all together ------------------------------------------------------------------------------------------------------- */

static void open_db(struct bare *bare, const char *dir, bool transactions)
{
    const char *names[] = {"default", "items"};
    const rocksdb_options_t *options[2];
    char *message = NULL;
    rocks_options_init(&bare->options);
    options[0] = options[1] = bare->options.records;
    rocksdb_options_set_create_if_missing(bare->options.records, true);
    rocksdb_options_set_create_missing_column_families(bare->options.records, true);
    if (transactions) {
        rocksdb_transactiondb_options_t *txn = rocksdb_transactiondb_options_create();
        bare->txn_db = rocksdb_transactiondb_open_column_families(bare->options.records, txn, dir, 2, names, options,
                                                                  bare->families, &message);
    } else {
        bare->db = rocksdb_open_column_families(bare->options.records, dir, 2, names, options, bare->families, &message);
    }
    check(message);
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

static void run_parts(struct bare *bare, unsigned threads, uint64_t count, void *(*body)(void *))
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
    uint64_t records = 0, equal = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        records += parts[i].records;
        equal += parts[i].equal;
    }
    printf("{\"records\": %" PRIu64 ", \"equal\": %" PRIu64 "}\n", records, equal);
}

static void sync_all(struct bare *bare)
{
    char *message = NULL;
    if (bare->db)
        rocksdb_flush_wal(bare->db, true, &message);
    check(message);
}

static const struct {
    const char *mode;
    bool text, transactions;
    void *(*body)(void *);
} MODES[] = {
    {"load", true, false, load_part},       {"load-lua", true, false, load_part},
    {"verify", true, false, verify_part},   {"repair", false, true, repair_part},
    {"repair-blind", false, false, repair_blind_part},
};

int main(int argc, char **argv)
{
    struct bare bare = {.mode = argc > 1 ? argv[1] : ""};
    uint64_t threads = 0, count = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(MODES); i++) {
        if (strcmp(MODES[i].mode, bare.mode) != 0 || argc != 5)
            continue;
        bool ok = int_parse_u64(slice_of_text(argv[4]), &threads) &&
                  (MODES[i].text || int_parse_u64(slice_of_text(argv[2]), &count));
        if (!ok || threads == 0 || threads > 64)
            die(argv[4], "a number of threads was expected");
        if (MODES[i].text)
            map_text(&bare, argv[2]);
        open_db(&bare, argv[3], MODES[i].transactions);
        run_parts(&bare, (unsigned)threads, count, MODES[i].body);
        sync_all(&bare);
        return 0;
    }
    fprintf(stderr, "usage: bare load|load-lua|verify FILE DIR THREADS, bare repair|repair-blind COUNT DIR THREADS\n");
    return 2;
}
