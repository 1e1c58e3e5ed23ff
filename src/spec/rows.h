/* Tables of keys, and the one reader of them: spec/spec_rows.c is the spec's table, contract/contract_rows.c the
 * contract's.
 *
 * A row says everything about a key once: how a value is written, its default, whether this version acts on it, its
 * words and an example. The reader of files, the "did you mean", the JSON Schema, `explain` and the docs' test take it
 * from there.
 *
 * A key is dotted; `[]` stands for each item of a list, `*` for any name: `stages[].gate.verify`, `fields.*.type`. */
#pragma once

#include "base/arena.h"
#include "spec/yaml.h"

struct rows_reader;
struct spec_row;

/* Reads a value into `into` (the struct that the row's offset is into). Whatever is wrong is added to the diags; then
 * false. */
typedef bool row_read(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into);

/* How values are written. */
struct row_form {
    row_read *read;
    const char *schema; /* JSON Schema of a value, as text; NULL: made of the row's words, or of the rows below it */
    const char *schema_beside; /* what is added to one that is made; NULL: nothing */
};

struct row_word {
    const char *word;
    int value;
    const char *acts; /* NULL, or why this version refuses it */
};

/* The last group is the reader's, the rest is what users see. */
struct spec_row {
    const char *key;
    const char *form;     /* "text", "share", "newest | error | all" … */
    const char *fallback; /* the default; NULL: there is none */
    bool decided;         /* `fallback` is a sentence: the default depends on other keys */
    bool required;
    const char *acts; /* NULL: this version acts on it; else why it refuses it */
    const char *words, *example;

    const struct row_form *kind;
    size_t offset;
    const struct row_word *choices; /* ends with a NULL word */
    uint64_t min, max;
};

struct rows {
    const struct spec_row *row;
    size_t n;
    bool params;               /* ${name} may stand for any scalar (spec/params.h) */
    const char *schema_beside; /* what is added to the schema of the whole; NULL: nothing */
};

struct rows_reader {
    struct yaml *yaml;
    struct rows rows;
    struct arena *mem;             /* what values are kept in */
    const char *dir;               /* what a relative path is relative to */
    const struct yaml_node **seen; /* by row: the value last read, NULL where the key is not there */
    void *user;
};

/* mem: where values are kept; but for paths, which are the caller's to free. */
void rows_init(struct rows_reader *reader, struct yaml *yaml, struct rows rows, struct arena *mem, const char *dir);
void rows_done(struct rows_reader *reader);

/* Reads a map whose keys are the rows below `prefix` ("" at the top): unknown keys, keys this version does not act on,
 * missing ones and wrong values are added to the diags; keys that are not there get their default. */
bool rows_read_map(struct rows_reader *reader, const char *prefix, const struct yaml_node *map, void *into);

/* The value of a key that the file has, for rules about several keys; NULL where it is not there. */
const struct yaml_node *rows_seen(const struct rows_reader *reader, const char *key);

const struct spec_row *rows_find(struct rows rows, const char *key);
const char *rows_nearest(struct rows rows, const char *key); /* the key nearest to what was typed; NULL: none is near */

/* Whether what a user types names the row of this key: `stages[].name` is also `stages.name` and `stages[2].name`, and
 * `*` stands for any names: `fields.address.zip.type` is `fields.*.type`. Also without what leads to it: `conflict` is
 * `target.conflict`. *ret_whole (may be NULL): with all that leads to it. */
bool rows_key_fits(const char *key, const char *typed, bool *ret_whole);

/* `WHAT: this version does not act on it: WHY` at the node. Returns false. */
bool rows_refuse(struct rows_reader *reader, const struct yaml_node *at, const char *what, const char *why);

/* JSON Schema (draft 2020-12) of the whole table; the caller frees. */
char *rows_schema_json(struct rows rows, const char *title);

/* --- forms -----------------------------------------------------------------------------------------------------------
 */

/* Into what the offset leads to:                  a row's */
extern const struct row_form form_map;      /* nothing: the rows below it, read into the same struct */
extern const struct row_form form_one;      /* nothing: the number 1, of a file's own version */
extern const struct row_form form_text;     /* const char * */
extern const struct row_form form_name;     /* const char *: [a-z0-9][a-z0-9-]{0,62} */
extern const struct row_form form_words;    /* const char *: free text, in which ${ is nothing special */
extern const struct row_form form_file;     /* const char *: resolved against `dir` */
extern const struct row_form form_files;    /* const char ** and, right behind it, size_t: a list of them */
extern const struct row_form form_texts;    /* the same of texts */
extern const struct row_form form_bool;     /* bool */
extern const struct row_form form_count;    /* uint64_t, within min and max */
extern const struct row_form form_count32;  /* uint32_t, within min and max */
extern const struct row_form form_choice;   /* an enum: one of `choices` */
extern const struct row_form form_path;     /* struct path * */
extern const struct row_form form_paths;    /* struct key_paths: one path or a list */
extern const struct row_form form_share;    /* double 0..1: 0.1% */
extern const struct row_form form_duration; /* int64_t milliseconds: 500ms */
extern const struct row_form form_live;     /* struct spec_live: +10% or +0.5ms */
extern const struct row_form form_rate;     /* double per second: 20000/s */
extern const struct row_form form_refused;  /* nothing: a key that no version acts on yet */

static inline void *row_field(const struct spec_row *row, void *into)
{
    return (char *)into + row->offset;
}

/* A value of a quantity: a text, or a bare number such as 1024. NULL with a diag where it is neither. */
const char *forms_quantity(struct rows_reader *reader, const struct yaml_node *node, const char *expected);

/* A relative path of a file, resolved against `dir`; in `mem`. */
const char *forms_resolve(struct rows_reader *reader, const char *path);
