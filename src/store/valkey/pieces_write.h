/* The commands by which a value is put together under a hidden key. Pure. */
#pragma once

#include "store/valkey/pieces.h"

/* Commands, their arguments in `args`; what these borrow beside the pairs is in `mem`. So many as make a pipeline are
 * sent at once, where somebody sends them; the first error stays in `failed`, and nothing is sent behind it. */
enum { PIECES_PIPELINE = 256 };
struct pieces_commands {
    struct arena *mem;
    GArray *args;                             /* of struct slice */
    GArray *ends;                             /* size_t: where in `args` each command ends */
    bool full;                                /* `mem` was */
    bool (*send)(void *self, GError **error); /* NULL: nobody */
    void *self;
    bool sending;
    GError *failed;
};
void pieces_commands_init(struct pieces_commands *commands, struct arena *mem);
void pieces_commands_done(struct pieces_commands *commands);
void pieces_commands_reset(struct pieces_commands *commands);
void pieces_commands_text(struct pieces_commands *commands, const char *text); /* a copy */
void pieces_commands_bytes(struct pieces_commands *commands, struct slice bytes);
void pieces_commands_number(struct pieces_commands *commands, uint64_t number);
void pieces_commands_end(struct pieces_commands *commands); /* of a command */

/* Of all types but strings and streams. */
void pieces_write_members(struct pieces_commands *into, struct slice hidden, uint8_t letter,
                          const struct form_pair *pairs, size_t n);

/* A stream: ids that are pending though their entries are gone are put in and taken out again, for only of an entry
 * that is there a claim can be made. */
struct pieces_stream;
struct pieces_stream *pieces_stream_new(const struct pieces_head *head, GError **error);
void pieces_stream_free(struct pieces_stream *stream);
AUTO_DEFINE(pieces_stream, pieces_stream_free)
struct slice pieces_stream_told(const struct pieces_stream *stream); /* the tail, without when a consumer was seen */
uint64_t pieces_stream_pending(const struct pieces_stream *stream);
bool pieces_stream_has_consumers(const struct pieces_stream *stream);
/* Instead of ghosts and claims: a stream without entries that has all that is in head->whole_tail, by one RESTORE, for
 * so long. Before the first entry. */
bool pieces_write_shell(struct pieces_stream *stream, struct pieces_commands *into, struct slice hidden,
                        uint64_t expires_ms, GError **error);
void pieces_write_entries(struct pieces_stream *stream, struct pieces_commands *into, struct slice hidden,
                          const struct form_pair *pairs, size_t n);
void pieces_write_tail(struct pieces_stream *stream, struct pieces_commands *into, struct slice hidden);
