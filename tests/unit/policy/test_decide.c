/* The table of all cases: rules, what is wanted, what is live → the decision. */
#include "kit/kit.h"
#include "policy/decide.h"

#define AT(ms)                                                                                                         \
    {                                                                                                                  \
        VERSION_TIME, (ms)*INT64_C(1000)                                                                               \
    }
#define NUMBER(n)                                                                                                      \
    {                                                                                                                  \
        VERSION_INTEGER, (n)                                                                                           \
    }
#define NONE                                                                                                           \
    {                                                                                                                  \
        VERSION_NONE, 0                                                                                                \
    }

static const struct decide_rules NEWER = {.conflict = DECIDE_NEWER_WINS, .skew_ms = 500};
static const struct decide_rules NEWER_REPAIR = {.conflict = DECIDE_NEWER_WINS, .skew_ms = 500, .repair_ties = true};
static const struct decide_rules NEWER_BOLD = {.conflict = DECIDE_NEWER_WINS, .write_unversioned = true};
static const struct decide_rules KEEP = {.conflict = DECIDE_CONFLICT_KEEP_LIVE};
static const struct decide_rules OVER = {.conflict = DECIDE_OVERWRITE};
static const struct decide_rules FILL = {.fill = true, .conflict = DECIDE_CONFLICT_KEEP_LIVE};
static const struct decide_rules FILL_OVER = {.fill = true, .conflict = DECIDE_OVERWRITE};
static const struct decide_rules SEEN = {.only_seen = true, .conflict = DECIDE_NEWER_WINS, .skew_ms = 500};
static const struct decide_rules SEEN_FILL = {.only_seen = true, .fill = true, .conflict = DECIDE_CONFLICT_KEEP_LIVE};
static const struct decide_rules SEEN_SAME = {.only_seen = true, .same_dataset = true};
static const struct decide_rules SAME = {.same_dataset = true, .conflict = DECIDE_CONFLICT_KEEP_LIVE};

static const struct {
    const char *what;
    const struct decide_rules *rules;
    struct decide_case of;
    enum decision decision;
} CASES[] = {
    {"absent is written", &KEEP, {.want_delete = false}, DECISION_WRITE},
    {"absent is written by fill", &FILL, {.want_delete = false}, DECISION_WRITE},
    {"absent is written by newer-wins", &NEWER, {.wanted = AT(1)}, DECISION_WRITE},
    {"what the application deleted stays deleted", &OVER, {.was_present = true}, DECISION_KEPT_LIVE},
    {"… in the same dataset too", &SAME, {.was_present = true}, DECISION_KEPT_LIVE},
    {"… and by fill", &FILL, {.was_present = true}, DECISION_KEPT_LIVE},
    {"a delete of nothing changes nothing", &OVER, {.want_delete = true}, DECISION_UNCHANGED},
    {"equal is unchanged", &OVER, {.live_present = true, .equal = true}, DECISION_UNCHANGED},
    {"equal is unchanged for fill", &FILL, {.live_present = true, .equal = true}, DECISION_UNCHANGED},
    {"equal is unchanged whatever the versions",
     &NEWER,
     {.live_present = true, .equal = true, .wanted = AT(9)},
     DECISION_UNCHANGED},
    {"fill leaves a live record", &FILL, {.live_present = true}, DECISION_KEPT_LIVE},
    {"fill leaves it even where conflicts are overwritten", &FILL_OVER, {.live_present = true}, DECISION_KEPT_LIVE},
    {"keep-live keeps", &KEEP, {.live_present = true}, DECISION_KEPT_LIVE},
    {"overwrite writes", &OVER, {.live_present = true}, DECISION_WRITE},
    {"overwrite deletes", &OVER, {.live_present = true, .want_delete = true}, DECISION_DELETE},
    {"… a record that is to go, whatever is in it",
     &OVER,
     {.live_present = true, .want_delete = true, .equal = true},
     DECISION_DELETE},
    {"a repair writes over what was seen", &SEEN, {.live_present = true, .seen = true}, DECISION_WRITE},
    {"… whatever the versions",
     &SEEN,
     {.live_present = true, .seen = true, .wanted = AT(1), .live = AT(10000)},
     DECISION_WRITE},
    {"… where the run filled", &SEEN_FILL, {.live_present = true, .seen = true}, DECISION_WRITE},
    {"… and in place", &SEEN_SAME, {.live_present = true, .seen = true}, DECISION_WRITE},
    {"a repair leaves what was not seen, however old it is",
     &SEEN,
     {.live_present = true, .wanted = AT(10000), .live = AT(1)},
     DECISION_KEPT_LIVE},
    {"… in place too", &SEEN_SAME, {.live_present = true}, DECISION_KEPT_LIVE},
    {"a repair writes where nothing was seen and nothing is", &SEEN, {.seen = true}, DECISION_WRITE},
    {"a repair leaves absent what was seen and is gone", &SEEN, {.seen = false}, DECISION_KEPT_LIVE},
    {"… and has nothing to remove", &SEEN, {.seen = false, .want_delete = true}, DECISION_UNCHANGED},
    {"… also what the application deleted after a look",
     &SEEN,
     {.seen = true, .was_present = true},
     DECISION_KEPT_LIVE},
    {"a repair writes over what it wrote itself", &SEEN, {.live_present = true, .ours = true}, DECISION_WRITE},
    {"a repair deletes what was seen",
     &SEEN,
     {.live_present = true, .seen = true, .want_delete = true},
     DECISION_DELETE},
    {"a repair that finds what is wanted changes nothing",
     &SEEN,
     {.live_present = true, .equal = true},
     DECISION_UNCHANGED},
    {"the same dataset writes", &SAME, {.live_present = true}, DECISION_WRITE},
    {"the same dataset deletes", &SAME, {.live_present = true, .want_delete = true}, DECISION_DELETE},
    {"newer wins", &NEWER, {.live_present = true, .wanted = AT(10000), .live = AT(1000)}, DECISION_WRITE},
    {"a newer tombstone deletes",
     &NEWER,
     {.live_present = true, .want_delete = true, .wanted = AT(10000), .live = AT(1000)},
     DECISION_DELETE},
    {"older is kept live", &NEWER, {.live_present = true, .wanted = AT(1000), .live = AT(10000)}, DECISION_KEPT_LIVE},
    {"within the skew is a tie: kept live",
     &NEWER,
     {.live_present = true, .wanted = AT(1400), .live = AT(1000)},
     DECISION_KEPT_LIVE},
    {"a tie from the other side is kept live",
     &NEWER,
     {.live_present = true, .wanted = AT(1000), .live = AT(1400)},
     DECISION_KEPT_LIVE},
    {"a tie is repaired where asked",
     &NEWER_REPAIR,
     {.live_present = true, .wanted = AT(1000), .live = AT(1400)},
     DECISION_WRITE},
    {"older is kept live though ties are repaired",
     &NEWER_REPAIR,
     {.live_present = true, .wanted = AT(1000), .live = AT(2000)},
     DECISION_KEPT_LIVE},
    {"just beyond the skew is newer",
     &NEWER,
     {.live_present = true, .wanted = AT(1501), .live = AT(1000)},
     DECISION_WRITE},
    {"integers have no skew", &NEWER, {.live_present = true, .wanted = NUMBER(8), .live = NUMBER(7)}, DECISION_WRITE},
    {"equal integers are a tie",
     &NEWER,
     {.live_present = true, .wanted = NUMBER(7), .live = NUMBER(7)},
     DECISION_KEPT_LIVE},
    {"kinds that cannot be compared: kept live",
     &NEWER,
     {.live_present = true, .wanted = NUMBER(7), .live = AT(1)},
     DECISION_KEPT_LIVE},
    {"a wanted record without a version: kept live",
     &NEWER,
     {.live_present = true, .wanted = NONE, .live = AT(1)},
     DECISION_KEPT_LIVE},
    {"a live record without a version: kept live",
     &NEWER,
     {.live_present = true, .wanted = AT(1), .live = NONE},
     DECISION_KEPT_LIVE},
    {"… or written where the spec says so",
     &NEWER_BOLD,
     {.live_present = true, .wanted = AT(1), .live = NONE},
     DECISION_WRITE},
    {"what this run wrote for this record is written over",
     &KEEP,
     {.live_present = true, .ours = true},
     DECISION_WRITE},
    {"… and deleted", &FILL, {.live_present = true, .ours = true, .want_delete = true}, DECISION_DELETE},
};

static void every_case_is_decided_as_the_table_says(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++)
        if (decide(CASES[i].rules, &CASES[i].of) != CASES[i].decision)
            fail_msg("%s: decided %d", CASES[i].what, (int)decide(CASES[i].rules, &CASES[i].of));
}

/* Whatever the rules: a record that the application deleted is never brought back, a live one that is equal never
 * written. Over all combinations. */
static void no_combination_resurrects_or_rewrites(void **state)
{
    for (unsigned bits = 0; bits < 1u << 9; bits++) {
        struct decide_rules rules = {.same_dataset = bits & 1,
                                     .fill = bits & 2,
                                     .conflict = (enum decide_conflict)((bits >> 2) % 3),
                                     .write_unversioned = bits & 16,
                                     .repair_ties = bits & 32};
        struct decide_case deleted = {.was_present = true, .want_delete = bits & 64, .ours = bits & 128};
        struct decide_case equal = {.live_present = true, .equal = true, .ours = bits & 128, .was_present = bits & 256};
        assert_int_equal(decide(&rules, &deleted), DECISION_KEPT_LIVE);
        assert_int_equal(decide(&rules, &equal), DECISION_UNCHANGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case_is_decided_as_the_table_says),
                                       cmocka_unit_test(no_combination_resurrects_or_rewrites)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
