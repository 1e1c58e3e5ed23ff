#include "plan/keyring.h"

#include <glib/gstdio.h>

#include "kit/kit.h"
#include "plan/home.h"

#define KEY   "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define OTHER "3031323334353637383930313233343536373839303132333435363738393032\n"

static const uint8_t UID[16] = {1, 2, 3};

struct desk {
    char *dir, *home, *secret;
    struct world world;
    struct keyring *keyring;
};

static void tell(const struct desk *desk, const char *key)
{
    assert_true(g_file_set_contents(desk->secret, key, -1, NULL));
}

/* As a new process would. */
static void begin_anew(struct desk *desk)
{
    keyring_free(desk->keyring);
    desk->keyring = keyring_new(world_real(), desk->home);
    desk->world = *world_real();
    desk->world.seals = &keyring_seals;
    desk->world.seals_self = desk->keyring;
}

static int setup(void **state)
{
    void *dir;
    if (kit_dir_setup(&dir) != 0)
        return -1;
    struct desk *desk = g_new0(struct desk, 1);
    desk->dir = dir;
    desk->home = g_build_filename(desk->dir, "home", NULL);
    desk->secret = g_build_filename(desk->dir, "home.key", NULL);
    tell(desk, KEY "\n");
    begin_anew(desk);
    *state = desk;
    return 0;
}

static int teardown(void **state)
{
    struct desk *desk = *state;
    void *dir = desk->dir;
    keyring_free(desk->keyring);
    g_free(desk->home);
    g_free(desk->secret);
    g_free(desk);
    return kit_dir_teardown(&dir);
}

static void make(const struct desk *desk)
{
    GError *error = NULL;
    struct keyring_secret secret = {.text = "${file:home.key}", .dir = desk->dir};
    kit_ok(keyring_make_durable(&desk->world, desk->home, UID, &secret, &error));
}

static struct seal_key find(const struct desk *desk, const char *what)
{
    GError *error = NULL;
    struct seal_key key;
    bool found;
    kit_ok(world_seal_key(&desk->world, UID, what, &key, &found, &error));
    assert_true(found);
    return key;
}

static char *path_of(const struct desk *desk, enum home_place place)
{
    return home_path(desk->home, place, "01020300000000000000000000000000");
}

static void each_kind_has_a_key_of_its_own_that_a_later_process_finds(void **state)
{
    struct desk *desk = *state;
    make(desk);
    struct seal_key undo = find(desk, "undo"), reports = find(desk, "reports"), quarantine = find(desk, "quarantine");
    assert_memory_not_equal(undo.bytes, reports.bytes, SEAL_KEY);
    assert_memory_not_equal(undo.bytes, quarantine.bytes, SEAL_KEY);
    begin_anew(desk);
    struct seal_key again = find(desk, "undo");
    assert_memory_equal(undo.bytes, again.bytes, SEAL_KEY);
}

static void a_run_without_a_key_has_none(void **state)
{
    struct desk *desk = *state;
    GError *error = NULL;
    struct seal_key key;
    bool found = true;
    kit_ok(keyring_make_durable(&desk->world, desk->home, UID, &(struct keyring_secret){.dir = desk->dir}, &error));
    kit_ok(world_seal_key(&desk->world, UID, "undo", &key, &found, &error));
    assert_false(found);
    kit_refused(keyring_check(&desk->world, desk->home, UID, "undo", &error), REFUSED, "the key of the run is gone");
}

static void a_key_that_is_removed_is_found_no_more(void **state)
{
    struct desk *desk = *state;
    GError *error = NULL;
    make(desk);
    g_autofree char *path = path_of(desk, HOME_KEY_UNDO);
    assert_int_equal(g_unlink(path), 0);
    kit_refused(keyring_check(&desk->world, desk->home, UID, "undo", &error), REFUSED, "the key of the run is gone");
    kit_ok(keyring_check(&desk->world, desk->home, UID, "reports", &error));
}

static void what_is_no_key_is_refused_and_not_shown(void **state)
{
    static const char *const WRONG[] = {"", "secret", "MDEy", "!!!!" KEY, KEY KEY, "30313233"};
    struct desk *desk = *state;
    GError *error = NULL;
    struct seal_key key;
    struct keyring_secret secret = {.text = "${file:home.key}", .dir = desk->dir};
    for (size_t i = 0; i < G_N_ELEMENTS(WRONG); i++) {
        tell(desk, WRONG[i]);
        assert_false(keyring_secret_read(&desk->world, &secret, &key, &error));
        assert_null(WRONG[i][0] ? strstr(error->message, WRONG[i]) : NULL);
        kit_refused(false, SPEC, "32 bytes as base64 or as hex are expected");
    }
    tell(desk, OTHER);
    kit_ok(keyring_secret_read(&desk->world, &secret, &key, &error));
    assert_memory_equal(key.bytes, "01234567890123456789012345678902", SEAL_KEY);
}

static void another_key_and_a_damaged_file_are_refused(void **state)
{
    struct desk *desk = *state;
    GError *error = NULL;
    struct seal_key key;
    bool found;
    make(desk);
    begin_anew(desk);
    tell(desk, OTHER);
    kit_refused(world_seal_key(&desk->world, UID, "undo", &key, &found, &error), REFUSED,
                "${file:home.key} is not the key by which it was sealed");
    tell(desk, KEY);
    begin_anew(desk);
    /* That of another kind, in its place. */
    g_autofree char *undo = path_of(desk, HOME_KEY_UNDO), *reports = path_of(desk, HOME_KEY_REPORTS);
    assert_int_equal(g_rename(reports, undo), 0);
    kit_refused(world_seal_key(&desk->world, UID, "undo", &key, &found, &error), CORRUPT, "not the key of this run");
    assert_true(g_file_set_contents(undo, "{", -1, NULL));
    kit_refused(world_seal_key(&desk->world, UID, "undo", &key, &found, &error), CORRUPT, "not the key of this run");
}

#define IN_DESK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DESK(each_kind_has_a_key_of_its_own_that_a_later_process_finds),
        IN_DESK(a_run_without_a_key_has_none),
        IN_DESK(a_key_that_is_removed_is_found_no_more),
        IN_DESK(what_is_no_key_is_refused_and_not_shown),
        IN_DESK(another_key_and_a_damaged_file_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
