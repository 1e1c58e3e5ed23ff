/* An aggregate over records, as they come: exact. Sums to 34 digits, different values counted on disk. One thread.
 * What golden data (`expect`) is held against, and what `measures` measure. */
#pragma once

#include "record/decimal.h"
#include "verify/whole.h"

struct extsort;

enum aggregate_what { AGGREGATE_COUNT, AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX, AGGREGATE_DISTINCT };

struct aggregate {
    enum aggregate_what what;
    const struct path *path;  /* of the values; COUNT: NULL */
    bool by_text;             /* MIN and MAX: of texts, by their bytes; else of numbers */
    uint64_t count;           /* records, or values */
    bson_decimal128_t number; /* of all but MIN and MAX of texts */
    GString *text;            /* of those */
    struct extsort *values;   /* DISTINCT: digests */
    char *fault;              /* it cannot be said, and why; NULL */
};

/* `io` says what, of which path, and how; the rest is set. DISTINCT sorts beside the input's report. */
bool aggregate_init(struct aggregate *io, const struct verify_input *input, GError **error);
void aggregate_done(struct aggregate *aggregate);
/* Null, and records without the field, are left out. A value that is no number, where one is asked for, is a fault. */
bool aggregate_add(struct aggregate *aggregate, const struct whole_record *record, struct arena *mem, GError **error);
/* When all records have come: COUNT and DISTINCT have their number. */
bool aggregate_end(struct aggregate *aggregate, GError **error);

/* A document whose one field is the value: what is digested, kept and shown. */
struct slice aggregate_value(const bson_iter_t *value, struct arena *mem);
char *aggregate_value_text(struct slice value); /* its JSON; "nothing". The caller frees, as of the next */
char *aggregate_bare_text(struct slice value);  /* of a text, and of what is written as one, without quotes */
/* The number of such a document; false: it is none, also where it is a text that looks like one. */
bool aggregate_number_of(struct slice value, bson_decimal128_t *ret);
/* What a sum would add of a document; false: nothing. */
bool aggregate_number_at(const struct path *path, struct slice document, bson_decimal128_t *ret);
