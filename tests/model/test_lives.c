/* Random lives: SLUICE_LIVES of them (else SLUICE_LIVES_USUAL, which the build says, else 300), from SLUICE_LIFE on, on
 * SLUICE_STORE (mem, rocksdb); a single one with SLUICE_LIVES=1 SLUICE_LIFE=SEED. One that fails leaves a file; moved
 * to tests/model/lives/ it is lived for ever. */
#include "base/int.h"
#include "model/life.h"
#include "store/rocksdb/rocks.h"

static const char *const STORES[] = {[LIFE_ON_MEM] = "mem", [LIFE_ON_ROCKSDB] = "rocksdb"};

static uint64_t from_environment(const char *name, uint64_t fallback)
{
    const char *text = g_getenv(name);
    uint64_t value;
    return text && int_parse_u64(slice_of_text(text), &value) ? value : fallback;
}

static enum life_store store_of(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(STORES); i++)
        if (strcmp(STORES[i], name) == 0)
            return (enum life_store)i;
    fail_msg("no store '%s' to live on", name);
    return LIFE_ON_MEM;
}

/* The life that is being lived, for the one who comes after a failure. */
struct now {
    enum life_store on;
    uint64_t seed;
    bool alive;
};

static void live(struct now *now, enum life_store on, uint64_t seed, struct met *met)
{
    GError *error = NULL;
    kit_ok(on != LIFE_ON_ROCKSDB || rocks_library_load(&error)); /* once, and not by each fork */
    *now = (struct now){.on = on, .seed = seed, .alive = true};
    life_run(on, seed, met);
    now->alive = false;
}

static int write_down(void **state)
{
    const struct now *now = *state;
    if (!now->alive)
        return 0;
    g_autofree char *name = g_strdup_printf("%s-%" PRIu64 ".life", STORES[now->on], now->seed);
    const char *build = g_getenv("SLUICE_BUILD");
    g_autofree char *path = g_build_filename(build ? build : g_get_tmp_dir(), name, NULL);
    g_autofree char *text = g_strdup_printf("# what it met\n%s %" PRIu64 "\n", STORES[now->on], now->seed);
    print_message("# a life has failed: %s; move it to tests/model/lives/ and write into it what it met\n", path);
    return g_file_set_contents(path, text, -1, NULL) ? 0 : -1;
}

static void say(uint64_t lives, const struct met *met)
{
    print_message("# %" PRIu64 " lives met: %" PRIu64 " deaths, %" PRIu64
                  " of them between intents and checkpoint, %" PRIu64 " in the middle of a file's call; %" PRIu64
                  " calls that a loss of power took back; %" PRIu64 " torn, %" PRIu64 " unanswered, %" PRIu64
                  " repeated, %" PRIu64 " late writes; %" PRIu64 " changed, %" PRIu64 " done, %" PRIu64
                  " fenced; %" PRIu64 " partitions split\n",
                  lives, met->deaths, met->between, met->in_files, met->forgotten, met->torn, met->lost, met->twice,
                  met->late, met->changed, met->done, met->fenced, met->splits);
}

static void the_promises_hold_in_every_life(void **state)
{
    const char *name = g_getenv("SLUICE_STORE");
    enum life_store on = store_of(name ? name : "mem");
    uint64_t usual = from_environment("SLUICE_LIVES_USUAL", 300);
    uint64_t first = from_environment("SLUICE_LIFE", 1), lives = from_environment("SLUICE_LIVES", usual);
    struct met met = {0};
    for (uint64_t seed = first; seed < first + lives; seed++)
        live(*state, on, seed, &met);
    say(lives, &met);
    if (lives < 50)
        return;
    assert_true(met.deaths > lives && met.between >= lives / 2 && met.changed >= lives && met.done >= lives);
    assert_true(met.splits >= lives / 4);
    assert_true(met.torn > lives / 4 && met.lost > lives / 2 && met.twice > lives / 4);
    if (on == LIFE_ON_MEM)
        assert_true(met.in_files > lives / 10 && met.forgotten > lives / 10 && met.late > lives / 10 &&
                    met.fenced > lives / 10);
    if (on == LIFE_ON_MEM && lives >= 300)
        assert_true(met.changed >= 1000 && met.done >= 50 && met.between >= 5);
}

static void live_file(struct now *now, const char *path, struct met *met)
{
    GError *error = NULL;
    g_autofree char *text = NULL;
    kit_ok(g_file_get_contents(path, &text, NULL, &error));
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (size_t i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", 2);
        uint64_t seed;
        if (lines[i][0] == '#' || !words[0] || !words[1])
            continue;
        assert_true(int_parse_u64(slice_of_text(words[1]), &seed));
        live(now, store_of(words[0]), seed, met);
    }
}

static void what_failed_once_is_lived_again(void **state)
{
    GError *error = NULL;
    const char *source = g_getenv("SLUICE_SOURCE");
    g_autofree char *dir = g_build_filename(source ? source : ".", "tests", "model", "lives", NULL);
    g_autoptr(GDir) listed = g_dir_open(dir, 0, &error);
    struct met met = {0};
    if (!listed)
        fail_msg("%s", error->message);
    for (const char *name; (name = g_dir_read_name(listed)) != NULL;) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        print_message("# %s\n", name);
        if (g_str_has_suffix(name, ".life"))
            live_file(*state, path, &met);
    }
    assert_true(met.deaths > 0);
}

static int now_setup(void **state)
{
    *state = g_new0(struct now, 1);
    return 0;
}

static int now_teardown(void **state)
{
    g_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(what_failed_once_is_lived_again, write_down),
                                       cmocka_unit_test_teardown(the_promises_hold_in_every_life, write_down)};
    return cmocka_run_group_tests(tests, now_setup, now_teardown);
}
