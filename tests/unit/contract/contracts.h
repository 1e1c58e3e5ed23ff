/* What the contract's tests share: a contract and a record as texts, and what comes of them. */
#pragma once

#include "contract/contract.h"
#include "kit/kit.h"

struct applied {
    struct contract *contract;
    struct contract_check *check;
    struct arena *mem;
};

static inline struct applied applied_new(const char *yaml)
{
    g_autoptr(GError) error = NULL;
    struct applied applied = {.mem = arena_new(64 << 20)};
    kit_ok(contract_parse(&applied.contract, world_real(), "c.yaml", slice_of_text(yaml), &error));
    kit_ok(contract_check_new(&applied.check, applied.contract, &error));
    return applied;
}

/* `head` and the fields, one a line: `tier: { type: string }`. */
#define FIELDS(fields) "contract: 1\nname: c\nfields:\n" fields

static inline void applied_done(struct applied *applied)
{
    contract_check_free(applied->check);
    contract_free(applied->contract);
    arena_free(applied->mem);
}

static inline struct slice document_of(struct arena *mem, const char *json)
{
    g_autoptr(GError) error = NULL;
    struct slice document;
    kit_ok(document_from_json(slice_of_text(json), mem, &document, NULL, &error));
    return document;
}

/* The record passes and is then `expected`; "=" where it must be the very slice that came in. */
static inline void assert_passes(struct applied *applied, const char *json, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    struct slice document = document_of(applied->mem, json), made;
    if (!contract_apply(applied->check, document, applied->mem, &made, &error))
        fail_msg("%s is refused: %s", json, error->message);
    if (g_str_equal(expected, "=")) {
        if (made.data != document.data || made.len != document.len)
            fail_msg("%s is no longer the same slice", json);
        return;
    }
    kit_ok(document_check(made, &error));
    kit_ok(document_to_json(made, text, &error));
    assert_string_equal(text->str, expected);
}

static inline void assert_refuses(struct applied *applied, const char *json, const char *expected)
{
    g_autoptr(GError) error = NULL;
    struct slice document = document_of(applied->mem, json), made;
    if (contract_apply(applied->check, document, applied->mem, &made, &error))
        fail_msg("%s passes", json);
    assert_int_equal(error->code, SLUICE_ERROR_CONTRACT_SAYS);
    assert_string_equal(error->message, expected);
}

/* With a contract of one use. */
static inline void passes(const char *yaml, const char *json, const char *expected)
{
    struct applied applied = applied_new(yaml);
    assert_passes(&applied, json, expected);
    applied_done(&applied);
}

static inline void refuses(const char *yaml, const char *json, const char *expected)
{
    struct applied applied = applied_new(yaml);
    assert_refuses(&applied, json, expected);
    applied_done(&applied);
}
