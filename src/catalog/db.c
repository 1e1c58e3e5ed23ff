#include "catalog/db.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/file.h"
#include "catalog/holder.h"

/* A worker moves the log into the database by itself only where nobody else does so (catalog_tidy): at so many pages,
 * once in some 300 checkpoints. Sixteen times as many saves nothing that can be measured, but makes the log that a
 * killed process leaves slow to read at the next opening: 3 ms with 1,000 pages, 10 ms with 4,000. */
enum { AUTO_TIDY_PAGES = 1000 };

/* A run has some connections, and each would keep up to 2 MiB of a catalog: more the larger the run is. What is asked
 * for again and again are a few pages, which a small catalog has as well; the system has the others. Set behind what
 * reads the schema anyway. */
#define LITTLE_CACHE "PRAGMA cache_size=-128"

enum { BUSY_PATIENCE_US = 10 * 1000 * 1000, BUSY_SLEEP_US = 50, BUSY_SLEEP_MAX_US = 400 };

struct query {
    struct db *db;
    sqlite3_stmt *stmt;
    int put, got;
    int rc;            /* the first thing that went wrong while preparing or putting */
    const char *fault; /* the first thing that was wrong with a column */
    bool full;         /* the arena was */
    bool used;
};

struct db {
    sqlite3 *handle;
    const struct world *world;
    char *path;
    bool reads_only;
    bool in_transaction;
    bool poisoned;         /* a sync failed: nothing is written any more */
    int64_t busy_since_us; /* of the lock that is being waited for */
    struct query queries[SQL_COUNT];
};

static const char *const SQL_TEXTS[SQL_COUNT] = {
#define SQL(symbol, text) [SQL_##symbol] = text,
#include "catalog/sql_rows.h"
#undef SQL
};

/* --- errors
 * ----------------------------------------------------------------------------------------------------------- */

/* What a result of SQLite means to the one who asked. An extended code before its primary one; whatever is not here
 * counts as CATALOG. */
static const struct {
    int rc;
    enum error_code code;
    const char *words;
} RESULTS[] = {
    {SQLITE_IOERR_FSYNC, SLUICE_ERROR_SYNC_FAILED, "a write could not be made durable; look at the disk"},
    {SQLITE_IOERR_DIR_FSYNC, SLUICE_ERROR_SYNC_FAILED, "a write could not be made durable; look at the disk"},
    {SQLITE_FULL, SLUICE_ERROR_NO_SPACE, "the disk is full; free space and run the same command again"},
    {SQLITE_BUSY, SLUICE_ERROR_BUSY, "another process has kept it locked for ten seconds; try again"},
    {SQLITE_LOCKED, SLUICE_ERROR_BUSY, "another process has kept it locked for ten seconds; try again"},
    {SQLITE_READONLY, SLUICE_ERROR_NOT_PERMITTED,
     "the home may only be read; make it writable or name another with --home"},
    {SQLITE_PERM, SLUICE_ERROR_NOT_PERMITTED, "the home may not be used; look at its permissions"},
    {SQLITE_NOTADB, SLUICE_ERROR_CORRUPT,
     "it is damaged; keep it, put a copy of the whole home back, and run the same command again: the stores' fences "
     "refuse "
     "a copy that is too old"},
    {SQLITE_CORRUPT, SLUICE_ERROR_CORRUPT,
     "it is damaged; keep it, put a copy of the whole home back, and run the same command again: the stores' fences "
     "refuse "
     "a copy that is too old"},
    {SQLITE_INTERRUPT, SLUICE_ERROR_CANCELLED, "given up on request"},
};

static size_t result_find(int rc)
{
    for (size_t i = 0; i < G_N_ELEMENTS(RESULTS); i++)
        if (RESULTS[i].rc == rc)
            return i;
    for (size_t i = 0; i < G_N_ELEMENTS(RESULTS); i++)
        if (RESULTS[i].rc == (rc & 0xff))
            return i;
    return G_N_ELEMENTS(RESULTS);
}

static bool is_full(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

/* The system's own number of a failure. SQLite does not keep the one of a write that fails within COMMIT (3.40), but
 * nothing comes between that and here. */
static int system_number(struct db *db, int rc, int last)
{
    int kept = sqlite3_system_errno(db->handle);
    return kept == 0 && (rc & 0xff) == SQLITE_IOERR ? last : kept;
}

/* Sets the error that belongs to a result, with words of what to do. */
static bool db_fail(struct db *db, int rc, GError **error)
{
    int number = system_number(db, rc, errno);
    int primary = rc & 0xff;
    size_t row = result_find(primary == SQLITE_IOERR && is_full(number) ? SQLITE_FULL : rc);
    g_autofree char *said = primary == SQLITE_IOERR && number != 0
                                ? g_strdup_printf("%s: %s", sqlite3_errmsg(db->handle), g_strerror(number))
                                : g_strdup(sqlite3_errmsg(db->handle));
    g_autofree char *holder = primary == SQLITE_BUSY ? holder_text(db->world, db->path) : NULL;
    if (holder)
        return error_set(error, SLUICE_ERROR_BUSY,
                         "catalog %s: %s has kept it locked for ten seconds; end it, or try again (%s)", db->path,
                         holder, said);
    if (row < G_N_ELEMENTS(RESULTS)) {
        db->poisoned |= RESULTS[row].code == SLUICE_ERROR_SYNC_FAILED;
        return error_set(error, RESULTS[row].code, "catalog %s: %s (%s)", db->path, RESULTS[row].words, said);
    }
    if ((primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR) && number != 0)
        return error_set_errno(error, number, "catalog %s: %s", db->path, sqlite3_errmsg(db->handle));
    return error_set(error, SLUICE_ERROR_CATALOG, "catalog %s: %s (SQLite's code %d)", db->path, said, rc);
}

/* --- opening
 * ---------------------------------------------------------------------------------------------------------- */

/* Called by SQLite while someone else holds the lock; 0 gives up. Its own waits begin at a millisecond and grow to a
 * hundred, longer than many transactions take here: the one that waits would starve. */
static int on_busy(void *self, int tries)
{
    struct db *db = self;
    int64_t now_us = world_monotonic_us(db->world);
    if (tries == 0)
        db->busy_since_us = now_us;
    if (now_us - db->busy_since_us >= BUSY_PATIENCE_US)
        return 0;
    int64_t sleep_us = (int64_t)BUSY_SLEEP_US << MIN(tries / 4, 3);
    world_sleep_us(db->world, MIN(sleep_us, (int64_t)BUSY_SLEEP_MAX_US), NULL);
    return 1;
}

static int handle_open(struct db *db, const char *name, int flags)
{
    int rc = sqlite3_open_v2(name, &db->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_busy_handler(db->handle, on_busy, db);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_wal_autocheckpoint(db->handle, AUTO_TIDY_PAGES);
    return SQLITE_OK;
}

/* What sqlite3_exec() calls with a row: the first column of the first one is kept. */
static int take_first(void *self, int n, char **values, char **names)
{
    char **text = self;
    if (!*text)
        *text = g_strdup(values[0]);
    return 0;
}

/* Going over to the write-ahead log needs the file for oneself; SQLite answers two that do so at once with BUSY and
 * does not call the busy handler. */
bool db_log_ahead(struct db *db, GError **error)
{
    g_autofree char *mode = NULL;
    int rc = SQLITE_BUSY;
    for (int tries = 0; (rc & 0xff) == SQLITE_BUSY && (tries == 0 || on_busy(db, tries - 1)); tries++)
        rc = sqlite3_exec(db->handle, "PRAGMA journal_mode=WAL", take_first, &mode, NULL); /* gives what it is now */
    if (rc != SQLITE_OK)
        return db_fail(db, rc, error);
    if (g_strcmp0(mode, "wal") != 0)
        return error_set(error, SLUICE_ERROR_CATALOG,
                         "catalog %s: this file system cannot carry a write-ahead log; put the home on a local disk",
                         db->path);
    return true;
}

static bool open_writing(struct db *db, enum db_mode mode, GError **error)
{
    int rc = handle_open(db, db->path, SQLITE_OPEN_READWRITE | (mode == DB_CREATE ? SQLITE_OPEN_CREATE : 0));
    if (rc != SQLITE_OK)
        return db_fail(db, rc, error);
    if (sqlite3_db_readonly(db->handle, "main") == 1)
        return db_fail(db, SQLITE_READONLY, error);
    return db_run(db, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; " LITTLE_CACHE, error);
}

/* A home that nobody may write, and that was left in order, has no log beside it, and SQLite cannot make one: then
 * nobody else can either, and the file is read as one that does not change. */
static bool open_unchanging(struct db *db, GError **error)
{
    g_autofree char *uri = g_filename_to_uri(db->path, NULL, error);
    if (!uri)
        return false;
    g_autofree char *unchanging = g_strconcat(uri, "?immutable=1", NULL);
    sqlite3_close(g_steal_pointer(&db->handle));
    int rc = handle_open(db, unchanging, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    return rc == SQLITE_OK || db_fail(db, rc, error);
}

static bool open_reading(struct db *db, GError **error)
{
    g_autofree char *log = g_strconcat(db->path, "-wal", NULL);
    int rc = handle_open(db, db->path, SQLITE_OPEN_READONLY);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db->handle, "SELECT count(*) FROM sqlite_schema; " LITTLE_CACHE, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return true;
    bool no_log = (rc & 0xff) == SQLITE_CANTOPEN || rc == SQLITE_READONLY_DIRECTORY;
    if (no_log && !file_exists(db->world, log))
        return open_unchanging(db, error);
    return db_fail(db, rc, error);
}

bool db_open(struct db **ret, const struct world *world, const char *path, enum db_mode mode, GError **error)
{
    auto_(db) db = g_new0(struct db, 1);
    db->world = world;
    db->path = g_strdup(path);
    db->reads_only = mode == DB_READ;
    bool opened = db->reads_only ? open_reading(db, error) : open_writing(db, mode, error);
    if (opened)
        *ret = g_steal_pointer(&db);
    return opened;
}

void db_free(struct db *db)
{
    if (!db)
        return;
    for (int i = 0; i < SQL_COUNT; i++) {
        g_assert(!db->queries[i].used);
        sqlite3_finalize(db->queries[i].stmt);
    }
    sqlite3_close(db->handle);
    g_free(db->path);
    g_free(db);
}

const char *db_path(const struct db *db)
{
    return db->path;
}

bool db_reads_only(const struct db *db)
{
    return db->reads_only;
}

/* --- statements that are not of the table
 * ----------------------------------------------------------------------------- */

bool db_run(struct db *db, const char *sql, GError **error)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || db_fail(db, rc, error);
}

bool db_text(struct db *db, const char *sql, char **ret, GError **error)
{
    char *text = NULL;
    int rc = sqlite3_exec(db->handle, sql, take_first, &text, NULL);
    if (rc != SQLITE_OK) {
        g_free(text);
        return db_fail(db, rc, error);
    }
    *ret = text;
    return true;
}

bool db_number(struct db *db, const char *sql, int64_t *ret, GError **error)
{
    g_autofree char *text = NULL;
    if (!db_text(db, sql, &text, error))
        return false;
    *ret = text ? g_ascii_strtoll(text, NULL, 10) : 0;
    return true;
}

bool db_tidy(struct db *db, GError **error)
{
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY || db_fail(db, rc, error);
}

/* What a page has no use for any more may still stand in it: only a database that is written anew is sure not to hold
 * it. */
bool db_wipe(struct db *db, GError **error)
{
    if (!db_run(db, "PRAGMA secure_delete=ON; VACUUM", error))
        return false;
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK || db_fail(db, rc, error);
}

uint64_t db_changes(struct db *db)
{
    return (uint64_t)sqlite3_changes64(db->handle);
}

/* --- transactions
 * ----------------------------------------------------------------------------------------------------- */

static bool run_once(struct db *db, enum sql sql, GError **error)
{
    auto_(query) query = query_of(db, sql);
    return query_run(query, error);
}

bool db_begin(struct db *db, GError **error)
{
    g_assert(!db->in_transaction);
    if (db->reads_only)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED, "catalog %s: opened for reading only", db->path);
    if (db->poisoned)
        return error_set(error, SLUICE_ERROR_SYNC_FAILED,
                         "catalog %s: an earlier write could not be made durable; look at the disk, then start again",
                         db->path);
    if (!run_once(db, SQL_BEGIN, error))
        return false;
    db->in_transaction = true;
    world_point(db->world, "catalog.begun");
    return true;
}

bool db_begin_reading(struct db *db, GError **error)
{
    g_assert(!db->in_transaction);
    db->in_transaction = run_once(db, SQL_BEGIN_READING, error);
    return db->in_transaction;
}

/* A transaction that failed may have been undone by SQLite already. */
static void undo_all(struct db *db)
{
    if (!sqlite3_get_autocommit(db->handle))
        run_once(db, SQL_ROLLBACK, NULL);
}

bool db_end(struct db *db, bool ok, GError **error)
{
    g_assert(db->in_transaction);
    db->in_transaction = false;
    bool writes = sqlite3_txn_state(db->handle, "main") == SQLITE_TXN_WRITE;
    if (ok && writes)
        world_point(db->world, "catalog.commit");
    ok = ok && run_once(db, SQL_COMMIT, error);
    if (!ok)
        undo_all(db);
    else if (writes)
        world_point(db->world, "catalog.committed");
    return ok;
}

/* --- statements of the table
 * ------------------------------------------------------------------------------------------ */

struct query *query_of(struct db *db, enum sql sql)
{
    struct query *query = &db->queries[sql];
    g_assert(!query->used);
    *query = (struct query){.db = db, .stmt = query->stmt, .used = true};
    if (!query->stmt)
        query->rc = sqlite3_prepare_v3(db->handle, SQL_TEXTS[sql], -1, SQLITE_PREPARE_PERSISTENT, &query->stmt, NULL);
    return query;
}

void query_end(struct query *query)
{
    if (query->stmt) { /* it could not be made: unlike all others, sqlite3_clear_bindings() does not take NULL */
        sqlite3_reset(query->stmt);
        sqlite3_clear_bindings(query->stmt);
    }
    query->used = false;
}

static void keep_rc(struct query *query, int rc)
{
    if (query->rc == SQLITE_OK)
        query->rc = rc;
}

void query_put_i64(struct query *query, int64_t value)
{
    keep_rc(query, sqlite3_bind_int64(query->stmt, ++query->put, value));
}

void query_put_u64(struct query *query, uint64_t value)
{
    if (value > INT64_MAX)
        keep_rc(query, SQLITE_RANGE);
    query_put_i64(query, (int64_t)value);
}

void query_put_text(struct query *query, const char *text)
{
    keep_rc(query, sqlite3_bind_text(query->stmt, ++query->put, text, -1, SQLITE_STATIC));
}

void query_put_null(struct query *query)
{
    keep_rc(query, sqlite3_bind_null(query->stmt, ++query->put));
}

void query_put_bytes(struct query *query, struct slice bytes)
{
    const void *data = bytes.len ? (const void *)bytes.data : "";
    keep_rc(query, sqlite3_bind_blob64(query->stmt, ++query->put, data, bytes.len, SQLITE_STATIC));
}

bool query_row(struct query *query, bool *ret_row, GError **error)
{
    query->got = 0;
    if (query->rc != SQLITE_OK)
        return db_fail(query->db, query->rc, error);
    errno = 0;
    int rc = sqlite3_step(query->stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return db_fail(query->db, rc, error);
    *ret_row = rc == SQLITE_ROW;
    return true;
}

bool query_run(struct query *query, GError **error)
{
    bool row;
    if (!query_row(query, &row, error))
        return false;
    g_assert(!row);
    return true;
}

static void keep_fault(struct query *query, const char *fault)
{
    if (!query->fault)
        query->fault = fault;
}

int64_t query_i64(struct query *query)
{
    return sqlite3_column_int64(query->stmt, query->got++);
}

uint64_t query_u64(struct query *query)
{
    int64_t value = query_i64(query);
    if (value < 0)
        keep_fault(query, "a number below zero");
    return value < 0 ? 0 : (uint64_t)value;
}

uint32_t query_u32(struct query *query)
{
    uint64_t value = query_u64(query);
    if (value > UINT32_MAX)
        keep_fault(query, "a number beyond 32 bits");
    return value > UINT32_MAX ? 0 : (uint32_t)value;
}

bool query_is_null(struct query *query)
{
    return sqlite3_column_type(query->stmt, query->got) == SQLITE_NULL;
}

struct slice query_borrow(struct query *query)
{
    int column = query->got++;
    const void *data = sqlite3_column_blob(query->stmt, column);
    return slice_of(data, (size_t)sqlite3_column_bytes(query->stmt, column));
}

const char *query_text(struct query *query, struct arena *mem)
{
    bool null = query_is_null(query);
    struct slice bytes = query_borrow(query);
    if (null)
        return NULL;
    if (bytes.len && memchr(bytes.data, 0, bytes.len))
        keep_fault(query, "a zero byte in a text");
    const char *text = arena_text(mem, bytes);
    query->full |= !text;
    return text;
}

struct slice query_bytes(struct query *query, struct arena *mem)
{
    struct slice copy = SLICE_EMPTY;
    query->full |= !arena_copy(mem, query_borrow(query), &copy);
    return copy;
}

void query_fixed(struct query *query, void *into, size_t len)
{
    struct slice bytes = query_borrow(query);
    if (bytes.len == len)
        memcpy(into, bytes.data, len);
    else
        keep_fault(query, "a blob of another length");
}

size_t query_word(struct query *query, const char *const *words, size_t n)
{
    struct slice word = query_borrow(query);
    for (size_t i = 0; i < n; i++)
        if (slice_equal(word, slice_of_text(words[i])))
            return i;
    keep_fault(query, "a word that is unknown");
    return 0;
}

bool query_ok(struct query *query, GError **error)
{
    if (query->full)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "catalog %s: what was asked for is larger than the memory for it",
                         query->db->path);
    if (query->fault)
        return error_set(error, SLUICE_ERROR_CORRUPT, "catalog %s: %s in a row of: %s", query->db->path, query->fault,
                         sqlite3_sql(query->stmt));
    return true;
}
