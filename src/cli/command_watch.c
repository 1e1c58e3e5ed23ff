/* watch, wait: looking at a run until something has become of it. Both only read the catalog. */
#include "base/units.h"
#include "catalog/lock.h"
#include "cli/cli.h"
#include "run/outlook.h"
#include "view/guards.h"

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
    struct straggler *stragglers;
    size_t n_stragglers;
    struct guards_view guards;
};

static bool view_open(struct cli *cli, struct view *view, GError **error)
{
    view->mem = arena_new(MEM_ROOM);
    return catalog_open(&view->catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) &&
           cli_find_run(cli, view->catalog, view->mem, &view->run, error);
}

static void view_done(struct view *view)
{
    guards_view_done(&view->guards);
    g_clear_pointer(&view->catalog, catalog_free);
    g_clear_pointer(&view->mem, arena_free);
}

/* What goes on without anybody. */
static bool moves_by_itself(const struct cli *cli, const struct run_row *run)
{
    struct run_holder holder;
    if (run_state_over(run->state))
        return false;
    return !run_lock_holder(&holder, cli->world, cli->home, run->name, NULL) || holder.live;
}

static bool view_look(struct cli *cli, struct view *view, GError **error)
{
    arena_reset(view->mem);
    guards_view_done(&view->guards);
    if (!catalog_run_reload(view->catalog, view->mem, &view->run, error) ||
        !catalog_stages(view->catalog, view->run.id, view->mem, &view->stages, &view->n_stages, error) ||
        !catalog_stragglers(view->catalog, view->run.id, view->mem, &view->stragglers, &view->n_stragglers, error) ||
        !run_limit_now(view->catalog, &view->run, view->mem, &view->limit, error))
        return false;
    struct guards_wish wish = {
        .run = &view->run, .held = moves_by_itself(cli, &view->run), .limited_by = view->limit.by};
    return guards_view_look(cli->world, view->catalog, &wish, view->mem, &view->guards, error);
}

static bool interrupted(const struct cli *cli)
{
    return cli->signals && atomic_load(cli->signals) > 0;
}

/* --- watch: words ------------------------------------------------------------------------------------------------- */

/* What holds it up, first; NULL: nothing does. The caller frees. */
static char *slowness(const struct cli *cli, const struct view *view)
{
    const struct run_row *run = &view->run;
    char rate[UNITS_TEXT];
    if (!run_state_over(run->state) && !moves_by_itself(cli, run))
        return g_strdup_printf("no process holds it%s%s", run->reason ? "; because: " : "",
                               run->reason ? run->reason : "");
    if (run->reason)
        return g_strdup_printf("because: %s", run->reason);
    g_autofree char *begins = watchdog_beginning(&view->guards.dog);
    if (view->limit.by && view->limit.words)
        return g_strdup_printf("%s%sslowed by %s: %s", begins ? begins : "", begins ? "; " : "", view->limit.by,
                               view->limit.words);
    bool by_rate = view->limit.by && view->limit.rate_max_per_s > 0 &&
                   (view->guards.dog.kind != WATCHDOG_SLOW || view->guards.dog.by == view->limit.by);
    return by_rate ? g_strdup_printf("slowed by %s, %s", view->limit.by, units_rate(view->limit.rate_max_per_s, rate))
                   : watchdog_text(&view->guards.dog);
}

/* Where it will not be through with its source in time; NULL: it will, or nobody knows. The caller frees. */
static char *lateness(const struct cli *cli, const struct view *view)
{
    struct readable readable = readable_of(&view->run, view->limit.source_until_ms, world_wall_ms(cli->world));
    return readable.late ? readable_words(&readable) : NULL;
}

/* How far it is, and how fast. */
static void put_pace(GString *into, const struct run_row *run)
{
    char done[UNITS_TEXT], of[UNITS_TEXT], rate[UNITS_TEXT];
    struct run_outlook pace = run_outlook(run);
    g_string_append_printf(into, "%s of %s records", units_count(run_accounted(run), done),
                           units_count(run->tally.of[OUTCOME_LISTED_], of));
    if (pace.records_per_s > 0)
        g_string_append_printf(into, ", %s/s", units_count((uint64_t)pace.records_per_s, rate));
    if (pace.eta_s > 0)
        g_string_append_printf(into, ", about %s left", units_duration(pace.eta_s * 1000, rate));
}

/* --- on a terminal: a screen -------------------------------------------------------------------------------------- */

#define BAR_CELLS  30u
#define NAME_CELLS 12u
#define FEW_CELLS  4u
#define WORD_CELLS 30u /* of what stands behind a bar, where there is room for both */

/* What is drawn, how much of it stands, and how wide the terminal was then. */
struct screen {
    size_t lines;
    long columns;
    char *text; /* NULL: nothing yet */
};

static size_t name_cells(const struct view *view)
{
    size_t longest = 0;
    for (size_t i = 0; i < view->n_stages; i++)
        longest = MAX(longest, (size_t)g_utf8_strlen(view->stages[i].name, -1));
    return MIN(longest, NAME_CELLS);
}

/* Of a narrow terminal the bar gets what the words would have. */
static size_t bar_cells(const struct view *view, long columns)
{
    size_t besides = 2 + name_cells(view) + 1 + 2 + 1, room = (size_t)MAX(columns, 0);
    size_t words = room >= besides + WORD_CELLS + FEW_CELLS ? WORD_CELLS : 0;
    return MIN(BAR_CELLS, MAX(FEW_CELLS, room > besides + words ? room - besides - words : 0));
}

static void put_stage(GString *into, const struct view *view, const struct stage_row *stage, size_t cells)
{
    struct bar bar = {.sure = stage->parts[PART_VERIFIED], .done = stage->parts[PART_WRITTEN]};
    char done[UNITS_TEXT], all[UNITS_TEXT];
    int name = (int)name_cells(view);
    for (int i = 0; i < PART_STATE_COUNT; i++)
        bar.of += stage->parts[i];
    g_string_append_printf(into, "  %-*s ", name, stage->name);
    print_bar(into, cells, &bar);
    g_string_append_printf(into, " %s of %s partitions, %s\n", units_count(bar.sure + bar.done, done),
                           units_count(bar.of, all), stage_state_word(stage->state));
}

/* Those that are not well first, and as many as there is room for. */
static void put_signals(GString *into, const struct view *view, size_t *io_room)
{
    const char *head = "guards";
    for (int well = 0; well < 2; well++) {
        const json_t *signal;
        size_t i;
        json_array_foreach(view->guards.signals, i, signal)
        {
            if (guards_view_is_off(signal) == (well == 1) || *io_room == 0)
                continue;
            g_autofree char *text = guards_view_text(signal);
            g_string_append_printf(into, "\n  %-6s  %-18s %s", head, guards_view_name(signal), text);
            head = "";
            (*io_room)--;
        }
    }
}

static GString *screen_of(const struct cli *cli, const struct view *view, long columns)
{
    GString *text = g_string_new(NULL);
    g_autofree char *why = slowness(cli, view), *late = lateness(cli, view);
    g_string_append_printf(text, "%s  %s\n", view->run.name, run_state_word(view->run.state));
    for (size_t i = 0; i < view->n_stages; i++)
        put_stage(text, view, &view->stages[i], bar_cells(view, columns));
    g_string_append(text, "  ");
    put_pace(text, &view->run);
    if (why)
        g_string_append_printf(text, "\n  %s", why);
    if (late)
        g_string_append_printf(text, "\n  its source %s", late);
    for (size_t i = 0; i < view->n_stragglers; i++) {
        g_autofree char *lags = shape_straggler_text(&view->stragglers[i]);
        g_string_append_printf(text, "\n  lags: %s", lags);
    }
    return text;
}

/* Over itself: every line is cut to the width, so that the number of lines is known. After the width has changed,
 * below: who knows how the terminal has wrapped what stands. */
static void draw(struct cli *cli, const char *text, struct screen *io)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    long columns = print_columns(cli->out);
    size_t n = 0;
    if (io->columns == columns && g_strcmp0(io->text, text) == 0)
        return;
    if (io->lines && io->columns == columns)
        fprintf(cli->out, "\033[%" G_GSIZE_FORMAT "A", io->lines);
    for (; lines[n]; n++) {
        g_autofree char *fits = g_utf8_substring(lines[n], 0, MIN(g_utf8_strlen(lines[n], -1), columns - 1));
        fprintf(cli->out, "\r%s\033[K\n", fits);
    }
    fprintf(cli->out, "\033[J"); /* a line less than before */
    g_free(io->text);
    *io = (struct screen){.lines = n, .columns = columns, .text = g_strdup(text)};
}

/* --- elsewhere: a line every few seconds -------------------------------------------------------------------------- */

#define LINE_EVERY_US (INT64_C(5) * 1000 * 1000)

/* The stage that it is at: the last that has begun. */
static const struct stage_row *stage_now(const struct view *view)
{
    return view->run.stage < view->n_stages ? &view->stages[view->run.stage] : NULL;
}

/* Of its guards those that are not well. */
static void put_off(FILE *out, const struct view *view)
{
    const json_t *signal;
    size_t i;
    json_array_foreach(view->guards.signals, i, signal)
    {
        g_autofree char *text = guards_view_text(signal);
        if (guards_view_is_off(signal))
            fprintf(out, "; guard %s: %s", guards_view_name(signal), text);
    }
}

static void show_line(struct cli *cli, const struct view *view)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *why = slowness(cli, view), *late = lateness(cli, view);
    const struct stage_row *stage = stage_now(view);
    put_pace(text, &view->run);
    fprintf(cli->out, "%s %s: ", view->run.name, run_state_word(view->run.state));
    if (stage && !run_state_over(view->run.state))
        fprintf(cli->out, "stage %s %s, ", stage->name, stage_state_word(stage->state));
    fprintf(cli->out, "%s%s%s%s%s", text->str, why ? "; " : "", why ? why : "", late ? "; its source " : "",
            late ? late : "");
    for (size_t i = 0; i < view->n_stragglers; i++) {
        g_autofree char *lags = shape_straggler_text(&view->stragglers[i]);
        fprintf(cli->out, "; lags: %s", lags);
    }
    put_off(cli->out, view);
    fputc('\n', cli->out);
}

static void show_json(struct cli *cli, const struct view *view)
{
    json_t *status = shape_status(&view->run);
    const struct stage_row *stage = stage_now(view);
    json_object_set_new(status, "stage", shape_text(stage ? stage->name : NULL));
    json_object_set_new(status, "stages", shape_stages(view->stages, view->n_stages));
    json_object_set_new(status, "stragglers", shape_stragglers(view->stragglers, view->n_stragglers));
    shape_limit(status, &view->limit);
    guards_view_shape(status, &view->guards);
    print_json(cli, status);
}

/* --- watch -------------------------------------------------------------------------------------------------------- */

/* What has been shown last, and when. */
struct shown {
    struct screen screen;
    int64_t at_us, updated_ms;
    enum run_state state;
    enum stage_state stage_state;
    uint32_t stage;
    char *guards, *limited_by;
};

static void shown_done(struct shown *shown)
{
    g_free(shown->screen.text);
    g_free(shown->guards);
    g_free(shown->limited_by);
}

/* Which of its guards are not well, and how. The caller frees. */
static char *guards_of(const struct view *view)
{
    GString *text = g_string_new(NULL);
    const json_t *signal;
    size_t i;
    json_array_foreach(view->guards.signals, i, signal)
    {
        if (guards_view_is_off(signal))
            g_string_append_printf(text, "%s %s;", guards_view_name(signal),
                                   json_string_value(json_object_get(signal, "level")));
    }
    return g_string_free(text, FALSE);
}

/* Another state, of the run, of its stage or of a guard. */
static bool moved_on(const struct view *view, const struct shown *shown)
{
    const struct stage_row *stage = stage_now(view);
    g_autofree char *guards = guards_of(view);
    return shown->at_us == 0 || view->run.state != shown->state || view->run.stage != shown->stage ||
           (stage && stage->state != shown->stage_state) || strcmp(guards, shown->guards) != 0;
}

static const char *limited_by(const struct view *view)
{
    return view->guards.dog.by ? view->guards.dog.by : view->limit.by;
}

static bool is_due(struct cli *cli, const struct view *view, const struct shown *shown, bool screen)
{
    bool news = moved_on(view, shown) || view->run.updated_ms != shown->updated_ms;
    if (screen) /* of which what is the same is not drawn again */
        return true;
    if (cli_has(cli, OPTION_JSON))
        return news || g_strcmp0(limited_by(view), shown->limited_by) != 0;
    return moved_on(view, shown) || world_monotonic_us(cli->world) - shown->at_us >= LINE_EVERY_US;
}

static void note_shown(const struct cli *cli, const struct view *view, struct shown *io)
{
    const struct stage_row *stage = stage_now(view);
    io->at_us = world_monotonic_us(cli->world);
    io->updated_ms = view->run.updated_ms;
    io->state = view->run.state;
    io->stage = view->run.stage;
    io->stage_state = stage ? stage->state : STAGE_PENDING;
    g_free(io->guards);
    io->guards = guards_of(view);
    g_free(io->limited_by);
    io->limited_by = g_strdup(limited_by(view));
}

static void show(struct cli *cli, const struct view *view, struct shown *io)
{
    if (cli_has(cli, OPTION_JSON))
        show_json(cli, view);
    else
        show_line(cli, view);
    fflush(cli->out);
    note_shown(cli, view, io);
}

/* One of the runs that are watched. */
struct watched {
    struct view view;
    struct shown shown;
    bool ended;
};

/* Whether it goes on by itself is asked before the look: what it does last is seen. *ret_due: there is something to
 * show. */
static bool look(struct cli *cli, struct watched *watched, bool screen, bool *ret_due, GError **error)
{
    struct view *view = &watched->view;
    *ret_due = false;
    if (watched->ended)
        return true;
    bool goes_on = moves_by_itself(cli, &view->run) && !interrupted(cli) && !ferror(cli->out) && !cli_reader_has_gone();
    if (!view_look(cli, view, error))
        return false;
    watched->ended = !goes_on || run_state_over(view->run.state);
    *ret_due = watched->ended || is_due(cli, view, &watched->shown, screen);
    return true;
}

static size_t lines_in(const char *text)
{
    size_t lines = 1;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* All of them in one screen, one below the other, with as many guards as there is room for. */
static char *screens_of(struct cli *cli, const struct watched *all, size_t n, size_t rows)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new();
    GString *whole = g_string_new(NULL);
    size_t lines = 1; /* the cursor's own */
    for (size_t i = 0; i < n; i++) {
        GString *text = screen_of(cli, &all[i].view, print_columns(cli->out));
        g_ptr_array_add(texts, text);
        lines += lines_in(text->str);
    }
    size_t room = rows - MIN(rows, lines);
    for (size_t i = 0; i < n; i++) {
        GString *text = texts->pdata[i];
        put_signals(text, &all[i].view, &room);
        g_string_append_printf(whole, "%s%s", i ? "\n" : "", text->str);
        g_string_free(text, TRUE);
    }
    return g_string_free(whole, FALSE);
}

/* A line a run, as many as there is room for. */
static char *brief_of(const struct watched *all, size_t n, size_t rows)
{
    GString *text = g_string_new(NULL);
    size_t shown = n < rows ? n : MAX(rows, 3) - 2;
    for (size_t i = 0; i < shown; i++) {
        g_string_append_printf(text, "%s%s  %s  ", i ? "\n" : "", all[i].view.run.name,
                               run_state_word(all[i].view.run.state));
        put_pace(text, &all[i].view.run);
    }
    if (shown < n)
        g_string_append_printf(text, "\n… and %" G_GSIZE_FORMAT " more", n - shown);
    return g_string_free(text, FALSE);
}

/* What is drawn over itself must not be higher than the terminal. */
static void show_screens(struct cli *cli, struct watched *all, size_t n)
{
    size_t rows = print_rows(cli->out);
    g_autofree char *whole = screens_of(cli, all, n, rows);
    g_autofree char *brief = n > 1 && lines_in(whole) >= rows ? brief_of(all, n, rows) : NULL;
    for (size_t i = 0; i < n; i++)
        note_shown(cli, &all[i].view, &all[i].shown);
    draw(cli, brief ? brief : whole, &all[0].shown.screen);
    fflush(cli->out);
}

static bool look_at_all(struct cli *cli, struct watched *all, size_t n, bool *ret_ended, GError **error)
{
    bool any = false, due, screen = print_is_screen(cli);
    *ret_ended = true;
    for (size_t i = 0; i < n; i++) {
        if (!look(cli, &all[i], screen, &due, error))
            return false;
        if (due && !screen)
            show(cli, &all[i].view, &all[i].shown);
        any |= due;
        *ret_ended &= all[i].ended;
    }
    if (any && screen)
        show_screens(cli, all, n);
    return true;
}

static int watch(struct cli *cli, struct watched *all, size_t n, GError **error)
{
    for (bool ended = false; !ended;) {
        if (!look_at_all(cli, all, n, &ended, error))
            return -1;
        if (!ended)
            world_sleep_us(cli->world, LOOK_US, NULL);
    }
    return 0;
}

int command_watch(struct cli *cli, GError **error)
{
    size_t n = MAX(cli->n_args, 1);
    g_autofree struct watched *all = g_new0(struct watched, n);
    bool ok = true;
    int status = -1;
    for (size_t i = 0; ok && i < n; i++) {
        struct cli one = *cli;
        one.args = cli->args + i;
        one.n_args = MIN(cli->n_args, 1);
        ok = view_open(&one, &all[i].view, error);
    }
    if (ok)
        status = watch(cli, all, n, error);
    for (size_t i = 0; i < n; i++) {
        view_done(&all[i].view);
        shown_done(&all[i].shown);
    }
    return status;
}

/* --- wait --------------------------------------------------------------------------------------------------------- */

static bool state_of(const char *word, enum run_state *ret, GError **error)
{
    const char *words[RUN_STATE_COUNT + 1] = {0};
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

static int wait_for(struct cli *cli, struct view *view, enum run_state wanted, int64_t timeout_ms, GError **error)
{
    int64_t began_us = world_monotonic_us(cli->world);
    for (;;) {
        bool moves = moves_by_itself(cli, &view->run); /* asked before the look: what it does last is seen */
        if (!view_look(cli, view, error))
            return -1;
        if (view->run.state == wanted)
            return ended(cli, view, run_done_status(&view->run), "");
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
