/* What is said of records of one size and of one age: in the verdict, in JSON, for people. */
#include "kit/kit.h"
#include "verify/strata.h"

#define NOW_MS  INT64_C(1700000000000)
#define HOUR_MS INT64_C(3600000)

/* A sample of 95 %, as of NOW_MS; `dated`: the spec says which field the version is, that nobody looks at here. */
static struct verify_input input_of(bool dated)
{
    static const char path[1];
    return (struct verify_input){.planned_at_ms = NOW_MS,
                                 .sure = {.confidence = 0.95},
                                 .version = dated ? (const struct path *)(const void *)path : NULL};
}

/* So many records of that size, and that many hours old (0: without a time), so many of them bad. */
static void meet(struct strata *io, const struct verify_input *input, uint64_t bytes, int64_t hours, int n, int bad)
{
    struct version at = {.value = (NOW_MS - hours * HOUR_MS) * 1000};
    for (int i = 0; i < n; i++) {
        struct strata_record record = {.bytes = bytes, .at = hours ? &at : NULL, .bad = i < bad, .weight = 1};
        strata_add(io, input, &record);
    }
}

static void words_are(const struct strata_told *told, const char *wanted)
{
    g_autoptr(GString) words = g_string_new(NULL);
    strata_words(told, words);
    assert_string_equal(words->str, wanted);
}

static void where_some_are_bad_it_is_said_which_and_of_how_many(void **state)
{
    struct strata strata = {0}, other = {0};
    struct verify_input input = input_of(true);
    struct strata_told told = {.strata = &strata, .input = &input};
    meet(&strata, &input, 64, 2, 300, 0);
    meet(&strata, &input, 65, 1, 40, 3);
    meet(&other, &input, 5000, 24 * 400, 7, 7);
    strata_merge(&strata, &other);
    words_are(&told,
              "; bad by size: 3 of the 40 of 64 B to 512 B, 7 of the 7 of 4 KiB to 32 KiB; bad by age: 3 of the 40 of "
              "up to 1h, 7 of the 7 of above 365d");
    told.stopped = true; /* where the bad ones are is known all the same */
    words_are(&told,
              "; bad by size: 3 of the 40 of 64 B to 512 B, 7 of the 7 of 4 KiB to 32 KiB; bad by age: 3 of the 40 of "
              "up to 1h, 7 of the 7 of above 365d");
}

static void where_none_is_it_is_said_of_which_the_least_is_proven(void **state)
{
    struct strata strata = {0};
    struct verify_input input = input_of(true);
    struct strata_told told = {.strata = &strata, .input = &input};
    g_autoptr(GString) words = g_string_new(NULL);
    meet(&strata, &input, 64, 2, 300, 0);
    words_are(&told, ""); /* of one stratum each: what is said of all says it */
    meet(&strata, &input, 300 << 10, 2, 30, 0);
    strata_words(&told, words);
    assert_true(
        g_str_has_prefix(words->str, "; by size least is proven of those of above 256 KiB, 30 looked at: fewer than "));
    assert_null(strstr(words->str, "by age"));
    strata.several = true;
    words_are(&told, "");
    strata.several = false;
    told.stopped = true;
    words_are(&told, "");
}

static void of_what_was_hardly_met_nothing_is_said(void **state)
{
    struct strata strata = {0};
    struct verify_input input = input_of(true);
    struct strata_told told = {.strata = &strata, .input = &input};
    meet(&strata, &input, 5000, 2, 4, 0); /* at 95 %: fewer than 53 % */
    meet(&strata, &input, 600, 24 * 9, 1, 0);
    words_are(
        &told,
        "; by size too few to say anything: 512 B to 4 KiB, 1 looked at, and 4 KiB to 32 KiB, 4 looked at; by age "
        "too few to say anything: 1h to 1d, 4 looked at, and 7d to 30d, 1 looked at");
    meet(&strata, &input, 5000, 2, 1, 0);
    words_are(&told,
              "; by size least is proven of those of 4 KiB to 32 KiB, 5 looked at: fewer than 46%; by size too few to "
              "say anything: 512 B to 4 KiB, 1 looked at; by age least is proven of those of 1h to 1d, 5 looked at: "
              "fewer than 46%; by age too few to say anything: 7d to 30d, 1 looked at");
}

static void json_is(const struct strata_told *told, const char *key, const char *wanted)
{
    json_t *sample = json_object();
    strata_put_json(told, sample);
    char *text = json_dumps(json_object_get(sample, key), JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(2));
    assert_string_equal(text ? text : "nothing", wanted);
    free(text);
    json_decref(sample);
}

static void without_ages_it_is_said_why(void **state)
{
    struct strata strata = {0};
    struct verify_input dated = input_of(true), undated = input_of(false);
    struct strata_told told = {.strata = &strata, .input = &undated, .stands_for = 5};
    g_autoptr(GString) page = g_string_new(NULL);
    meet(&strata, &dated, 10, 0, 30, 1);
    json_is(&told, "by_age", "null");
    json_is(&told, "age_why", "\"the spec has no source.version that would say it\"");
    strata_put(&told, page);
    assert_non_null(strstr(page->str, " Of ages nothing is said: the spec has no source.version that would say it."));
    assert_null(strstr(page->str, "<td>age</td>"));
    told.input = &dated;
    json_is(&told, "age_why", "\"no record that was looked at has a time as its version\"");
    meet(&strata, &dated, 10, 30, 1, 0);
    json_is(&told, "age_why", "nothing");
    json_is(&told, "by_age",
            "[{\"stratum\":\"1d to 7d\",\"keys\":1,\"about\":5,\"bad\":0,\"below\":0.95},{\"stratum\":\"without a "
            "time\",\"keys\":30,"
            "\"about\":150,\"bad\":1,\"below\":0.33}]");
    words_are(&told, "; bad by age: 1 of the 30 of without a time");
    told.input = &undated;
    meet(&strata, &dated, 100, 0, 9, 2);
    strata.of[STRATA_AGE][0] = strata.of[STRATA_AGE][1] = strata.of[STRATA_AGE][2] = (struct stratum){0};
    told.input = &dated;
    strata.several = true;
    strata_put(&told, page);
    assert_non_null(strstr(page->str, "Nothing is proven of them: the transform makes several records of a key."));
    strata.several = false;
    told.stopped = true;
    json_is(&told, "by_size",
            "[{\"stratum\":\"up to 64 B\",\"keys\":31,\"about\":null,\"bad\":1,\"below\":null},{\"stratum\":\"64 B to "
            "512 B\","
            "\"keys\":9,\"about\":null,\"bad\":2,\"below\":null}]");
}

/* --- of each by itself -------------------------------------------------------------------------------------------- */

/* 95 %, 1 % of all, 10 % of each: of a kind 35 prove it. */
static struct verify_input input_of_each(bool dated)
{
    struct verify_input input = input_of(dated);
    input.sure.below = 0.01;
    input.sure.each = 0.1;
    return input;
}

static void of_each_it_is_known_or_the_rarest_is_open(void **state)
{
    struct strata strata = {0};
    struct verify_input input = input_of_each(true);
    struct strata_told told = {.strata = &strata, .input = &input, .round = {100000, 500, 1}, .stands_for = 200};
    meet(&strata, &input, 10, 2, 480, 0);
    assert_int_equal(strata_open(&told), STRATA_NONE_OPEN);
    meet(&strata, &input, 100, 2, 12, 0);
    assert_int_equal(strata_open(&told), 12);
    meet(&strata, &input, 10, 24 * 9, 8, 0);
    assert_int_equal(strata_open(&told), 8); /* an age */
    told.round = (struct sampling_round){100000, 5000, 3};
    assert_int_equal(strata_open(&told), STRATA_NONE_OPEN); /* of so many they are few */
    strata.several = true;
    assert_int_equal(strata_open(&told), 0);
}

static void what_was_asked_of_each_is_told_with_what_is_rarer(void **state)
{
    struct strata strata = {0};
    struct strata_shards shards = {0};
    struct verify_input input = input_of_each(false);
    struct strata_told told = {
        .strata = &strata, .shards = &shards, .input = &input, .round = {100000, 5000, 3}, .stands_for = 20};
    meet(&strata, &input, 10, 0, 4000, 0);
    meet(&strata, &input, 5000, 0, 3, 0);
    words_are(
        &told,
        "; of each size that makes up 1% or more of all, fewer than 10% do; rarer: 4 KiB to 32 KiB, 3 looked at; no "
        "age is known: the spec has no source.version that would say it");
    json_is(&told, "by_shard", "null");
    struct strata_record there = {.bytes = 10, .shard = strata_shard(&shards, "10.0.0.1:7001"), .weight = 1};
    strata_add(&strata, &input, &there);
    input = input_of_each(true);
    meet(&strata, &input, 10, 2, 900, 0);
    words_are(
        &told,
        "; of each shard, size and age that makes up 1% or more of all, fewer than 10% do; rarer: 10.0.0.1:7001, 1 "
        "looked at, and 4 KiB to 32 KiB, 3 looked at");
    json_is(&told, "by_shard",
            "[{\"stratum\":\"10.0.0.1:7001\",\"keys\":1,\"about\":20,\"bad\":0,\"below\":0.95,\"standing\":\"rare\"}]");
    meet(&strata, &input, 100, 2, 30, 0);
    told.round =
        (struct sampling_round){10000, 500, 1}; /* it ended although something is open: a key of no size was bad */
    assert_int_equal(strata_open(&told), 1);
    g_autoptr(GString) words = g_string_new(NULL);
    strata_words(&told, words);
    assert_null(strstr(words->str, "makes up"));
    assert_non_null(strstr(words->str, "; by size too few to say anything: 4 KiB to 32 KiB, 3 looked at"));
    told.round = (struct sampling_round){100000, 100000, 3};
    words_are(&told, "; to say it of each shard, size and age too, all were looked at");
    told.shards = NULL;
    words_are(&told, "; to say it of each size and age too, all were looked at");
    told.stopped = true; /* it found out what is asked, and nothing of it is proven */
    words_are(&told, "");
    json_is(&told, "by_age",
            "[{\"stratum\":\"1h to 1d\",\"keys\":930,\"about\":null,\"bad\":0,\"below\":null,\"standing\":"
            "\"open\"},{\"stratum\":\"without a time\",\"keys\":4004,\"about\":null,\"bad\":0,\"below\":null,"
            "\"standing\":\"open\"}]");
    told.stopped = false;
    told.shards = &shards;
    strata.several = true;
    json_is(&told, "by_shard",
            "[{\"stratum\":\"10.0.0.1:7001\",\"keys\":1,\"about\":20,\"bad\":0,\"below\":null,\"standing\":\"open\"}]");
    strata.several = false;
    meet(&strata, &input, 5000, 2, 2, 1);
    json_is(&told, "by_shard",
            "[{\"stratum\":\"10.0.0.1:7001\",\"keys\":1,\"about\":20,\"bad\":0,\"below\":0.95,\"standing\":\"rare\"}]");
    words_are(&told, "; bad by size: 1 of the 5 of 4 KiB to 32 KiB; bad by age: 1 of the 932 of 1h to 1d");
    strata_shards_done(&shards);
}

static void of_shards_without_ages_each_is_told_with_why(void **state)
{
    struct strata strata = {0};
    struct strata_shards shards = {0};
    struct verify_input input = input_of_each(false);
    struct strata_told told = {
        .strata = &strata, .shards = &shards, .input = &input, .round = {100, 100, 1}, .stands_for = 1};
    struct strata_record there = {.bytes = 10, .shard = strata_shard(&shards, "10.0.0.1:7001"), .weight = 1};
    strata_add(&strata, &input, &there);
    words_are(&told, "; to say it of each shard and size too, all were looked at; no age is known: the spec has no "
                     "source.version that would say it");
    there.bad = true;
    strata_add(&strata, &input, &there);
    json_is(&told, "by_shard",
            "[{\"stratum\":\"10.0.0.1:7001\",\"keys\":2,\"about\":2,\"bad\":1,\"below\":1.0,\"standing\":\"bad\"}]");
    strata_shards_done(&shards);
}

static void shards_beyond_many_are_one(void **state)
{
    struct strata_shards shards = {0};
    assert_int_equal(strata_shard(&shards, NULL), 0);
    for (int i = 0; i < 3 * STRATA_MOST; i++) {
        g_autofree char *name = g_strdup_printf("h:%d", i);
        assert_int_equal(strata_shard(&shards, name), MIN(i + 1, STRATA_MOST));
        assert_int_equal(strata_shard(&shards, "h:0"), 1);
    }
    assert_string_equal(shards.of[STRATA_MOST - 1], "any other server");
    strata_shards_done(&shards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_some_are_bad_it_is_said_which_and_of_how_many),
        cmocka_unit_test(where_none_is_it_is_said_of_which_the_least_is_proven),
        cmocka_unit_test(without_ages_it_is_said_why),
        cmocka_unit_test(of_what_was_hardly_met_nothing_is_said),
        cmocka_unit_test(of_each_it_is_known_or_the_rarest_is_open),
        cmocka_unit_test(what_was_asked_of_each_is_told_with_what_is_rarer),
        cmocka_unit_test(of_shards_without_ages_each_is_told_with_why),
        cmocka_unit_test(shards_beyond_many_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
