#include "kit/kit.h"
#include "record/outcome.h"

static void every_outcome_has_a_word_of_its_own(void **state)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (enum outcome outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        const struct outcome_row *row = outcome_row(outcome);
        assert_true(row->word[0] && row->words[0]);
        assert_true(g_hash_table_add(seen, (gpointer)row->word));
    }
}

static void a_sum_counts_the_words_of_one_kind(void **state)
{
    struct tally tally = {{0}}, twice = {{0}};
    enum { KINDS = OUTCOME_KIND_PROMOTED + 1 };
    uint64_t sums[KINDS] = {0}, all = 0;
    for (enum outcome outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        tally.of[outcome] = UINT64_C(1) << outcome;
        sums[outcome_row(outcome)->kind] += UINT64_C(1) << outcome;
    }
    tally_add(&twice, &tally);
    tally_add(&twice, &tally);
    for (size_t kind = 0; kind < KINDS; kind++) {
        assert_int_equal(tally_sum(&tally, (enum outcome_kind)kind), sums[kind]);
        assert_int_equal(tally_sum(&twice, (enum outcome_kind)kind), 2 * sums[kind]);
        all += sums[kind];
    }
    assert_int_equal(all, (UINT64_C(1) << OUTCOME_COUNT) - 1);
}

static void a_tally_reconciles_when_every_listed_key_has_ended(void **state)
{
    struct tally tally = {{0}};
    assert_true(tally_reconciles(&tally));
    tally.of[OUTCOME_LISTED_] = 3;
    tally.of[OUTCOME_WRITTEN] = 2;
    tally.of[OUTCOME_EMITTED] = 1; /* is no end of a key */
    assert_false(tally_reconciles(&tally));
    tally.of[OUTCOME_IN_DOUBT] = 1;
    assert_true(tally_reconciles(&tally));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_outcome_has_a_word_of_its_own),
        cmocka_unit_test(a_sum_counts_the_words_of_one_kind),
        cmocka_unit_test(a_tally_reconciles_when_every_listed_key_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
