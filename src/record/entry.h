/* Entries of a secondary index: which ones a record has, and of which records one may be. Pure; immutable once made,
 * shared by threads.
 *
 * An index has places (a set for each value of a field, say, or the index itself alone), and each place has entries.
 * Both are texts with placeholders: `{key}` is the record's key, a path of which the key is made is that part of it,
 * any other path is a field of the document. A field that is a list gives an entry for each of its items. Null, absence
 * and the empty text have none: the record is not in the index then. `{{` and `}}` are braces, a backslash takes the
 * next character for itself, and `\xHH` is a byte. */
#pragma once

#include "record/key.h"

#define ENTRY_FIELDS_MOST 8u  /* of place and entry together */
#define ENTRY_WAYS_MOST   64u /* in which an entry is taken apart */
#define ENTRY_TRIES_MOST                                                                                               \
    10000u /* of values, those included that come to nothing: they may be as many as its length to                     \
              the power of its placeholders */

struct entry_shape;
struct entry_texts {
    const char *place, *entry;
    const struct key_paths *key; /* NULL or n == 0: the key is `{key}` alone */
};
/* SPEC: an unclosed or empty placeholder, two with nothing between them, too many, and an entry that does not say whose
 * it is. */
bool entry_shape_new(struct entry_shape **ret, const struct entry_texts *texts, GError **error);
void entry_shape_free(struct entry_shape *shape);
AUTO_DEFINE(entry_shape, entry_shape_free)

size_t entry_places(const struct entry_shape *shape); /* placeholders of the place; 0: there is one place */

/* `place`: what stands for the placeholders of the place, as record/key.h joins several; without any, the text of it.
 */
struct entry {
    struct slice place, name;
};
/* Appends struct entry, in `mem`. BAD_RECORD: a value that is no text, nor a number, a time, a bool; TOO_BIG. */
bool entry_shape_of(const struct entry_shape *shape, struct slice key, struct slice document, struct arena *mem,
                    GArray *into, GError **error);
/* Appends the keys (struct slice, in `mem`) of the records of which it may be an entry; none: of no record at all.
 * BAD_RECORD: there are more than ENTRY_WAYS_MOST, or it takes more than ENTRY_TRIES_MOST to say so. */
bool entry_shape_keys(const struct entry_shape *shape, const struct entry *entry, struct arena *mem, GArray *into,
                      GError **error);
/* The whole name of a place, as people know it; in `mem`. */
bool entry_shape_place(const struct entry_shape *shape, struct slice place, struct arena *mem, struct slice *ret,
                       GError **error);
