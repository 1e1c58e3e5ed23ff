/* YAML files as trees of nodes that know their place: what the spec and the contract are read from.
 *
 * A thin layer over libfyaml's events. Scalars follow the core schema of YAML 1.2: `yes` is text, `007` is the integer
 * 7, a quoted scalar is text. Refused, each with its place: text that is not UTF-8 or above YAML_BYTES (looked at
 * before libfyaml sees it: 0.7.12 never returns on some invalid UTF-8), a second document, tags other than the core
 * schema's, keys that are not scalars, duplicate keys (both places are named), nesting above YAML_DEPTH, and more than
 * YAML_NODES nodes, those that aliases stand for counted as often as they are meant.
 *
 * Nothing here returns a GError: what is wrong is added to the diags that the caller gave, so that all errors of a file
 * are reported at once. One thread at a time. */
#pragma once

#include "base/diags.h"
#include "base/world.h"

#define YAML_BYTES      (1u << 20)
#define YAML_DEPTH      64
#define YAML_NODES      100000
#define YAML_TEXT_BYTES (4u << 20)

enum yaml_kind { YAML_NULL, YAML_BOOL, YAML_INT, YAML_FLOAT, YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_pair {
    const struct yaml_node *key, *value; /* a key is a scalar: key->text */
};

struct yaml_node {
    enum yaml_kind kind;
    uint32_t line, column;                /* from 1; the column in bytes */
    uint32_t weight, text_weight;         /* nodes that it stands for, itself included; bytes of their texts */
    const char *text;                     /* of a scalar, as it was written but without quotes; never NULL */
    const struct yaml_pair *pairs;        /* of a map, in the order of the file */
    const struct yaml_node *const *items; /* of a list */
    size_t n;
    bool broken; /* its value could not be found (spec/params.h): it was told, and is not read on */
};

struct yaml;

/* Reads `path`. NULL where it cannot be read or is no YAML: then `diags` says why. `diags` is used by every yaml_ call
 * on the result and must outlive it. */
struct yaml *yaml_read(const struct world *world, const char *path, struct diags *diags);
/* The same from memory; `file` is what messages call it. The text is copied. */
struct yaml *yaml_parse(const char *file, struct slice text, struct diags *diags);
void yaml_free(struct yaml *yaml); /* frees all nodes and their texts */
AUTO_DEFINE(yaml, yaml_free)

const struct yaml_node *yaml_root(const struct yaml *yaml); /* a YAML_NULL node for an empty file */
const char *yaml_file(const struct yaml *yaml);
struct slice yaml_text(const struct yaml *yaml); /* the file's bytes */

/* Memory that lives as long as the yaml. */
const char *yaml_keep(struct yaml *yaml, const char *text);

/* Adds a diag at the node's place. yaml_fail() is false as well, so that a reader can end with it, and the compiler
 * knows that it is. */
void yaml_diag(struct yaml *yaml, const struct yaml_node *at, const char *format, ...) G_GNUC_PRINTF(3, 4);
#define yaml_fail(...) (yaml_diag(__VA_ARGS__), false)

/* "expected EXPECTED, found FOUND". */
bool yaml_expected(struct yaml *yaml, const struct yaml_node *at, const char *expected);

/* A word that is not one of `words`: "unknown WHAT 'typed'; did you mean 'near'?", or the list of words. */
bool yaml_unknown(struct yaml *yaml, const struct yaml_node *at, const char *what, const char *const *words, size_t n);

/* `the number 12`, `the text 'abc'`, `a list`: for messages. Lives as long as the yaml. */
const char *yaml_describe(struct yaml *yaml, const struct yaml_node *node);

/* The value of a key in a map; NULL where it is not there. */
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);

/* Typed getters: *ret is written, or a diag added and false returned. Texts live as long as the yaml. */
bool yaml_get_text(struct yaml *yaml, const struct yaml_node *node, const char **ret); /* not empty */
bool yaml_get_bool(struct yaml *yaml, const struct yaml_node *node, bool *ret);
bool yaml_get_u64(struct yaml *yaml, const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret);
bool yaml_get_i64(struct yaml *yaml, const struct yaml_node *node, int64_t *ret);

/* The place of the other half of a contradiction: `line 12`. Lives as long as the yaml. */
const char *yaml_place(struct yaml *yaml, const struct yaml_node *node);
