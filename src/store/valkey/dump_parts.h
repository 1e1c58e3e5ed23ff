/* Inside dump_*.c: reading and writing what RDB is made of. */
#pragma once

#include "base/int.h"
#include "store/valkey/dump.h"
#include "store/valkey/form_parts.h"

/* The types of RDB's objects. */
enum {
    RDB_STRING = 0,
    RDB_LIST = 1,
    RDB_SET = 2,
    RDB_HASH = 4,
    RDB_ZSET = 5, /* with scores as doubles */
    RDB_INTSET = 11,
    RDB_HASH_LISTPACK = 16,
    RDB_ZSET_LISTPACK = 17,
    RDB_LIST_QUICKLIST = 18,
    RDB_STREAM_2 = 19, /* with the highest deleted id, entries added and entries read */
    RDB_SET_LISTPACK = 20,
    RDB_STREAM_3 = 21 /* with the time of a consumer's last success */
};

/* --- reading: after the first fault everything is empty, and `at.ok` is false ------------------------------------- */

struct dump {
    struct reader at;
    struct arena *mem;
    bool full; /* the fault was that `mem` is */
};

bool dump_fail(struct dump *dump);
void *dump_alloc(struct dump *dump, size_t len); /* NULL: a fault */
uint64_t dump_len(struct dump *dump);
/* Borrowed from the payload, or in `mem`. */
struct slice dump_string(struct dump *dump);
/* A little-endian integer of so many bytes, as text in `mem`. */
struct slice dump_integer(struct dump *dump, size_t width);
double dump_score(struct slice bytes);
uint64_t dump_u64_be(const uint8_t *at);

/* A listpack: a string of strings and integers. */
struct listpack {
    struct reader at;
};
struct listpack_item {
    bool is_integer;
    int64_t integer;
    struct slice bytes;
};
bool dump_listpack(struct dump *dump, struct slice bytes, struct listpack *ret);
/* false: the end, or a fault. */
bool dump_listpack_next(struct dump *dump, struct listpack *listpack, struct listpack_item *ret);
/* The item as a string; a number's text is in `mem`. */
struct slice dump_item_string(struct dump *dump, const struct listpack_item *item);
int64_t dump_item_integer(struct dump *dump, const struct listpack_item *item);

/* --- writing ------------------------------------------------------------------------------------------------------ */

void dump_put_len(GByteArray *into, uint64_t len);
void dump_put_string(GByteArray *into, struct slice bytes);
void dump_put_id(GByteArray *into, uint64_t ms, uint64_t seq); /* 16 bytes, big-endian */

/* Items of a listpack, and the whole of one as a string, from its items. */
void dump_listpack_put_integer(GByteArray *into, int64_t value);
void dump_listpack_put_string(GByteArray *into, struct slice bytes);
void dump_put_listpack(GByteArray *into, struct slice items, uint32_t n);

/* A value from what it holds, sorted as its type has it; not of strings and streams. */
bool dump_join(uint8_t letter, struct form_pairs *pairs, struct arena *mem, struct slice *ret);

/* --- streams: dump_stream.c --------------------------------------------------------------------------------------- */

/* Appends the content behind the 'x'. */
bool dump_read_stream(struct dump *dump, uint8_t type, GByteArray *into);
bool dump_write_stream(struct reader *content, GByteArray *into);
