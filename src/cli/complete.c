/* What may stand next on a command line, from the tables of commands and options and from what their values name. */
#include "catalog/catalog.h"
#include "cli/cli.h"
#include "contract/contract.h"
#include "gen/gen.h"
#include "run/limits.h"
#include "serve/who.h"
#include "transform/fixture.h"

#define MEM_ROOM (64u << 20)

/* What is being completed: words that begin with `typed`, each with `before` in front of it, go into `words`. */
struct completion {
    struct cli *cli;
    const struct command *command; /* NULL: none is named yet */
    const char *home, *catalog;    /* as the words before say; NULL: they do not */
    const char *form;              /* of the value that the last word is; NULL: an argument, or a command */
    size_t n_args;                 /* arguments before the last word */
    const char *typed, *before;
    GPtrArray *words;
};

static void offer(struct completion *into, const char *word)
{
    if (g_str_has_prefix(word, into->typed))
        g_ptr_array_add(into->words, g_strconcat(into->before, word, NULL));
}

/* --- what the forms name
 * ---------------------------------------------------------------------------------------------- */

static void ask_shell(struct completion *into, const char *what)
{
    g_ptr_array_add(into->words, g_strdup(what));
}

static void add_files(struct completion *into)
{
    ask_shell(into, ":files");
}

static void add_dirs(struct completion *into)
{
    ask_shell(into, ":dirs");
}

static void add_specs(struct completion *into)
{
    ask_shell(into, ":specs");
}

static char *home_of(const struct completion *completion)
{
    if (completion->catalog)
        return cli_home_of_catalog(completion->catalog, NULL);
    return g_strdup(completion->home ? completion->home : completion->cli->home);
}

/* Those of the home, newest first. */
static void add_runs(struct completion *into)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(MEM_ROOM);
    g_autofree char *home = home_of(into);
    struct run_row *runs;
    size_t n;
    if (!home || !catalog_open(&catalog, into->cli->world, home, CATALOG_READ_ONLY, NULL) ||
        !catalog_runs(catalog, mem, &runs, &n, NULL))
        return;
    for (size_t i = 0; i < n; i++)
        offer(into, runs[i].name);
}

static void add_commands(struct completion *into)
{
    for (size_t i = 0; command_at(i); i++)
        offer(into, command_at(i)->name);
}

static void add_states(struct completion *into)
{
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        offer(into, run_state_word((enum run_state)i));
}

static void add_roles(struct completion *into)
{
    for (int i = 0; i < ROLE_COUNT; i++)
        offer(into, role_word((enum role)i));
}

static void add_levels(struct completion *into)
{
    for (size_t i = 0; option_log_level(i); i++)
        offer(into, option_log_level(i));
}

static void add_templates(struct completion *into)
{
    for (size_t i = 0; starter_name(i); i++)
        offer(into, starter_name(i));
}

static void add_data(struct completion *into)
{
    for (size_t i = 0; gen_at(i); i++)
        offer(into, gen_at(i)->name);
}

static void add_limits(struct completion *into)
{
    for (size_t i = 0; limits_key(i); i++) {
        g_autofree char *word = g_strconcat(limits_key(i), "=", NULL);
        offer(into, word);
    }
}

static void add_rows(struct completion *into, const struct spec_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        offer(into, rows[i].key);
}

/* Of what `explain` knows the keys; its other words are few and stand in its listing. */
static void add_keys(struct completion *into)
{
    size_t n;
    const struct spec_row *rows = spec_rows(&n);
    add_rows(into, rows, n);
    rows = contract_rows(&n);
    add_rows(into, rows, n);
    rows = fixture_rows(&n);
    add_rows(into, rows, n);
}

static void add_stores(struct completion *into)
{
    for (const struct store_driver *const *driver = store_drivers(); *driver; driver++)
        for (const char *const *scheme = (*driver)->schemes; *scheme; scheme++) {
            g_autofree char *word = g_strconcat(*scheme, ":", NULL);
            offer(into, word);
        }
}

/* How the tables call values and arguments. `add` NULL: whoever types it has to know. */
static const struct {
    const char *form;
    void (*add)(struct completion *into);
} FORMS[] = {
    {"COMMAND", add_commands},
    {"DATASET", NULL},
    {"DIR", add_dirs},
    {"FIELDS", NULL},
    {"FILE", add_files},
    {"HEADER", NULL},
    {"HEX", NULL},
    {"HOST:PORT", NULL},
    {"KEY", add_keys},
    {"KEY=VALUE", add_limits},
    {"LEVEL", add_levels},
    {"LUA", NULL},
    {"N", NULL},
    {"N/s", NULL},
    {"NAME", add_data},
    {"NAMES", NULL},
    {"NAME[@FROM]", NULL},
    {"NAME=VALUE", NULL},
    {"PATH", NULL},
    {"ROLE", add_roles},
    {"PROMISE", NULL},
    {"REPORT", add_files},
    {"RUN", add_runs},
    {"S", NULL},
    {"SHARE", NULL},
    {"SPEC", add_specs},
    {"STAGE", NULL},
    {"STATE", add_states},
    {"STORE", add_stores},
    {"TEMPLATE", add_templates},
    {"TEXT", NULL},
    {"TIME", NULL},
    {"URI", NULL},
    {"URL", NULL},
    {"WHO", NULL},
    {"WORD", NULL},
};

static size_t find_form(const char *form)
{
    size_t i = 0;
    while (i < G_N_ELEMENTS(FORMS) && strcmp(FORMS[i].form, form) != 0)
        i++;
    return i;
}

static bool is_literal(const char *form)
{
    return g_ascii_islower(*form);
}

/* `SPEC|RUN`, `list|show`: what is small stands for itself. */
static void add_form(struct completion *into, const char *form)
{
    g_auto(GStrv) parts = g_strsplit(form, "|", -1);
    for (char **part = parts; *part; part++) {
        size_t i = find_form(*part);
        if (is_literal(*part))
            offer(into, *part);
        else if (i < G_N_ELEMENTS(FORMS) && FORMS[i].add)
            FORMS[i].add(into);
    }
}

bool complete_knows(const char *form)
{
    g_auto(GStrv) parts = g_strsplit(form, "|", -1);
    bool known = true;
    for (char **part = parts; *part; part++)
        known &= is_literal(*part) || find_form(*part) < G_N_ELEMENTS(FORMS);
    return known;
}

char **complete_forms(const struct command *command)
{
    char **forms = g_strsplit(command->arguments, " ", -1);
    for (char **form = forms; *form; form++) {
        g_autoptr(GString) bare = g_string_new(*form);
        g_string_replace(bare, "[", "", 0);
        g_string_replace(bare, "]", "", 0);
        g_string_replace(bare, "…", "", 0);
        g_free(*form);
        *form = g_strdup(bare->str);
    }
    return forms;
}

/* --- where the last word stands
 * ------------------------------------------------------------------------------------------- */

static void take_value(struct completion *into, enum option option, const char *value)
{
    if (option == OPTION_HOME)
        into->home = value;
    if (option == OPTION_CATALOG)
        into->catalog = value;
}

/* `--NAME` or `--NAME=VALUE` before the last word; *i moves on where its value is the next one. */
static void pass_option(struct completion *into, const char *const *words, size_t n, size_t *i)
{
    const char *word = words[*i];
    const char *equals = strchr(word, '=');
    g_autofree char *name = strcmp(word, "-o") == 0 ? g_strdup(option_name(OPTION_OUT))
                            : equals                ? g_strndup(word + 2, (size_t)(equals - word) - 2)
                                                    : g_strdup(word + 2);
    enum option option = option_find(name);
    if (option == OPTION_COUNT || !option_value_form(option))
        return;
    if (equals)
        take_value(into, option, equals + 1);
    else if (*i + 2 == n)
        into->form = option_value_form(option);
    else
        take_value(into, option, words[++*i]);
}

static void pass(struct completion *into, const char *const *words, size_t n)
{
    bool ended = false;
    for (size_t i = 0; i + 1 < n; i++) {
        if (!ended && strcmp(words[i], "--") == 0)
            ended = true;
        else if (!ended && (g_str_has_prefix(words[i], "--") || strcmp(words[i], "-o") == 0))
            pass_option(into, words, n, &i);
        else if (!into->command)
            into->command = command_find(words[i]);
        else
            into->n_args++;
    }
}

static void add_options(struct completion *into)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        g_autofree char *word = g_strconcat("--", option_name((enum option)i), NULL);
        if (into->command ? option_taken(into->command, (enum option)i) : option_is_common((enum option)i))
            offer(into, word);
    }
}

/* The last form of `RUN…` is that of all that follow. */
static void add_argument(struct completion *into)
{
    g_auto(GStrv) forms = complete_forms(into->command);
    size_t n = g_strv_length(forms);
    bool repeated = g_str_has_suffix(into->command->arguments, "…") || g_str_has_suffix(into->command->arguments, "…]");
    size_t at = repeated && n ? MIN(into->n_args, n - 1) : into->n_args;
    if (at < n && into->n_args < into->command->max_args)
        add_form(into, forms[at]);
}

static void add_value(struct completion *into, const char *word)
{
    const char *value = strchr(word, '=') + 1;
    g_autofree char *name = g_strndup(word + 2, (size_t)(value - word) - 3);
    g_autofree char *before = g_strndup(word, (size_t)(value - word));
    enum option option = option_find(name);
    into->typed = value;
    into->before = before;
    if (option != OPTION_COUNT && option_value_form(option))
        add_form(into, option_value_form(option));
}

GPtrArray *complete_words(struct cli *cli, const char *const *words, size_t n)
{
    struct completion completion = {.cli = cli, .typed = n ? words[n - 1] : "", .before = ""};
    completion.words = g_ptr_array_new_with_free_func(g_free);
    pass(&completion, words, n);
    if (completion.form)
        add_form(&completion, completion.form);
    else if (g_str_has_prefix(completion.typed, "--") && strchr(completion.typed, '='))
        add_value(&completion, completion.typed);
    else if (*completion.typed == '-')
        add_options(&completion);
    else if (completion.command)
        add_argument(&completion);
    else
        add_commands(&completion);
    return completion.words;
}
