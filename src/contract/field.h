/* Private to contract/: a contract as a tree of fields, immutable once read.
 *
 * Everything a field points at lives in the contract's arena; patterns are freed with the contract. */
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "contract/contract.h"
#include "record/datetime.h"
#include "record/element.h"

enum field_type {
    FIELD_STRING,
    FIELD_BOOL,
    FIELD_INT,
    FIELD_DOUBLE,
    FIELD_DECIMAL,
    FIELD_DATETIME,
    FIELD_BINARY,
    FIELD_UUID,
    FIELD_OBJECT,
    FIELD_ARRAY,
};
#define FIELD_TYPES (FIELD_ARRAY + 1)

enum unknown_rule { UNKNOWN_KEEP, UNKNOWN_DROP, UNKNOWN_REJECT };

/* A BSON value: its type and its bytes as they stand behind a name. */
struct value {
    uint8_t type; /* BSON_TYPE_… */
    struct slice bytes;
};

/* A number, or a datetime in milliseconds, of the field's own type: what min and max compare. */
union bound {
    int64_t whole; /* int, datetime */
    double real;
    bson_decimal128_t decimal;
};

struct field;

#define FIELDS_MOST  1024  /* of one object */
#define FIELDS_TOTAL 10000 /* of a contract */

/* The fields of one object. */
struct fields {
    struct field **list; /* in the order of the contract */
    size_t n;
    uint16_t *table; /* open addressing by name: index + 1; 0: empty. A power of two slots */
    size_t slots;
    uint64_t needed[FIELDS_MOST / 64]; /* which must not be absent, or are given a default then */
    size_t id;                         /* of these among all fields of the contract: what a walk remembers them by */
};

enum { FIELD_HAS_MIN = 1, FIELD_HAS_MAX = 2, FIELD_HAS_LENGTH = 4, FIELD_HAS_ONE_OF = 8, FIELD_HAS_PATTERN = 16 };

struct field {
    struct slice name;
    const char *path; /* for messages at reading; `tags[]` for what stands in an array */
    uint32_t line, column;
    enum field_type type;
    bool declared; /* else: an object that only its fields' paths name */
    bool sound;    /* nothing is wrong with it so far */
    bool required, nullable;
    unsigned has; /* FIELD_HAS_… */
    union bound min, max;
    const char *min_text, *max_text; /* as written */
    uint64_t length_min, length_max;
    struct value *one_of; /* sorted by value_compare() */
    size_t n_one_of;
    const char *one_of_text;         /* the words as written, for messages */
    const char *const *one_of_words; /* of strings, for "did you mean" */
    pcre2_code *pattern;
    const char *pattern_text;
    enum datetime_zone zone;
    const char *zone_name;
    const char *const *formats; /* how a datetime may be written besides RFC 3339 */
    size_t n_formats;
    struct fields *fields; /* of an object; NULL: whatever stands in it */
    struct field *items;   /* of an array; NULL: whatever stands in it */
    size_t depth;          /* of names and arrays above it */
    bool has_fallback;     /* of an undeclared object: one of its fields has */
    struct value fallback; /* converted, checked */
};

struct rule {
    const char *name, *when, *expr; /* when: NULL where it always holds */
};

struct contract {
    const struct world *world; /* for the time that rules may take; NULL: not watched */
    struct slice source_text;
    const char *name;
    uint64_t version;
    enum unknown_rule unknown;
    struct fields *fields;
    size_t n_fields;         /* of all objects together */
    size_t n_fields_structs; /* how many struct fields there are: ids are below */
    const char **unique;
    size_t n_unique;
    struct rule *rules;
    size_t n_rules;
    struct arena *mem;
    GPtrArray *patterns; /* owns the pcre2_code */
};

/* --- types.c: one row a type ---------------------------------------------------------------------------------------
 */

enum {
    OPTION_ONE_OF = 1,
    OPTION_PATTERN = 2,
    OPTION_BOUNDS = 4,
    OPTION_LENGTH = 8,
    OPTION_TIME = 16, /* zone, format */
    OPTION_ITEMS = 32,
    OPTION_FIELDS = 64,
};

enum converted { CONVERTED_SAME, CONVERTED_MADE, CONVERTED_REFUSED };

/* What one conversion may use: room for a value that is not a string or binary, and for the reason of a refusal. */
struct conversion {
    struct arena *mem;
    uint8_t room[32];
    char why[256]; /* REFUSED: what follows "expected an int, found …"; may be empty */
    bool whole;    /* `why` is the whole message */
    bool no_room;  /* REFUSED because the arena is full */
};

struct type_row {
    const char *article; /* "an int" */
    unsigned options;
    enum converted (*convert)(const struct field *field, const struct value *from, struct conversion *conversion,
                              struct value *ret);
};

const struct type_row *type_row(enum field_type type);

/* Without loss or not at all. SAME: it is of the type already. MADE: *ret lives in the conversion, in the arena, or in
 * `from`. */
static inline enum converted value_convert(const struct field *field, const struct value *from,
                                           struct conversion *conversion, struct value *ret)
{
    return type_row(field->type)->convert(field, from, conversion, ret);
}

/* Of two values of the field's type: negative, 0, positive. */
int value_compare(enum field_type type, const struct value *a, const struct value *b);
union bound value_bound(enum field_type type, const struct value *value);
int value_compare_bounds(enum field_type type, union bound a, union bound b);

static inline struct element value_element(const struct value *value)
{
    return (struct element){.type = value->type, .value = value->bytes};
}

/* Characters of a string, bytes of binary. */
uint64_t value_length(const struct value *value);

/* The document { name: value }, in `mem`. */
struct slice value_wrap(struct arena *mem, struct slice name, const struct value *value);

/* Appends `'abc'`, `12`, `null`, cut where it is long; describe: `the string 'abc'`, `the number 12`. */
void value_show(const struct value *value, GString *into);
void value_describe(const struct value *value, GString *into);

/* --- dates.c --------------------------------------------------------------------------------------------------------
 */

/* NULL, or what is wrong with a format. */
const char *dates_format_fault(const char *format, bool *ret_has_zone);
/* A text in that format → RFC 3339, without a zone where the format has none. false: the text is not of the format. */
#define DATE_TEXT 48
bool dates_format_apply(const char *format, struct slice text, char into[DATE_TEXT]);

/* --- fields.c -------------------------------------------------------------------------------------------------------
 */

struct fields *fields_new(struct contract *contract);
void fields_add(struct contract *contract, struct fields *fields, struct field *field);
/* While they are being added: by walking the list. NULL: there is none. */
struct field *fields_named(const struct fields *fields, struct slice name);

/* Builds the tables, of those below too; after all fields are there. */
void fields_index(struct contract *contract, struct fields *fields);
/* Works out which must not be absent, of those below too; after all defaults are there. */
void fields_settle(struct fields *fields);
void fields_settle_below(const struct field *field); /* of what stands in one field */

/* The index of the field of that name, or -1. */
int fields_find(const struct fields *fields, struct slice name);
