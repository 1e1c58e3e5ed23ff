/* Generated lines in memory. */
#pragma once

#include "gen/gen.h"
#include "kit/kit.h"

struct gathered {
    GString *text;
    size_t puts, fail_at; /* 0: never */
};

static inline bool gather(void *self, struct slice bytes, GError **error)
{
    struct gathered *into = self;
    g_string_append_len(into->text, (const char *)bytes.data, (gssize)bytes.len);
    return ++into->puts != into->fail_at || error_set(error, SLUICE_ERROR_NO_SPACE, "the disk is full");
}

/* With the manifest, an index is asked for too: its faults stand in there. */
static inline char *made_by(const char *name, struct gen_wish wish, char **ret_faults)
{
    GError *error = NULL;
    struct gathered lines = {.text = g_string_new(NULL)}, faults = {.text = g_string_new(NULL)};
    struct gathered entries = {.text = g_string_new(NULL)};
    struct gen_sinks sinks = {.records = {gather, &lines}};
    if (ret_faults) {
        sinks.faults = (struct gen_sink){gather, &faults};
        sinks.index = (struct gen_sink){gather, &entries};
    }
    kit_ok(gen_find(name)->run(&wish, &sinks, &error));
    g_string_free(entries.text, TRUE);
    char *unused = g_string_free(faults.text, ret_faults == NULL);
    if (ret_faults)
        *ret_faults = unused;
    return g_string_free(lines.text, FALSE);
}

static inline size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

/* The rows that have a share, each within a factor of two of it; the number of those that end in being refused. */
static inline size_t count_drawn(const struct gen_row *row, const char *faults, uint64_t records)
{
    size_t refused = 0;
    for (size_t i = 0; row->fault_at(i); i++) {
        const struct gen_fault_row *fault = row->fault_at(i);
        g_autofree char *part = g_strdup_printf("\"fault\": \"%s\", \"ends\": \"%s\"", fault->word, fault->ends);
        size_t found = count(faults, part), wanted = (size_t)(records * fault->per_million / 1000000);
        if (fault->per_million)
            assert_in_range(found, wanted / 2, wanted * 2);
        else
            assert_true(found > 0);
        refused += strcmp(fault->ends, "refused") == 0 ? found : 0;
    }
    return refused;
}

static inline void same_wish_same_bytes(const char *name)
{
    g_autofree char *faults = NULL, *faults_again = NULL;
    struct gen_wish wish = {.records = 20000, .seed = 7}, another = {.records = 20000, .seed = 8};
    g_autofree char *first = made_by(name, wish, &faults), *again = made_by(name, wish, &faults_again);
    g_autofree char *other = made_by(name, another, NULL), *alone = made_by(name, wish, NULL);
    assert_string_equal(first, again);
    assert_string_equal(faults, faults_again);
    assert_string_equal(first, alone);
    assert_string_not_equal(first, other);
    assert_int_equal(count(first, "\n"), 20000);
}

static inline void none_gives_none(const char *name)
{
    g_autofree char *faults = NULL;
    g_autofree char *text = made_by(name, (struct gen_wish){.seed = 1}, &faults);
    assert_string_equal(text, "");
    assert_string_equal(faults, "");
}
