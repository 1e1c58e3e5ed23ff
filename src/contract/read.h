/* Private to contract/: from YAML to the tree of fields. */
#pragma once

#include "contract/field.h"
#include "spec/rows.h"

/* What the file says of a field, before it is known to make sense. Nodes: as they stand in the file. */
struct field_wish {
    enum field_type type;
    bool required, nullable;
    const struct yaml_node *fallback, *one_of, *pattern, *min, *max, *length, *zone, *format, *items, *fields;
};

struct length_wish {
    uint64_t min, max;
};

struct contract_wish {
    const char *name;
    uint64_t version;
    enum unknown_rule unknown;
    const struct yaml_node *fields, *rules, *unique;
};

struct rule_wish {
    const char *name;
    const struct yaml_node *when, *expr;
};

/* The work in hand. */
struct reading {
    struct contract *contract;
    struct yaml *yaml;
    struct diags *diags;
    struct rows_reader rows;
    size_t n_codes;    /* that fields have of reference tables, all together */
    GArray *fallbacks; /* of struct fallback_wish: looked at when all fields are there */
};

struct fallback_wish {
    struct field *field;
    const struct yaml_node *node;
};

struct rows contract_table(void);

/* rows.mem: small things that live as long as the contract. */
void *reading_take(struct reading *reading, size_t len);
const char *reading_keep(struct reading *reading, const char *text);

/* All of `fields:`, defaults included. */
void read_fields(struct reading *reading, const struct yaml_node *node);

/* What the options of one field say: read_options.c. */
void read_options(struct reading *reading, struct field *field, const struct field_wish *wish);
/* A value as the file writes it, of the field's type. */
bool read_literal(struct reading *reading, const struct field *field, const struct yaml_node *node, struct value *ret);
/* The same with all that the field demands, and what stands below it. */
void read_fallback(struct reading *reading, struct field *field, const struct yaml_node *node);

/* What a word of `one_of` such as "ISO 4217" stands for: ends with NULL. NULL: it stands for itself. */
const char *const *references_codes(const char *name);

void read_unique(struct reading *reading, const struct yaml_node *node);
void read_rules(struct reading *reading, const struct yaml_node *node);
