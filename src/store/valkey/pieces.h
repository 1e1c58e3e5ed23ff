/* Values in pieces: read, told apart, and put together, without ever holding one whole. docs/drivers/valkey.md, "Big
 * values", has the argument.
 *
 * A piece is a few hundred KiB of a value: pairs, whose meaning is the type's (dump.h has the letters)
 *
 *   's' name: some of the bytes        'l', 't' name: an element, a member
 *   'h' name and value                 'z' name: the member; value: the score, a double, 8 bytes, little-endian
 *   'x' name: an entry, as dump_stream.c has it. What a stream has beside its entries is its `tail`
 *
 * A value whose content is more than what is kept whole is stood for by PIECES_BYTES bytes: 'P', letter, bytes and
 * number of what it holds (u64), XXH3-128 of it. Members of sets, hashes and sorted sets count in any order. */
#pragma once

#include "store/valkey/dump_parts.h"
#include "store/valkey/valkey_store.h"

enum { FORM_RAW_PIECES = 'P', PIECES_BYTES = 34 };

/* What is dumped, restored or fetched at once at most, and how large a piece is about. */
#define PIECES_FROM_BYTES (1u << 20)
#define PIECE_BYTES       (256u << 10)
/* What a value's content may measure that is held whole, with so much for each that it holds: a document has room for
 * it. Decided by the value alone, so that it is the same on every server. */
#define PIECES_WHOLE_BYTES   (DOCUMENT_BYTES - 128u)
#define PIECES_ELEMENT_BYTES 32u
/* Pending entries of a stream, of all its groups: they are put into a stream by one command, some 0.5 us each. */
#define PIECES_WHOLE_PENDING 10000u

/* --- telling values apart (pieces.c) ------------------------------------------------------------------------------ */

struct pieces_sum;
struct pieces_sum *pieces_sum_new(void);
void pieces_sum_free(struct pieces_sum *sum);
AUTO_DEFINE(pieces_sum, pieces_sum_free)
void pieces_sum_begin(struct pieces_sum *sum, uint8_t letter);
void pieces_sum_add(struct pieces_sum *sum, const struct form_pair *pairs, size_t n);
void pieces_sum_tail(struct pieces_sum *sum, struct slice tail, uint64_t pending);
uint64_t pieces_sum_bytes(const struct pieces_sum *sum);
uint64_t pieces_sum_count(const struct pieces_sum *sum);
bool pieces_sum_is_whole(const struct pieces_sum *sum); /* so far */
/* What stands for the value. */
void pieces_sum_end(const struct pieces_sum *sum, uint8_t ret[PIECES_BYTES]);

/* Whether the bytes stand for a value. */
bool pieces_stand_for(struct slice raw);
/* Begins with 'P', as no other etag does. */
void pieces_etag(const uint8_t stands_for[PIECES_BYTES], int64_t expires_at_ms, struct etag *ret);
bool pieces_is_etag(const struct etag *etag);

/* --- taking pieces ------------------------------------------------------------------------------------------------ */

struct pieces_head {
    uint8_t letter;
    uint64_t n; /* bytes of a string, else how many it holds */
    int64_t expires_at_ms;
    struct slice tail,
        whole_tail; /* of a stream; the second also tells when a consumer was last seen; empty: too long */
    uint64_t pending;
};

struct pieces_taker {
    void *self;
    /* Also when all begins anew, since the value has changed meanwhile. */
    bool (*begin)(void *self, const struct pieces_head *head, GError **error);
    bool (*take)(void *self, const struct form_pair *pairs, size_t n, GError **error);
};

/* A value that is held whole, piece after piece. */
bool pieces_walk(struct slice raw, const struct pieces_taker *taker, GError **error);

/* --- reading (pieces_read.c) -------------------------------------------------------------------------------------- */

/* The connection on which the key is watched. */
struct pieces_watch {
    struct valkey_host at; /* the host in the arena of the call */
    uint64_t bound;
};

/* The value under the server's key, under the server's own optimistic lock: what was taken is what stood there at one
 * moment. BAD_RECORD: of a type that is not carried; TOO_BIG: an element of it; CONTENDED: it changed again and again;
 * any of them is a fault of the one record. `watch`: WATCH stays in force, and the caller ends it (NULL: it does not).
 * Every piece has the URI's timeout; `call` gives who may cancel. */
struct pieces_wish {
    struct session *session;
    const struct call *call;
    struct slice key;
    const struct pieces_taker *taker; /* NULL: nobody takes them */
    struct pieces_watch *watch;
};
struct pieces_found {
    bool present;
    int64_t expires_at_ms;
    uint8_t stands_for[PIECES_BYTES];
    bool whole; /* it is small enough to be held whole */
};
bool pieces_read(const struct pieces_wish *wish, struct pieces_found *ret, GError **error);
bool pieces_let_go(const struct pieces_wish *wish, GError **error);

/* One request of that kind, on a connection that is bound; `answer` may be given errors. */
struct pieces_ask {
    struct session *session;
    const struct call *call;
    const struct pieces_watch *through;
    bool writes;
    bool (*answer)(void *self, size_t i, const struct reply *reply, GError **error);
    void *self;
};
struct pieces_command {
    const struct slice *args;
    size_t n;
};
bool pieces_ask(const struct pieces_ask *ask, const struct pieces_command *commands, size_t n, GError **error);
/* The server that owns the key's slot, and a connection to it. */
bool pieces_bind(struct session *session, const struct call *call, struct slice key, struct pieces_watch *ret,
                 GError **error);
/* What a reply is as an error; a redirection is BUSY, and the topology asked anew. */
bool pieces_refused(const struct pieces_ask *ask, const struct reply *reply, GError **error);

/* Streams (pieces_stream.c): what one has beside its entries, and the pages of its entries. */
bool pieces_stream_tail(const struct pieces_ask *ask, struct slice key, struct arena *mem, struct pieces_head *ret,
                        GError **error);
/* An entry as XRANGE gives it, appended; false: it is none. */
bool pieces_stream_entry(const struct reply *entry, GByteArray *into);

/* The image of a record that is read in pieces: whole where it is small enough; else what stands for it, where the
 * dataset takes that. Its faults are the record's. */
bool pieces_image(struct session *session, const struct call *call, struct slice server_key, struct pieces_watch *watch,
                  struct record *io, GError **error);

/* --- writing (pieces_write.c, pieces_build.c) --------------------------------------------------------------------- */

/* Puts the value together out of sight, in the place of `key`: what `raw` stands for from where call->from has it,
 * another from its bytes. *ret_hidden is in `mem`. An error of class RECORD is a fault of the one record. */
struct pieces_build {
    struct session *session;
    const struct call *call;
    const struct lane *lane;
    struct slice record_key, key; /* as the core has it, and as the server */
    struct slice raw;
    struct arena *mem;
};
bool pieces_build(const struct pieces_build *build, struct slice *ret_hidden, GError **error);
void pieces_drop(const struct pieces_build *build, struct slice hidden);
