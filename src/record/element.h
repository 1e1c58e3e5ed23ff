/* Inside record/, contract/ and store/: walks the bytes of BSON documents, checking every length: the one place where
 * they are taken apart.
 * https://bsonspec.org/spec.html */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "record/document.h"

struct element {
    uint8_t type;       /* BSON_TYPE_… */
    struct slice name;  /* a NUL follows */
    struct slice value; /* as stored: a string with its length and NUL, an object with all of its bytes */
};

struct elements {
    const uint8_t *at, *end; /* end: the NUL that ends the document */
    size_t index;            /* of the next element */
};

enum element_result {
    ELEMENT_OK,
    ELEMENT_END,
    ELEMENT_DAMAGED,
    ELEMENT_FOREIGN /* a type that sluice does not carry */
};

/* false: the lengths do not fit. */
bool elements_of(struct slice document, struct elements *ret);
/* On FOREIGN only name and type are set. */
enum element_result element_next(struct elements *elements, struct element *ret);

/* Sets BAD_RECORD for what element_next() gave, and returns false. */
bool element_fault(enum element_result result, const struct element *element, GError **error);

const char *element_type_name(const struct element *element); /* "a string", "an object": for messages */

static inline uint64_t element_bits(const uint8_t *at, size_t width)
{
    uint64_t bits = 0;
    memcpy(&bits, at, width);
    return GUINT64_FROM_LE(bits);
}

/* Of an element of the right type, each. */
static inline int64_t element_i64(const struct element *element)
{
    return (int64_t)element_bits(element->value.data, 8);
}

static inline int64_t element_i32(const struct element *element)
{
    return (int64_t)(element_bits(element->value.data, 4) ^ 0x80000000u) - INT64_C(0x80000000);
}

static inline double element_double(const struct element *element)
{
    uint64_t bits = element_bits(element->value.data, 8);
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

static inline bson_decimal128_t element_decimal(const struct element *element)
{
    bson_decimal128_t decimal;
    decimal.low = element_bits(element->value.data, 8);
    decimal.high = element_bits(element->value.data + 8, 8);
    return decimal;
}

static inline struct slice element_string(const struct element *element)
{
    return slice_of(element->value.data + 4, element->value.len - 5);
}

static inline uint8_t element_subtype(const struct element *element)
{
    return element->value.data[4];
}

static inline struct slice element_binary(const struct element *element)
{
    return slice_of(element->value.data + 5, element->value.len - 5);
}

#define UUID_BYTES 16
#define UUID_TEXT  37
const char *element_uuid_text(const struct element *element, char into[UUID_TEXT]);
/* 36 characters: groups of 8, 4, 4, 4 and 12 hex digits; false: `ret` is as it was. */
bool element_uuid_parse(struct slice text, uint8_t ret[UUID_BYTES]);

#define ELEMENT_TEXT 64
/* What stands for the value where there is only text: a string and binary are their bytes, a number its canonical text
 * (a double the shortest that reads back), a datetime RFC 3339 in UTC, a bool `true` or `false`, a uuid its text.
 * Borrowed from the document, or written to `text`. false: null, object, array. */
bool element_as_text(const struct element *element, char text[ELEMENT_TEXT], struct slice *ret);
