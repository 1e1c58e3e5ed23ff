/* Values as DUMP gives them and RESTORE takes them, and as sluice keeps them: sorted, so that equal bytes are equal
 * values. Pure.
 *
 * DUMP's bytes are those of the RDB format: one object in one of many encodings, chosen by its history, then the
 * format's version and a checksum. A value here is a letter for its type and its content, lengths as varints before
 * whatever has one:
 *
 *   's' string     its bytes
 *   'l' list       the elements in order
 *   't' set        the members, sorted
 *   'z' sorted set score (a double, 8 bytes, little-endian) and member, sorted by score, then member
 *   'h' hash       name and value, sorted by name
 *   'x' stream     entries, last id, highest deleted id, entries ever added, groups with consumers and what each has
 *                  pending: dump_stream.c has it field by field
 *
 * What is written is in the oldest encodings that Redis 7.0 and Valkey 7.2 know, with that version's number, so that
 * any server from there on takes it from any other; each makes its own encoding of it. A stream's consumers lose the
 * time of their last success, which that version does not know. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

/* BAD_RECORD: a type that sluice does not carry (a module's; hashes whose fields expire), or damage; TOO_BIG: `mem` is
 * full. The checksum is not looked at: it is for files. */
bool dump_read(struct slice payload, struct arena *mem, struct slice *ret, GError **error);
/* BAD_RECORD: no value. */
bool dump_write(struct slice value, struct arena *mem, struct slice *ret, GError **error);

/* Whether it is a value that dump_write() would take. */
bool dump_check(struct slice value, GError **error);

/* Of a value: "string", "list", …; NULL: of none. */
const char *dump_type_name(uint8_t letter);
/* 0: no such name. */
uint8_t dump_type_letter(struct slice name);
