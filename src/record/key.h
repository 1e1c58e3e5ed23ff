/* A record's key as bytes, made from the value at one path or at several.
 *
 * A value becomes: a string its bytes; an integer its decimal text; a decimal its canonical text; a datetime RFC 3339
 * in UTC; a bool true or false; a uuid its text. Null, absent, double, other binary, a decimal that is not finite,
 * object and array are BAD_RECORD naming the path. Several parts are joined by ':' with ':' and '%' inside a part
 * written %3A and %25, so that no two tuples share a key. A single part is taken as it is. An empty key is refused. */
#pragma once

#include "record/path.h"

struct key_paths {
    size_t n;
    struct path **paths; /* owned */
};

bool key_make(const struct key_paths *paths, struct slice document, struct arena *mem, struct slice *ret,
              GError **error);
void key_paths_done(struct key_paths *paths);

/* Of two parts or more, by that rule; and taken apart again. Parts borrow from the key where nothing was escaped, else
 * they lie in `mem`. What is no key of `n` parts is BAD_RECORD; TOO_BIG where `mem` is full. */
bool key_join(const struct slice *parts, size_t n, struct arena *mem, struct slice *ret, GError **error);
bool key_split(struct slice key, struct arena *mem, struct slice *parts, size_t n, GError **error);

/* How JSON shows a key, everywhere: as a string where it is UTF-8, else as {"base64": "…"}. Appended to a BSON document
 * as its field `name`. */
void key_show(struct slice key, const char *name, bson_t *into);
/* The key back from what key_show() or its JSON gave. false: it is neither form, or `mem` is full. */
bool key_shown(const bson_iter_t *at, struct arena *mem, struct slice *ret) must_use;
