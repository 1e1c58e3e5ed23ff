/* The fields of one object: found by name, and what must not be absent. */
#include "contract/field.h"

static void *take(struct contract *contract, size_t len)
{
    void *memory = arena_alloc0(contract->mem, len);
    g_assert(memory); /* FIELDS_TOTAL of them fit the arena */
    return memory;
}

struct fields *fields_new(struct contract *contract)
{
    return take(contract, sizeof(struct fields));
}

void fields_add(struct contract *contract, struct fields *fields, struct field *field)
{
    bool full = (fields->n & (fields->n - 1)) == 0; /* room is a power of two */
    if (full) {
        struct field **list = take(contract, MAX(2 * fields->n, 1) * sizeof *list);
        if (fields->n)
            memcpy(list, fields->list, fields->n * sizeof *list);
        fields->list = list;
    }
    fields->list[fields->n++] = field;
}

struct field *fields_named(const struct fields *fields, struct slice name)
{
    for (size_t i = 0; i < fields->n; i++)
        if (slice_equal(fields->list[i]->name, name))
            return fields->list[i];
    return NULL;
}

static size_t hash_name(struct slice name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a: names are short */
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ name.data[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
}

int fields_find(const struct fields *fields, struct slice name)
{
    for (size_t at = hash_name(name);; at++) {
        uint16_t found = fields->table[at & (fields->slots - 1)];
        if (found == 0)
            return -1;
        if (slice_equal(fields->list[found - 1]->name, name))
            return found - 1;
    }
}

static void build_table(struct contract *contract, struct fields *fields)
{
    for (fields->slots = 4; fields->slots < 2 * fields->n + 1;)
        fields->slots *= 2;
    fields->table = take(contract, fields->slots * sizeof *fields->table);
    for (size_t i = 0; i < fields->n; i++) {
        size_t at = hash_name(fields->list[i]->name);
        while (fields->table[at & (fields->slots - 1)])
            at++;
        fields->table[at & (fields->slots - 1)] = (uint16_t)(i + 1);
    }
}

void fields_index(struct contract *contract, struct fields *fields)
{
    fields->id = contract->n_fields_structs++;
    build_table(contract, fields);
    for (size_t i = 0; i < fields->n; i++)
        for (const struct field *field = fields->list[i]; field; field = field->items)
            if (field->fields)
                fields_index(contract, field->fields);
}

static bool any_needed(const struct fields *fields)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fields->needed); i++)
        if (fields->needed[i])
            return true;
    return false;
}

static void settle_undeclared(struct field *field)
{
    for (size_t i = 0; i < field->fields->n; i++)
        field->has_fallback |= field->fields->list[i]->has_fallback;
}

void fields_settle_below(const struct field *field)
{
    for (; field; field = field->items)
        if (field->fields)
            fields_settle(field->fields);
}

void fields_settle(struct fields *fields)
{
    for (size_t i = 0; i < fields->n; i++) {
        struct field *field = fields->list[i];
        fields_settle_below(field);
        if (!field->declared)
            settle_undeclared(field);
        if (field->required || field->has_fallback || (!field->declared && any_needed(field->fields)))
            fields->needed[i / 64] |= UINT64_C(1) << i % 64;
    }
}
