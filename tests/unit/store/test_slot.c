#include "kit/kit.h"
#include "store/valkey/slot.h"
#include "store/valkey/valkey.h"

/* What `CLUSTER KEYSLOT` of a Redis 7.0.15 answers. */
static const struct {
    const char *key;
    uint16_t slot;
} KNOWN[] = {
    {"", 0},
    {"123456789", 12739},
    {"foo", 12182},
    {"bar", 5061},
    {"{user1000}.following", 3443},
    {"{user1000}.followers", 3443},
    {"foo{}{bar}", 8363},
    {"foo{{bar}}zap", 4015},
    {"foo{bar}{zap}", 5061},
    {"a{b", 13340},
    {"}{a}", 15495},
    {"\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87", 10303},
};

static void a_key_has_the_slot_that_the_server_says(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(KNOWN); i++)
        assert_int_equal(slot_of(slice_of_text(KNOWN[i].key)), KNOWN[i].slot);
    assert_int_equal(slot_of(slice_of("\0\xff{\0}x", 6)), 0);
}

static void the_tag_of_each_slot_hashes_to_it_with_and_without_braces(void **state)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        g_autofree char *key = g_strdup_printf("sluice:fence:{%s}:00", slot_tag((uint16_t)slot));
        assert_int_equal(slot_of(slice_of_text(slot_tag((uint16_t)slot))), slot);
        assert_int_equal(slot_of(slice_of_text(key)), slot);
    }
}

/* They name keys in live stores: never change this digest. */
static void the_tags_are_those_of_every_version_of_sluice(void **state)
{
    g_autoptr(GString) all = g_string_new(NULL);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        g_string_append_printf(all, "%s\n", slot_tag((uint16_t)slot));
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, all->str, (gssize)all->len);
    assert_string_equal(digest, "14bad0920caafae27c3c5b89f72260a6484e2878258190e618df370f41846174");
}

/* --- the order of listings ---------------------------------------------------------------------------------------- */

static uint16_t rank_of(const char *dataset, const char *key)
{
    GError *error = NULL;
    struct dataset ds = {.name = dataset};
    struct slice of = slice_of_text(key);
    uint16_t rank;
    kit_ok(valkey_driver.list->rank(&ds, &of, 1, &rank, &error));
    return rank;
}

/* So that a partition is of one server: they have ranges of slots. */
static void a_record_has_the_rank_of_its_slot(void **state)
{
    for (size_t i = 1; i < G_N_ELEMENTS(KNOWN); i++)
        assert_int_equal(rank_of("*", KNOWN[i].key), KNOWN[i].slot);
    /* By the server's key, not by the record's. */
    assert_int_equal(rank_of("{{{user}}}.following", "user1000"), 3443);
    assert_int_equal(rank_of("foo{{{x}}}zap", "bar"), 5061);
}

static void what_is_no_key_of_the_dataset_has_a_rank_too(void **state)
{
    assert_int_equal(rank_of("foo*", "bar"), 5061);
    assert_int_equal(rank_of("*", "sluice:locks"), slot_of(slice_of_text("sluice:locks")));
    assert_int_equal(rank_of("c:{id}", ""), slot_of(SLICE_EMPTY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_the_slot_that_the_server_says),
        cmocka_unit_test(the_tag_of_each_slot_hashes_to_it_with_and_without_braces),
        cmocka_unit_test(the_tags_are_those_of_every_version_of_sluice),
        cmocka_unit_test(a_record_has_the_rank_of_its_slot),
        cmocka_unit_test(what_is_no_key_of_the_dataset_has_a_rank_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
