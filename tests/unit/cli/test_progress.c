/* What a person reads while a command is at work. */
#include "cli/cli.h"
#include "kit/fake_world.h"
#include "kit/kit.h"

#define SECOND INT64_C(1000000)

static const char LOAD[] = "waits for load, of which there is no run in this home",
                  LOADS[] = "waits for loads, of which there is no run in this home";

struct said {
    int64_t after_us; /* the event before */
    const char *text;
    uint64_t done, of;
    const char *wanted;
};

static void says(bool terminal, const struct said *rows, size_t n)
{
    struct fake_world fake;
    char *text = NULL;
    size_t len = 0, told = 0;
    fake_world_init(&fake);
    struct cli cli = {.world = &fake.world, .terminal = terminal, .err = open_memstream(&text, &len)};
    cli.progress = progress_new(&cli);
    for (size_t i = 0; i < n; i++) {
        struct run_event event = {
            .kind = RUN_EVENT_PROGRESS, .text = rows[i].text, .done = rows[i].done, .of = rows[i].of};
        atomic_fetch_add(&fake.now_us, rows[i].after_us);
        progress_event(cli.progress, &event);
        fflush(cli.err);
        if (strcmp(text + told, rows[i].wanted) != 0)
            fail_msg("row %zu: '%s', not '%s'", i, text + told, rows[i].wanted);
        told = len;
    }
    progress_free(cli.progress);
    fclose(cli.err);
    free(text);
}

static void a_line_is_told_when_it_is_new_and_else_every_five_seconds(void **state)
{
    static const struct said ROWS[] = {
        {0, LOAD, .wanted = "waits for load, of which there is no run in this home\n"},
        {SECOND / 2, LOAD, .wanted = ""},
        {4 * SECOND, LOAD, .wanted = ""},
        {SECOND / 2 - 1, LOAD, .wanted = ""},
        {1, LOAD, .wanted = "waits for load, of which there is no run in this home\n"},
        {1, LOADS, .wanted = "waits for loads, of which there is no run in this home\n"},
        {1, "writing", 1, 20, "writing: 1 of 20\n"},
        {1, "writing", 2, 20, ""},
        {5 * SECOND, "writing", 3, 20, "writing: 3 of 20\n"},
        {1, "write", 0, 20, "write: 0 of 20\n"},
        {1, "reading", 7, 0, "reading: 7\n"},
    };
    (void)state;
    says(false, ROWS, G_N_ELEMENTS(ROWS));
}

static void a_bar_is_drawn_each_time_and_counts_what_there_is_to_count(void **state)
{
    static const struct said ROWS[] = {
        {0, "waits for load", .wanted = "\rwaits for load \033[K"},
        {1, "waits for load", .wanted = "\rwaits for load \033[K"},
        {1, "reading", 7, 0, "\rreading 7\033[K"},
    };
    (void)state;
    says(true, ROWS, G_N_ELEMENTS(ROWS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_told_when_it_is_new_and_else_every_five_seconds),
        cmocka_unit_test(a_bar_is_drawn_each_time_and_counts_what_there_is_to_count),
    };
    return cmocka_run_group_tests_name("cli/progress", tests, NULL, NULL);
}
