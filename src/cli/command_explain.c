/* explain: what a word of sluice's means, from the tables in which the words stand. */
#include "base/nearest.h"
#include "cli/cli.h"
#include "contract/contract.h"
#include "gen/gen.h"
#include "transform/fixture.h"

/* One word of one table. */
struct entry {
    const char *kind, *name, *words;
    const struct spec_row *row;      /* a key of spec or contract */
    int number;                      /* of an error, outcome or state: its place in its table; of an exit: the status */
    const struct gen_row *generator; /* of a fault */
    const struct gen_fault_row *fault;
    const struct command *command;
};

static const char *const CLASSES[] = {
    [ERROR_TRANSIENT] = "transient", [ERROR_RECORD] = "record", [ERROR_FATAL] = "fatal"};

/* --- all there is
 * ----------------------------------------------------------------------------------------------------- */

static void add(GArray *entries, struct entry entry)
{
    g_array_append_val(entries, entry);
}

static void add_keys(GArray *entries, const char *kind, const struct spec_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(entries, (struct entry){.kind = kind, .name = rows[i].key, .words = rows[i].words, .row = &rows[i]});
}

static void add_results(GArray *entries, GPtrArray *owned)
{
    for (size_t i = 0; exit_row_at(i); i++) {
        char *name = g_strdup_printf("%d", exit_row_at(i)->status);
        g_ptr_array_add(owned, name);
        add(entries, (struct entry){"exit", name, exit_row_at(i)->words, NULL, exit_row_at(i)->status});
    }
    for (int i = 0; i < SLUICE_ERROR_COUNT; i++) {
        const struct error_row *row = error_row((enum error_code)i);
        add(entries, (struct entry){"error", row->name, row->words, NULL, i});
    }
}

static void add_words(GArray *entries)
{
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        const struct outcome_row *row = outcome_row((enum outcome)i);
        add(entries, (struct entry){"outcome", row->word, row->words, NULL, i});
    }
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++) {
        const struct verify_class_row *row = verify_class_row((enum verify_class)i);
        add(entries, (struct entry){"class", row->word, row->words, NULL, i});
    }
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        add(entries, (struct entry){"state", run_state_word((enum run_state)i), "a state of a run", NULL, i});
    for (int i = 0; i < CAN_COUNT; i++) {
        const struct capability_row *row = capability_row((enum capability)i);
        add(entries, (struct entry){"capability", row->name, row->words, NULL, i});
    }
}

static void add_faults(GArray *entries)
{
    for (size_t i = 0; gen_at(i); i++)
        for (size_t j = 0; gen_at(i)->fault_at(j); j++) {
            const struct gen_fault_row *row = gen_at(i)->fault_at(j);
            add(entries, (struct entry){"fault", row->word, row->words, .generator = gen_at(i), .fault = row});
        }
}

static void add_command_line(GArray *entries)
{
    for (size_t i = 0; command_at(i); i++)
        add(entries, (struct entry){"command", command_at(i)->name, command_at(i)->words, .command = command_at(i)});
    for (int i = 0; i < OPTION_COUNT; i++)
        add(entries, (struct entry){"option", option_name((enum option)i), option_words((enum option)i), NULL, i});
}

static GArray *all_entries(GPtrArray *owned)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
    size_t n;
    const struct spec_row *rows = spec_rows(&n);
    add_keys(entries, "spec", rows, n);
    rows = contract_rows(&n);
    add_keys(entries, "contract", rows, n);
    rows = fixture_rows(&n);
    add_keys(entries, "fixture", rows, n);
    add_results(entries, owned);
    add_words(entries);
    add_faults(entries);
    add_command_line(entries);
    return entries;
}

/* --- what is asked for
 * ------------------------------------------------------------------------------------------------- */

static size_t depth_of(const char *key)
{
    size_t depth = 1;
    for (const char *at = key; (at = strchr(at, '.')); at++)
        depth++;
    return depth;
}

/* How well the name fits: 0 not at all, 1 a key without what leads to it, 2 and more the whole of it. */
static size_t fit_of(const struct entry *entry, const char *name)
{
    bool whole;
    if (!entry->row)
        return strcmp(entry->name, name) == 0 ? 2 : 0;
    if (!rows_key_fits(entry->name, name, &whole))
        return 0;
    return whole ? 1 + depth_of(entry->name) : 1;
}

/* A whole name with `*` in it may fit several keys (`fields.a.type`: the field `a.type`, the type of `a`): the longest
 * is meant. */
static void select_named(const GArray *entries, const char *kind, const char *name, GArray *into)
{
    size_t deepest = 2;
    for (guint i = 0; i < entries->len; i++)
        deepest = MAX(deepest, fit_of(&g_array_index(entries, struct entry, i), name));
    for (guint i = 0; i < entries->len; i++) {
        const struct entry *entry = &g_array_index(entries, struct entry, i);
        size_t fit = kind && strcmp(entry->kind, kind) != 0 ? 0 : fit_of(entry, name);
        if (fit == 1 || fit == deepest || (fit > 0 && !strchr(entry->name, '*')))
            g_array_append_val(into, *entry);
    }
}

static void select_kind(const GArray *entries, const char *kind, GArray *into)
{
    for (guint i = 0; i < entries->len; i++) {
        const struct entry *entry = &g_array_index(entries, struct entry, i);
        if (strcmp(entry->kind, kind) == 0)
            g_array_append_val(into, *entry);
    }
}

/* Keys are known with and without what leads to them. */
static bool refuse_unknown(const GArray *entries, const char *kind, const char *name, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    for (guint i = 0; i < entries->len; i++) {
        const struct entry *entry = &g_array_index(entries, struct entry, i);
        if (kind && strcmp(entry->kind, kind) != 0)
            continue;
        g_ptr_array_add(words, (void *)entry->name);
        const char *dot = entry->row ? strrchr(entry->name, '.') : NULL;
        if (dot && dot[1] != '*')
            g_ptr_array_add(words, (void *)(dot + 1));
        if (!kind)
            g_ptr_array_add(words, (void *)entry->kind);
    }
    const char *near = g_ascii_isdigit(*name) ? NULL /* 11 is not nearly 1 */
                                              : nearest_word(name, (const char *const *)words->pdata, words->len);
    const char *of = kind ? kind : "key or word";
    if (near)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no %s '%s'; did you mean '%s'?", of, name, near);
    return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no %s '%s'; `sluice explain%s%s` lists what there is", of,
                     name, kind ? " " : "", kind ? kind : "");
}

/* What is explained each by itself, and what is listed below it: the name of a kind is often a word too. */
struct chosen {
    GArray *named, *listed;
};

static bool choose(const struct cli *cli, const GArray *entries, struct chosen *into, GError **error)
{
    const char *kind = cli->n_args == 2 ? cli->args[0] : NULL;
    const char *name = cli->n_args ? cli->args[cli->n_args - 1] : NULL;
    if (!name)
        g_array_append_vals(into->listed, entries->data, entries->len);
    else
        select_named(entries, kind, name, into->named);
    if (cli->n_args == 1)
        select_kind(entries, name, into->listed);
    return into->named->len + into->listed->len > 0 || refuse_unknown(entries, kind, name, error);
}

/* --- in words
 * ---------------------------------------------------------------------------------------------------------- */

static void line(struct cli *cli, const char *what, const char *value)
{
    if (value)
        fprintf(cli->out, "  %-9s %s\n", what, value);
}

static void keys_below(struct cli *cli, const struct entry *of)
{
    size_t n, len = strlen(of->name);
    const struct spec_row *rows = strcmp(of->kind, "spec") == 0      ? spec_rows(&n)
                                  : strcmp(of->kind, "fixture") == 0 ? fixture_rows(&n)
                                                                     : contract_rows(&n);
    const char *what = "keys";
    for (size_t i = 0; i < n; i++) {
        const char *rest = rows[i].key + len;
        if (strncmp(rows[i].key, of->name, len) != 0 || (*rest != '.' && *rest != '['))
            continue;
        line(cli, what, rows[i].key);
        what = "";
    }
}

static void choices_text(struct cli *cli, const struct spec_row *row)
{
    for (const struct row_word *word = row->choices; word && word->word; word++)
        if (word->acts) {
            g_autofree char *text = g_strdup_printf("%s: this version refuses it: %s", word->word, word->acts);
            line(cli, "but", text);
        }
}

static void key_text(struct cli *cli, const struct entry *entry)
{
    const struct spec_row *row = entry->row;
    const char *dot = strrchr(row->key, '.');
    const char *last = dot ? dot + 1 : row->key;
    g_autofree char *range = row->max && row->max < INT64_MAX
                                 ? g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, row->min, row->max)
                                 : NULL;
    g_autofree char *example = *last == '*' ? g_strdup(row->example) : g_strconcat(last, ": ", row->example, NULL);
    g_autofree char *refused = row->acts ? g_strconcat("no, this version refuses it: ", row->acts, NULL) : NULL;
    line(cli, "form", row->form);
    line(cli, "range", range);
    line(cli, "default", row->fallback ? row->fallback : row->required ? "none: it is required" : "none");
    choices_text(cli, row);
    line(cli, "acts", refused ? refused : "yes");
    line(cli, "example", example);
    keys_below(cli, entry);
}

static void exit_text(struct cli *cli, const struct entry *entry)
{
    const char *what = "errors";
    for (int i = 0; i < SLUICE_ERROR_COUNT; i++) {
        const struct error_row *row = error_row((enum error_code)i);
        if (row->exit_status != entry->number)
            continue;
        g_autofree char *text = g_strdup_printf("%s: %s", row->name, row->words);
        line(cli, what, text);
        what = "";
    }
}

static void error_text(struct cli *cli, const struct entry *entry)
{
    const struct error_row *row = error_row((enum error_code)entry->number);
    g_autofree char *status = g_strdup_printf("%d", row->exit_status);
    line(cli, "class", CLASSES[row->class]);
    line(cli, "exit", status);
}

static void outcome_text(struct cli *cli, const struct entry *entry)
{
    static const char *const COUNTED[] = {[OUTCOME_KIND_LISTED] = "every listed key ends in one of these",
                                          [OUTCOME_KIND_BESIDE] = "apart",
                                          [OUTCOME_KIND_BACK] = "in a rollback"};
    line(cli, "counted", COUNTED[outcome_row((enum outcome)entry->number)->kind]);
}

static void state_text(struct cli *cli, const struct entry *entry)
{
    g_autoptr(GString) next = g_string_new(NULL);
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        if (run_state_may((enum run_state)entry->number, (enum run_state)i))
            g_string_append_printf(next, "%s%s", next->len ? ", " : "", run_state_word((enum run_state)i));
    line(cli, "over", run_state_over((enum run_state)entry->number) ? "yes" : "no");
    line(cli, "next", next->len ? next->str : "none");
}

static void fault_text(struct cli *cli, const struct entry *entry)
{
    g_autofree char *share = entry->fault->per_million
                                 ? g_strdup_printf("%" G_GUINT32_FORMAT " in a million", entry->fault->per_million)
                                 : g_strdup("by rule: whatever fits the words");
    g_autofree char *of = g_strconcat("sluice gen ", entry->generator->name, NULL);
    line(cli, "of", of);
    line(cli, "share", share);
    line(cli, "ends", entry->fault->ends);
}

static void command_text(struct cli *cli, const struct entry *entry)
{
    const struct command *command = entry->command;
    g_autofree char *usage = g_strconcat("sluice ", command->name, " ", command->arguments, NULL);
    g_autoptr(GString) options = g_string_new(NULL);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_taken(command, (enum option)i) && !option_is_common((enum option)i))
            g_string_append_printf(options, "%s--%s", options->len ? ", " : "", option_name((enum option)i));
    line(cli, "usage", g_strchomp(usage));
    line(cli, "options", options->len ? options->str : "those that every command takes");
    line(cli, "prints",
         command->json == COMMAND_DOCUMENT ? "with --json one document" : "with --json an object a line");
}

static void option_text(struct cli *cli, const struct entry *entry)
{
    enum option option = (enum option)entry->number;
    g_autofree char *variable = option_variable(option);
    g_autoptr(GString) takers = g_string_new(NULL);
    for (size_t i = 0; command_at(i) && !option_is_common(option); i++)
        if (option_taken(command_at(i), option))
            g_string_append_printf(takers, "%s%s", takers->len ? ", " : "", command_at(i)->name);
    line(cli, "value", option_value_form(option) ? option_value_form(option) : "none: it is a flag");
    line(cli, "variable", variable);
    line(cli, "of", takers->len ? takers->str : "every command");
}

/* --- as JSON
 * ----------------------------------------------------------------------------------------------------------- */

static json_t *choices_json(const struct spec_row *row)
{
    json_t *choices = json_array();
    for (const struct row_word *word = row->choices; word && word->word; word++)
        json_array_append_new(choices, json_pack("{s:s, s:b, s:o}", "word", word->word, "acts", word->acts == NULL,
                                                 "why", shape_text(word->acts)));
    return choices;
}

static void key_json(json_t *into, const struct entry *entry)
{
    const struct spec_row *row = entry->row;
    json_t *more =
        json_pack("{s:s, s:o, s:b, s:b, s:b, s:o, s:s, s:o}", "form", row->form, "default", shape_text(row->fallback),
                  "decided", row->decided, "required", row->required, "acts", row->acts == NULL, "why",
                  shape_text(row->acts), "example", row->example, "choices", choices_json(row));
    if (row->max)
        json_object_set_new(more, "range", json_pack("[I, I]", (json_int_t)row->min, (json_int_t)row->max));
    json_object_update(into, more);
    json_decref(more);
}

static void exit_json(json_t *into, const struct entry *entry)
{
    json_t *errors = json_array();
    for (int i = 0; i < SLUICE_ERROR_COUNT; i++)
        if (error_row((enum error_code)i)->exit_status == entry->number)
            json_array_append_new(errors, json_string(error_row((enum error_code)i)->name));
    json_object_set_new(into, "errors", errors);
}

static void error_json(json_t *into, const struct entry *entry)
{
    const struct error_row *row = error_row((enum error_code)entry->number);
    json_object_set_new(into, "class", json_string(CLASSES[row->class]));
    json_object_set_new(into, "exit", json_integer(row->exit_status));
}

static void outcome_json(json_t *into, const struct entry *entry)
{
    static const char *const COUNTED[] = {
        [OUTCOME_KIND_LISTED] = "listed", [OUTCOME_KIND_BESIDE] = "beside", [OUTCOME_KIND_BACK] = "back"};
    json_object_set_new(into, "counted", json_string(COUNTED[outcome_row((enum outcome)entry->number)->kind]));
}

static void state_json(json_t *into, const struct entry *entry)
{
    json_t *next = json_array();
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        if (run_state_may((enum run_state)entry->number, (enum run_state)i))
            json_array_append_new(next, json_string(run_state_word((enum run_state)i)));
    json_object_set_new(into, "over", json_boolean(run_state_over((enum run_state)entry->number)));
    json_object_set_new(into, "next", next);
}

static void fault_json(json_t *into, const struct entry *entry)
{
    json_object_set_new(into, "gen", json_string(entry->generator->name));
    json_object_set_new(into, "per_million",
                        entry->fault->per_million ? json_integer(entry->fault->per_million) : json_null());
    json_object_set_new(into, "ends", json_string(entry->fault->ends));
}

static void command_json(json_t *into, const struct entry *entry)
{
    json_t *options = json_array();
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_taken(entry->command, (enum option)i))
            json_array_append_new(options, json_string(option_name((enum option)i)));
    json_object_set_new(into, "arguments", json_string(entry->command->arguments));
    json_object_set_new(into, "options", options);
}

static void option_json(json_t *into, const struct entry *entry)
{
    g_autofree char *variable = option_variable((enum option)entry->number);
    json_object_set_new(into, "value", shape_text(option_value_form((enum option)entry->number)));
    json_object_set_new(into, "variable", json_string(variable));
}

/* --- printing
 * ---------------------------------------------------------------------------------------------------------- */

/* What there is to say about a kind beyond its words; NULL: nothing. */
static const struct kind {
    const char *kind, *what; /* what: in the head of a listing, and of one entry */
    void (*text)(struct cli *cli, const struct entry *entry);
    void (*json)(json_t *into, const struct entry *entry);
} KINDS[] = {
    {"spec", "a key of the spec", key_text, key_json},
    {"contract", "a key of the contract", key_text, key_json},
    {"fixture", "a key of a fixture", key_text, key_json},
    {"exit", "an exit code", exit_text, exit_json},
    {"error", "an error", error_text, error_json},
    {"outcome", "how a record ends, or what else is counted", outcome_text, outcome_json},
    {"class", "what a verification finds of a key", NULL, NULL},
    {"state", "of a run", state_text, state_json},
    {"capability", "what a store can do", NULL, NULL},
    {"fault", "planted in synthetic data", fault_text, fault_json},
    {"command", "a command", command_text, command_json},
    {"option", "an option", option_text, option_json},
};

static const struct kind *kind_of(const struct entry *entry)
{
    size_t i = 0;
    while (strcmp(KINDS[i].kind, entry->kind) != 0)
        i++;
    return &KINDS[i];
}

static void print_entry(struct cli *cli, const struct entry *entry)
{
    const struct kind *kind = kind_of(entry);
    fprintf(cli->out, "%s%s%s (%s)\n  %s\n", entry->row ? "" : kind->kind, entry->row ? "" : " ", entry->name,
            kind->what, entry->words);
    if (kind->text)
        kind->text(cli, entry);
}

static void print_list(struct cli *cli, const GArray *entries)
{
    const char *kind = "";
    for (guint i = 0; i < entries->len; i++) {
        const struct entry *entry = &g_array_index(entries, struct entry, i);
        if (strcmp(kind, entry->kind) != 0)
            fprintf(cli->out, "%s%s (%s)\n", *kind ? "\n" : "", entry->kind, kind_of(entry)->what);
        kind = entry->kind;
        fprintf(cli->out, "  %-28s %s%s\n", entry->name, entry->row && entry->row->acts ? "(refused) " : "",
                entry->words);
    }
}

static void add_json(json_t *list, const GArray *entries)
{
    for (guint i = 0; i < entries->len; i++) {
        const struct entry *entry = &g_array_index(entries, struct entry, i);
        json_t *one = json_pack("{s:s, s:s, s:s}", "kind", entry->kind, "name", entry->name, "words", entry->words);
        if (kind_of(entry)->json)
            kind_of(entry)->json(one, entry);
        json_array_append_new(list, one);
    }
}

static void print_chosen(struct cli *cli, const struct chosen *chosen)
{
    if (cli_has(cli, OPTION_JSON)) {
        json_t *list = json_array();
        add_json(list, chosen->named);
        add_json(list, chosen->listed);
        print_json(cli, json_pack("{s:s, s:o}", "type", "explain", "entries", list));
        return;
    }
    for (guint i = 0; i < chosen->named->len; i++) {
        fputs(i ? "\n" : "", cli->out);
        print_entry(cli, &g_array_index(chosen->named, struct entry, i));
    }
    fputs(chosen->named->len && chosen->listed->len ? "\n" : "", cli->out);
    print_list(cli, chosen->listed);
}

static bool print_schema(struct cli *cli, GError **error)
{
    static const struct {
        const char *kind;
        char *(*schema)(void);
    } SCHEMAS[] = {{"spec", spec_schema_json}, {"contract", contract_schema_json}, {"fixture", fixture_schema_json}};
    for (size_t i = 0; i < G_N_ELEMENTS(SCHEMAS); i++) {
        if (cli->n_args != 1 || strcmp(cli->args[0], SCHEMAS[i].kind) != 0)
            continue;
        g_autofree char *text = SCHEMAS[i].schema();
        if (cli_has(cli, OPTION_JSON))
            print_json(cli, json_loads(text, 0, NULL));
        else
            fprintf(cli->out, "%s\n", text);
        return true;
    }
    return error_set(error, SLUICE_ERROR_USAGE, "explain --schema: spec, contract or fixture was expected");
}

int command_explain(struct cli *cli, GError **error)
{
    if (cli_has(cli, OPTION_SCHEMA))
        return print_schema(cli, error) ? 0 : -1;
    if (cli_has(cli, OPTION_NEXT))
        return explain_hours(cli, error) ? 0 : -1;
    g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) entries = all_entries(owned);
    g_autoptr(GArray) named = g_array_new(FALSE, FALSE, sizeof(struct entry));
    g_autoptr(GArray) listed = g_array_new(FALSE, FALSE, sizeof(struct entry));
    struct chosen chosen = {named, listed};
    if (!choose(cli, entries, &chosen, error))
        return -1;
    print_chosen(cli, &chosen);
    return 0;
}
