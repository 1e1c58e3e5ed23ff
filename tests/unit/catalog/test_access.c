/* Tokens: one of a name or of a certificate at a time; errands: good once. */
#include "catalog/access.h"
#include "unit/catalog/fixture.h"

static const struct act ACT = {.actor = "ann"};

static bool add(struct fixture *fx, const char *name, const char *certificate, int64_t expires_ms, GError **error)
{
    static uint8_t last;
    struct token_row token = {.name = name,
                              .role = "viewer",
                              .author = "ann",
                              .certificate = certificate,
                              .digest = {++last},
                              .made_ms = 1,
                              .expires_ms = expires_ms};
    return catalog_token_add(fx->catalog, &token, &ACT, error);
}

static void one_token_of_a_name_or_a_certificate_stands(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    int64_t now_ms = world_wall_ms(fx->world);
    kit_ok(add(fx, "bob", NULL, 0, &error));
    kit_refused(add(fx, "bob", NULL, 0, &error), REFUSED,
                "a token of bob already, made by ann; `sluice token revoke bob`");
    kit_ok(catalog_token_revoke(fx->catalog, "bob", &ACT, &error));
    kit_refused(catalog_token_revoke(fx->catalog, "bob", &ACT, &error), NOT_FOUND, "no token of bob that stands");
    kit_ok(add(fx, "bob", NULL, now_ms + 1000, &error));
    kit_refused(add(fx, "bob", NULL, 0, &error), REFUSED, "a token of bob already");
    atomic_fetch_add(&fx->fake.wall_ms, 2000);
    kit_ok(add(fx, "bob", NULL, 0, &error)); /* the other has expired */
    kit_ok(add(fx, "ci", "CN=ci", 0, &error));
    kit_refused(add(fx, "other", "CN=ci", 0, &error), REFUSED,
                "a token of CN=ci already, made by ann; `sluice token revoke ci`");
    kit_ok(add(fx, "other", "CN=other", 0, &error));
    kit_refused(add(fx, "ci", "CN=new", 0, &error), REFUSED, "a token of ci already");
    kit_refused(add(fx, "ci", NULL, 0, &error), REFUSED, "a token of ci already");
    struct token_row *tokens;
    size_t n;
    kit_ok(catalog_tokens(fx->catalog, fx->mem, &tokens, &n, &error));
    assert_int_equal(n, 5);
    assert_true(tokens[0].revoked_ms > 0 && tokens[4].revoked_ms == 0);
}

static void an_errand_is_good_once(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    uint8_t id[ERRAND_BYTES], other[ERRAND_BYTES] = {1};
    struct errand sent = {.command = "resume", .run = "fix.1", .actor = "bob@token", .user = "bob"}, taken;
    kit_ok(catalog_errand_add(fx->catalog, &sent, id, &error));
    kit_refused(catalog_errand_take(fx->catalog, other, fx->mem, &taken, &error), NOT_PERMITTED,
                "nobody has sent this process");
    kit_ok(catalog_errand_take(fx->catalog, id, fx->mem, &taken, &error));
    assert_string_equal(taken.actor, "bob@token");
    kit_refused(catalog_errand_take(fx->catalog, id, fx->mem, &taken, &error), NOT_PERMITTED,
                "nobody has sent this process");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_token_of_a_name_or_a_certificate_stands, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(an_errand_is_good_once, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
