/* The chains of a small undo log, built and read as text. */
#pragma once

#include "undo/chains.h"
#include "unit/undo/logs.h"

static inline void build(struct logs *logs, const uint32_t *parts, size_t n)
{
    GError *error = NULL;
    struct undo_filter filter = {.parts = parts, .n = n};
    kit_ok(undo_chains_build(&logs->config, parts ? &filter : NULL, &error));
}

/* What stands for the texts of the tests: the one whose digest it is. */
static const char *text_of(struct digest digest)
{
    static const char *const texts[] = {"A", "B", "C", "D", "X", "Y"};
    if (digest.low == 0 && digest.high == 0)
        return "-";
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        if (digest_equal(digest, logs_digest(texts[i])))
            return texts[i];
    return "?";
}

/* Every chain as KEY:STANDS>BACK, joined by blanks; read `step` at a time. */
static inline char *chains_by(struct logs *logs, size_t step)
{
    GError *error = NULL;
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    GString *text = g_string_new(NULL);
    kit_ok(undo_chains_open(&chains, &logs->config, &error));
    uint64_t at = 0;
    for (struct undo_chain_list list = {.n = 1}; list.n > 0; at += list.n) {
        arena_reset(mem);
        kit_ok(undo_chains_read(chains, at, step, mem, &list, &error));
        struct undo_chain *found = list.chains;
        for (size_t i = 0; i < list.n; i++) {
            const char *pre = found[i].pre_present ? (const char *)found[i].pre_raw.data : "-";
            int len = found[i].pre_present ? (int)found[i].pre_raw.len : 1;
            g_string_append_printf(text, "%s%.*s", text->len ? " " : "", (int)found[i].key.len,
                                   (const char *)found[i].key.data);
            g_string_append_printf(text, ":%s>%.*s", text_of(found[i].written), len, pre);
        }
    }
    assert_int_equal(at, undo_chains_count(chains));
    return g_string_free(text, FALSE);
}

static inline void assert_chains(struct logs *logs, const char *expected)
{
    for (size_t step = 1; step < 100; step *= 7) {
        g_autofree char *found = chains_by(logs, step);
        assert_string_equal(found, expected);
    }
}

static inline size_t damage_of(struct logs *logs, struct undo_damage *into, size_t room)
{
    GError *error = NULL;
    auto_(undo_chains) chains = NULL;
    size_t n;
    kit_ok(undo_chains_open(&chains, &logs->config, &error));
    const struct undo_damage *found = undo_chains_damage(chains, &n);
    if (n)
        memcpy(into, found, MIN(n, room) * sizeof *into);
    return n;
}
