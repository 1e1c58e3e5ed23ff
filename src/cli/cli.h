/* The command line: parse, call, print. No rule of the product lives here.
 *
 * A command is a row of cli/command_rows.h, an option a row of cli/option_rows.h; parser, "did you mean", help and the
 * manual come from there. Results go to standard output, everything else to standard error. */
#pragma once

#include <stdio.h>

#include "view/shape.h"

enum option {
#define OPTION(symbol, name, value, words) OPTION_##symbol,
#include "cli/option_rows.h"
#undef OPTION
    OPTION_COUNT
};

struct cli {
    struct world own_world;    /* the one that it was started with, and the keys of the home; */
    const struct world *world; /* this one */
    const struct command *command;
    const atomic_int *signals;
    struct store_registry *registry;
    struct govern_learned *learned; /* of servers that it paces itself on, by one call after the other */
    FILE *out, *err;
    const char *values[OPTION_COUNT]; /* "" for a flag that is set; NULL: not given */
    bool by_variable[OPTION_COUNT];   /* the environment says it, and not the command line */
    char **lines;                     /* of a variable that has several values; NULL */
    GPtrArray *params;                /* of --param, NAME=VALUE, ends with NULL */
    const char **args;
    size_t n_args;
    char *home, *actor;
    struct keyring *keyring; /* of the home; the world asks it */
    struct person *person;
    bool terminal; /* standard error is one: bars, not lines */
    struct progress *progress;
};

/* The whole program: exit status. `extra`: drivers for tests, NULL. */
struct cli_start {
    const struct world *world;
    const atomic_int *signals;
    const struct store_driver *const *extra;
    int argc;
    char **argv;
};
int cli_main(const struct cli_start *start);

enum command_json { COMMAND_DOCUMENT, COMMAND_LINES };

struct command {
    const char *name, *arguments, *words, *more;
    const enum option *options; /* ends with OPTION_COUNT */
    size_t min_args, max_args;
    enum command_json json;
    int (*call)(struct cli *, GError **); /* exit status, or -1 with *error set */
};
const struct command *command_find(const char *name);
const struct command *command_at(size_t i); /* NULL: no more */
const char *option_name(enum option option);
const char *option_value_form(enum option option); /* NULL: a flag */
const char *option_words(enum option option);
/* The variable that gives it; the caller frees. */
char *option_variable(enum option option);
bool option_taken(const struct command *command, enum option option);
enum option option_find(const char *name); /* OPTION_COUNT: there is none */

const char *option_log_level(size_t i); /* the words of --log-level; NULL: no more */
const char *starter_name(size_t i);     /* the templates of `init`; NULL: no more */

/* Whether every command takes the option. */
bool option_is_common(enum option option);

/* The command line in two steps, so that options may stand before the command, and a wrong line too is answered in the
 * form that it asks for. The first finds the command (NULL: none is named) and whether JSON is wanted; the second fills
 * in cli->values and args, from the arguments and from SLUICE_… variables. */
const char *cli_find_command(struct cli *cli, int argc, char **argv);
bool cli_parse(struct cli *cli, int argc, char **argv, GError **error);

static inline bool cli_has(const struct cli *cli, enum option option)
{
    return cli->values[option] != NULL;
}
/* Prints the error, takes it over; its exit status. */
int cli_report(struct cli *cli, GError *error);
/* `one` for each of the runs that are named, whatever becomes of the others; the first status that is not 0. */
int cli_each(struct cli *cli, int (*one)(struct cli *, GError **), GError **error);
/* The home whose catalog the URI names; the caller frees. NULL: USAGE. */
char *cli_home_of_catalog(const char *uri, GError **error);
bool cli_number(const struct cli *cli, enum option option, uint64_t fallback, uint64_t *ret, GError **error);

struct run_config cli_run_config(struct cli *cli);
/* The W3C traceparent of the call; NULL: it has none. */
const char *cli_trace(void);
/* The spec, with the values that --param gives. Of a run or a plan there are none: its params are frozen. */
bool cli_spec_read(struct cli *cli, const char *path, struct spec **ret, GError **error);
bool cli_no_params(const struct cli *cli, const char *what, GError **error);
/* The values that the old run had become --param, but for those given anew; texts live in `mem`. */
bool cli_params_of(struct cli *cli, const struct run_row *run, struct arena *mem, GError **error);
/* `fix.yaml`, `./fix`: a path, and no run. */
bool cli_is_spec(const char *argument);
/* What is to be run, or planned into the file of -o: a spec, or those records of it that a run refused. */
struct run_asked {
    const char *spec;                /* its path */
    const char *retry;               /* NAME.N, or NULL */
    const struct run_repair *repair; /* those that this report of it names instead; NULL */
    const char *again;               /* the command that asks again, without `sluice` */
};
int run_asked(struct cli *cli, const struct run_asked *asked, GError **error);
int plan_asked(struct cli *cli, const struct run_asked *asked, GError **error);
/* What the spec that is the first argument would do, without a write: plan_look(). */
bool cli_plan_look(struct cli *cli, struct plan **ret, GError **error);
/* Whoever read the results has had enough (`sluice cat … | head`): no fault, and an end of `watch | grep -m 1 …`. */
bool cli_reader_has_gone(void);
/* The run that the first argument names; without one the newest. */
bool cli_find_run(struct cli *cli, struct catalog *catalog, struct arena *mem, struct run_row *ret, GError **error);
bool cli_unknown_command(const char *name, GError **error); /* names the nearest */

/* Whoever sent a server: this process acts as them. Nothing where no server has started it. */
bool cli_take_errand(struct cli *cli, GError **error);

/* --- help --------------------------------------------------------------------------------------------------------- */

/* Of one command; NULL: of all. */
void help_command(struct cli *cli, const struct command *only);
/* sluice(1) as roff, from the tables of commands, options and exit codes. */
void help_manual(FILE *out);

/* --- completion --------------------------------------------------------------------------------------------------- */

/* What may stand in place of the last of the words, a word each, and `:files` and the like where the shell knows
 * better; freed with the array. Where something is wrong (no home, no such command) there is nothing to offer. */
GPtrArray *complete_words(struct cli *cli, const char *const *words, size_t n);
/* Whether completion has a row for what a value or an argument is called in the tables: RUN, FILE, list|show … */
bool complete_knows(const char *form);
/* The forms of a command's arguments, `[RUN…]` as RUN; freed with g_strfreev(). */
char **complete_forms(const struct command *command);

/* --- printing ----------------------------------------------------------------------------------------------------- */

/* The value and a newline on standard output; takes the value over. */
void print_json(struct cli *cli, json_t *value);
/* A table for people: columns are aligned; cells are texts, rows of n. */
void print_table(FILE *out, const char *const *cells, size_t columns, size_t rows);
void print_run(struct cli *cli, const struct run_row *run);
/* What plan_said_read() gives, for people. */
void print_said(FILE *out, const json_t *said);
/* A plan that is not kept leaves no list of what matched nothing. */
void print_said_unkept(const struct cli *cli, json_t *said);
/* Of a run; empty where its home cannot say. The caller's. */
json_t *print_said_of(struct cli *cli, const struct run_row *run);
/* Whose refused records a plan takes, and what of them is gone; nothing where it is nobody's. */
void print_retries(struct cli *cli, FILE *out, const struct plan_retries *retries);
/* How wide the terminal is that this leads to, and how high. */
long print_columns(FILE *out);
size_t print_rows(FILE *out);
/* Whether results can be drawn over: on a terminal that knows how to, and not as JSON. */
bool print_is_screen(const struct cli *cli);
/* A bar of so many cells between brackets: what is sure, then what is done beside it. */
struct bar {
    uint64_t sure, done, of;
};
void print_bar(GString *into, size_t cells, const struct bar *bar);
/* A plan with what it would do, in words and as JSON; brief: what one must know to say yes. */
void print_plan_brief(struct cli *cli, FILE *out, const struct plan *plan, const struct forecast *forecast);
void print_plan(struct cli *cli, FILE *out, const struct plan *plan, const struct forecast *forecast);
json_t *print_plan_json(const struct plan *plan, const struct forecast *forecast);
/* What lies between two runs, in words: the document of `diff --json`. */
void print_diff(FILE *out, const json_t *diff);
/* What a key is where the spec is silent, as the plan decided it; NULL: as its row says. */
const char *print_decided(const struct plan *plan, const char *key);
/* Every value in force and its origin (--show-spec): of the spec, and of the options of the call. */
void print_spec(struct cli *cli, FILE *out, const struct plan *plan);
json_t *print_spec_json(struct cli *cli, const struct plan *plan);
/* The first few lines of a report, in words. */
void print_differences(struct cli *cli, FILE *out, const char *path);
/* How a call on a run ended: summary for people, or a last object with `type: end`. Returns the exit status. */
int print_result(struct cli *cli, const struct run_result *result);

/* What became of a wish: taken by the process that holds the run (`heard` says what it does now), or recorded for
 * whoever goes on (`go_on`: the command). Returns 0. */
struct wish_words {
    const char *heard, *go_on;
};
int print_wish(struct cli *cli, const struct run_result *result, bool taken, const struct wish_words *words);

/* Asks on the terminal; true: yes. Where nobody is there to be asked, USAGE unless --yes was given: `what` says what
 * waits for the answer. */
bool print_ask(struct cli *cli, const char *question, const char *what, bool *ret_yes, GError **error);

/* --- progress ----------------------------------------------------------------------------------------------------- */

struct progress *progress_new(struct cli *cli);
void progress_free(struct progress *progress);
void progress_event(void *self, const struct run_event *event);
/* Whether what has this level (a word of --log-level) is told, beside the results and outside JSON. */
bool progress_tells(const struct cli *cli, const char *level);

/* --- log.c: what is told beside the results */

/* Whether it is for programs: a JSON object a line (--log-format json). */
bool log_is_json(const struct cli *cli);
/* One such line, with time and level; `fields` (an object, taken over; NULL: none) say of what. Any thread. */
void log_json(struct cli *cli, const char *level, const char *message, json_t *fields);
/* What the command ends with, in either form; `run` NULL: of none. */
void log_error(struct cli *cli, const char *run, const char *message);
/* Ends the bar, so that what follows begins on a line of its own. */
void progress_break(struct progress *progress);

/* --- commands ----------------------------------------------------------------------------------------------------- */

int command_completion(struct cli *cli, GError **error);
int command_demo(struct cli *cli, GError **error);
int command_diff(struct cli *cli, GError **error);
int command_doctor(struct cli *cli, GError **error);
int command_dump(struct cli *cli, GError **error);
int command_hooks(struct cli *cli, GError **error);
int command_init(struct cli *cli, GError **error);
int command_test(struct cli *cli, GError **error);
int command_try(struct cli *cli, GError **error);
/* explain_hours.c: the part of explain that is of one spec. */
bool explain_hours(struct cli *cli, GError **error);
int command_plan(struct cli *cli, GError **error);
/* Another process drives the run from here on, in a session of its own: `verb` is run or resume. */
int detach_run(struct cli *cli, const char *verb, const char *run, GError **error);
int command_run(struct cli *cli, GError **error);
int command_status(struct cli *cli, GError **error);
int command_list(struct cli *cli, GError **error);
int command_cat(struct cli *cli, GError **error);
bool cat_fences(struct cli *cli, GError **error); /* of --fences */
int command_pause(struct cli *cli, GError **error);
int cli_flag_lift(struct cli *cli, GError **error); /* of resume --all */
int command_resume(struct cli *cli, GError **error);
int command_promote(struct cli *cli, GError **error);
int command_abort(struct cli *cli, GError **error);
int command_approve(struct cli *cli, GError **error);
int command_deny(struct cli *cli, GError **error);
int command_set(struct cli *cli, GError **error);
int command_watch(struct cli *cli, GError **error);
int command_wait(struct cli *cli, GError **error);
int command_rollback(struct cli *cli, GError **error);
int command_verify(struct cli *cli, GError **error);
int command_prune(struct cli *cli, GError **error);
int command_quarantine(struct cli *cli, GError **error);
int command_repair(struct cli *cli, GError **error);
int command_explain(struct cli *cli, GError **error);
int command_export(struct cli *cli, GError **error);
int command_gen(struct cli *cli, GError **error);
int command_audit(struct cli *cli, GError **error);
int command_serve(struct cli *cli, GError **error);
int command_token(struct cli *cli, GError **error);
int command_stores(struct cli *cli, GError **error);
int command_help(struct cli *cli, GError **error);
int command_version(struct cli *cli, GError **error);
