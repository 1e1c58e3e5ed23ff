/* One connection to the SQLite database of a home: opening, transactions, cached statements, errors in words.
 *
 * Everything that sluice asks of SQLite is asked in db.c. Statements are rows of catalog/sql_rows.h, prepared once per
 * connection when they are first used. One thread at a time. */
#pragma once

#include "base/arena.h"
#include "base/world.h"

struct db;
struct query;

enum sql {
#define SQL(symbol, text) SQL_##symbol,
#include "catalog/sql_rows.h"
#undef SQL
    SQL_COUNT
};

enum db_mode { DB_CREATE, DB_WRITE, DB_READ };

/* The file, with the pragmas of docs/formats/catalog.md; nothing is said yet about its schema. */
bool db_open(struct db **ret, const struct world *world, const char *path, enum db_mode mode, GError **error);
/* Once it is known to be ours: from here on changes go into a write-ahead log. Nothing is written before it. */
bool db_log_ahead(struct db *db, GError **error);
void db_free(struct db *db);
AUTO_DEFINE(db, db_free)

const char *db_path(const struct db *db);
bool db_reads_only(const struct db *db);

/* BEGIN IMMEDIATE: the write lock is taken now or not at all; nothing later in the transaction can be BUSY. */
bool db_begin(struct db *db, GError **error);
/* A snapshot for several reads. */
bool db_begin_reading(struct db *db, GError **error);
/* ok: commits, durable when it returns (one fsync of the write-ahead log). Else undoes everything and returns false. */
bool db_end(struct db *db, bool ok, GError **error);

/* Statements that are not of the table: migrations. None of them gives rows. */
bool db_run(struct db *db, const char *sql, GError **error);
/* The first column of the first row of a pragma, as a number, or 0 */
bool db_number(struct db *db, const char *sql, int64_t *ret, GError **error);
/* … as text, to be freed; NULL where there is none. */
bool db_text(struct db *db, const char *sql, char **ret, GError **error);

/* Copies the log into the database where no reader is in the way; never waits. */
bool db_tidy(struct db *db, GError **error);
/* What was deleted is nowhere in the files any more: all of it is written anew, and the log is emptied. BUSY while
 * somebody reads for longer than one waits. */
bool db_wipe(struct db *db, GError **error);
uint64_t db_changes(struct db *db); /* rows that the last statement inserted, changed or deleted */

/* --- statements: put the parameters in order, run, get the columns in order ------------------------------------------
 */

/* auto_(query) query = query_of(db, SQL_X); ends the use of it when the scope ends. What is put must live until then.
 * A fault while putting or getting is kept and told by the next call that can fail. */
struct query *query_of(struct db *db, enum sql sql);
void query_end(struct query *query);
AUTO_DEFINE(query, query_end)

void query_put_i64(struct query *query, int64_t value);
void query_put_u64(struct query *query, uint64_t value);       /* up to INT64_MAX */
void query_put_text(struct query *query, const char *text);    /* NULL: NULL */
void query_put_bytes(struct query *query, struct slice bytes); /* an empty slice: an empty blob */

/* The next row; *ret_row false: there is none. */
bool query_row(struct query *query, bool *ret_row, GError **error);
/* One that gives no rows. */
bool query_run(struct query *query, GError **error);

int64_t query_i64(struct query *query); /* NULL: 0 */
uint64_t query_u64(struct query *query);
uint32_t query_u32(struct query *query);
bool query_is_null(struct query *query);                        /* the next column; does not move on */
const char *query_text(struct query *query, struct arena *mem); /* NULL: NULL */
struct slice query_bytes(struct query *query, struct arena *mem);
struct slice query_borrow(struct query *query); /* text or blob, valid until the next query_row() or query_end() */
void query_fixed(struct query *query, void *into, size_t len); /* a blob of exactly so many bytes */
/* The next column's place among the words; one that is not there is damage, and 0. */
size_t query_word(struct query *query, const char *const *words, size_t n);
void query_put_null(struct query *query);
/* After the columns of a row: whether all of them could be read. CORRUPT, or TOO_BIG when the arena is full. */
bool query_ok(struct query *query, GError **error);
