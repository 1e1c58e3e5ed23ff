/* A document made of another one, value by value: objects and arrays stay, what lies in them may become something else.
 *
 * Uses the heap: not for the way of every record. */
#pragma once

#include "record/document.h"

/* A value that is neither object nor array. */
struct rewrite_value {
    const char *path;  /* what leads to it, as in record/path.h */
    const char *field; /* the same without the places in arrays: `items.price` */
    const bson_iter_t *at;
    const char *name; /* under which it is appended */
    bson_t *into;
};

struct rewrite {
    /* Appends what stands there instead and sets *ret_done; else the value is copied. */
    bool (*value)(void *self, const struct rewrite_value *value, bool *ret_done, GError **error);
    void *self;
};

/* The document in `mem`. BAD_RECORD where it is damaged or nested too deeply, TOO_BIG where `mem` is full. */
bool document_rewrite(struct slice document, const struct rewrite *rewrite, struct arena *mem, struct slice *ret,
                      GError **error);

/* The type of a value that JSON does not tell: datetime, double, binary, uuid, decimal (of a whole number); NULL: what
 * is read back from JSON is what it was. */
const char *rewrite_type_of(const bson_iter_t *at);
/* Appends the value that JSON gave as one of that type. BAD_RECORD: it is none. */
bool rewrite_as_type(const struct rewrite_value *value, const char *type, GError **error);
