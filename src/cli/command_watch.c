/* watch, wait: looking at a run until something has become of it. Both only read the catalog. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/units.h"
#include "catalog/lock.h"
#include "cli/cli.h"

#define LOOK_US  (INT64_C(500) * 1000)
#define ASK_US   (INT64_C(100) * 1000)
#define MEM_ROOM (64u << 20)

/* One look. */
struct view {
    struct catalog *catalog;
    struct arena *mem;
    struct run_row run;
    struct stage_row *stages;
    size_t n_stages;
    struct run_limit limit;
};

static bool view_open(struct cli *cli, struct view *view, GError **error)
{
    struct run_row *runs;
    size_t n;
    view->mem = arena_new(MEM_ROOM);
    if (!catalog_open(&view->catalog, cli->world, cli->home, CATALOG_READ_ONLY, error))
        return false;
    if (cli->n_args)
        return catalog_run_get(view->catalog, cli->args[0], view->mem, &view->run, error);
    if (!catalog_runs(view->catalog, view->mem, &runs, &n, error))
        return false;
    if (n == 0)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: there is no run yet", cli->home);
    view->run = runs[0];
    return true;
}

static void view_done(struct view *view)
{
    g_clear_pointer(&view->catalog, catalog_free);
    g_clear_pointer(&view->mem, arena_free);
}

static bool view_look(struct view *view, GError **error)
{
    arena_reset(view->mem);
    return catalog_run_reload(view->catalog, view->mem, &view->run, error) &&
           catalog_stages(view->catalog, view->run.id, view->mem, &view->stages, &view->n_stages, error) &&
           run_limit_now(view->catalog, &view->run, &view->limit, error);
}

/* What goes on without anybody. */
static bool moves_by_itself(const struct cli *cli, const struct run_row *run)
{
    struct run_holder holder;
    if (run_state_over(run->state))
        return false;
    return !run_lock_holder(&holder, cli->world, cli->home, run->name, NULL) || holder.live;
}

static bool interrupted(const struct cli *cli)
{
    return cli->signals && atomic_load(cli->signals) > 0;
}

/* --- watch: the screen -------------------------------------------------------------------------------------------- */

#define BAR_CELLS 30u

static void put_bar(GString *into, uint64_t done, uint64_t verified, uint64_t of)
{
    uint64_t full = of ? done * BAR_CELLS / of : 0, sure = of ? verified * BAR_CELLS / of : 0;
    g_string_append_c(into, '[');
    for (uint64_t i = 0; i < BAR_CELLS; i++)
        g_string_append_c(into, i < sure ? '#' : i < full ? '=' : '.');
    g_string_append(into, "]");
}

static uint64_t parts_of(const struct stage_row *stage)
{
    uint64_t n = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        n += stage->parts[i];
    return n;
}

static void put_stage(GString *into, const struct stage_row *stage)
{
    uint64_t of = parts_of(stage), verified = stage->parts[PART_VERIFIED];
    char done[UNITS_TEXT], all[UNITS_TEXT];
    g_string_append_printf(into, "  %-12s ", stage->name);
    put_bar(into, verified + stage->parts[PART_WRITTEN], verified, of);
    g_string_append_printf(into, " %s of %s partitions, %s\n", units_count(verified + stage->parts[PART_WRITTEN], done),
                           units_count(of, all), stage_state_word(stage->state));
}

/* What holds it up, first; a run that is at work says how fast it is. */
static void put_pace(GString *into, const struct cli *cli, const struct view *view)
{
    const struct run_row *run = &view->run;
    char done[UNITS_TEXT], of[UNITS_TEXT], rate[UNITS_TEXT];
    struct shape_pace pace = shape_pace(run);
    g_string_append_printf(into, "  %s of %s records", units_count(shape_done(run), done),
                           units_count(run->tally.of[OUTCOME_LISTED_], of));
    if (pace.records_per_s > 0)
        g_string_append_printf(into, ", %s/s", units_count((uint64_t)pace.records_per_s, rate));
    if (pace.eta_s >= 0)
        g_string_append_printf(into, ", about %s left", units_duration(pace.eta_s * 1000, rate));
    g_string_append_c(into, '\n');
    if (!run_state_over(run->state) && !moves_by_itself(cli, run))
        g_string_append(into, "  no process holds it\n");
    else if (run->reason)
        g_string_append_printf(into, "  because: %s\n", run->reason);
    else if (view->limit.by)
        g_string_append_printf(into, "  slowed by %s, %s/s\n", view->limit.by,
                               units_count((uint64_t)view->limit.rate_max_per_s, rate));
}

static char *screen_of(const struct cli *cli, const struct view *view)
{
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "%s  %s\n", view->run.name, run_state_word(view->run.state));
    for (size_t i = 0; i < view->n_stages; i++)
        put_stage(text, &view->stages[i]);
    put_pace(text, cli, view);
    return g_string_free(text, FALSE);
}

static size_t columns_of(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

/* Drawn over itself; every line is cut to the width, so that the number of lines is known. Returns how many. */
static size_t draw(struct cli *cli, const char *screen, size_t lines_before)
{
    g_auto(GStrv) lines = g_strsplit(screen, "\n", -1);
    size_t n = 0, columns = columns_of();
    if (lines_before)
        fprintf(cli->out, "\033[%" G_GSIZE_FORMAT "A", lines_before);
    for (; lines[n] && lines[n][0]; n++) {
        glong wide = g_utf8_strlen(lines[n], -1);
        g_autofree char *fits = g_utf8_substring(lines[n], 0, MIN(wide, (glong)columns - 1));
        fprintf(cli->out, "\r%s\033[K\n", fits);
    }
    fflush(cli->out);
    return n;
}

static void show(struct cli *cli, const struct view *view, char **io_last, size_t *io_lines)
{
    if (cli_has(cli, OPTION_JSON)) {
        json_t *status = shape_status(&view->run);
        json_object_set_new(status, "stages", shape_stages(view->stages, view->n_stages));
        shape_limit(status, &view->limit);
        print_json(cli, status);
        fflush(cli->out);
        return;
    }
    g_autofree char *screen = screen_of(cli, view);
    bool same = g_strcmp0(screen, *io_last) == 0;
    if (isatty(STDOUT_FILENO))
        *io_lines = draw(cli, screen, *io_lines);
    else if (!same)
        fprintf(cli->out, "%s", screen);
    fflush(cli->out);
    g_free(*io_last);
    *io_last = g_steal_pointer(&screen);
}

static int watch(struct cli *cli, struct view *view, GError **error)
{
    g_autofree char *last = NULL;
    size_t lines = 0;
    int64_t seen_ms = -1;
    bool goes_on = true;
    while (goes_on) {
        if (!view_look(view, error))
            return -1;
        goes_on = moves_by_itself(cli, &view->run) && !interrupted(cli) && !ferror(cli->out); /* nobody reads it */
        if (seen_ms != view->run.updated_ms || !goes_on)
            show(cli, view, &last, &lines);
        seen_ms = view->run.updated_ms;
        if (goes_on)
            world_sleep_us(cli->world, LOOK_US, NULL);
    }
    return 0;
}

int command_watch(struct cli *cli, GError **error)
{
    struct view view = {0};
    int status = view_open(cli, &view, error) ? watch(cli, &view, error) : -1;
    view_done(&view);
    return status;
}

/* --- wait --------------------------------------------------------------------------------------------------------- */

static bool state_of(const char *word, enum run_state *ret, GError **error)
{
    const char *words[RUN_STATE_COUNT];
    for (int state = 0; state < RUN_STATE_COUNT; state++) {
        words[state] = run_state_word((enum run_state)state);
        if (word && strcmp(words[state], word) == 0) {
            *ret = (enum run_state)state;
            return true;
        }
    }
    g_autofree char *all = g_strjoinv(", ", (char **)(void *)words);
    return error_set(error, SLUICE_ERROR_USAGE, "%s%s%s; one of %s is waited for", word ? "--for=" : "--for is missing",
                     word ? word : "", word ? " is no state of a run" : "", all);
}

static bool timeout_of(struct cli *cli, int64_t *ret_ms, GError **error)
{
    *ret_ms = INT64_MAX;
    return !cli_has(cli, OPTION_TIMEOUT) || units_parse_duration_ms(cli->values[OPTION_TIMEOUT], ret_ms, error);
}

static int ended(struct cli *cli, const struct view *view, int status, const char *words)
{
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:s, s:i}", "type", "wait", "run", view->run.name, "state",
                                  run_state_word(view->run.state), "exit", status));
    else
        fprintf(cli->out, "%s is %s%s\n", view->run.name, run_state_word(view->run.state), words);
    return status;
}

static int done_status(const struct run_row *run)
{
    const struct tally *tally = &run->tally;
    bool refused = tally->of[OUTCOME_REJECTED] || tally->of[OUTCOME_KEPT_LIVE] || tally->of[OUTCOME_IN_DOUBT];
    return run->state == RUN_DONE && refused ? 8 : 0;
}

static int wait_for(struct cli *cli, struct view *view, enum run_state wanted, int64_t timeout_ms, GError **error)
{
    int64_t began_us = world_monotonic_us(cli->world);
    for (;;) {
        bool moves = moves_by_itself(cli, &view->run); /* asked before the look: what it does last is seen */
        if (!view_look(view, error))
            return -1;
        if (view->run.state == wanted)
            return ended(cli, view, done_status(&view->run), "");
        if (run_state_over(view->run.state) || (!moves && view->run.state != RUN_PLANNED))
            return ended(cli, view, 3, ", and will not change by itself");
        if (interrupted(cli))
            return ended(cli, view, 3, ", still");
        if ((world_monotonic_us(cli->world) - began_us) / 1000 >= timeout_ms)
            return ended(cli, view, 124, ", still: timed out");
        world_sleep_us(cli->world, ASK_US, NULL);
    }
}

int command_wait(struct cli *cli, GError **error)
{
    struct view view = {0};
    enum run_state wanted = RUN_DONE;
    int64_t timeout_ms;
    int status = -1;
    if (state_of(cli->values[OPTION_FOR], &wanted, error) && timeout_of(cli, &timeout_ms, error) &&
        view_open(cli, &view, error))
        status = wait_for(cli, &view, wanted, timeout_ms, error);
    view_done(&view);
    return status;
}
