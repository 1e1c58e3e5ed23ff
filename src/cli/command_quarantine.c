/* quarantine: the refused records of a run, and another go at them. */
#include "base/int.h"
#include "cli/cli.h"
#include "view/refused.h"

/* "fix.2 of ann@db1, done": who has taken the refused records once more; NULL: nobody. The caller frees. */
static char *by_text(const struct refused *refused)
{
    const struct run_row *by = &refused->by;
    return by->id == 0 ? NULL : g_strdup_printf("%s of %s, %s", by->name, by->author, run_state_word(by->state));
}

/* Bytes from outside, on a line of a terminal: none of them moves the cursor or ends the line. */
static void put_bytes_shown(FILE *out, struct slice bytes)
{
    g_autofree char *shown = bytes.len ? g_utf8_make_valid((const char *)bytes.data, (gssize)bytes.len) : g_strdup("");
    for (const char *at = shown; *at; at++)
        if (*at == '\n')
            fputs("\\n", out);
        else if ((uint8_t)*at < 0x20 || *at == 0x7f)
            fprintf(out, "\\x%02x", (unsigned)*at);
        else
            fputc(*at, out);
}

static void entry_line(struct cli *cli, const struct quarantine_entry *entry)
{
    fprintf(cli->out, "%" G_GUINT64_FORMAT "  ", entry->number);
    if (entry->key.len) {
        put_bytes_shown(cli->out, entry->key);
        fputs("  ", cli->out);
    }
    if (entry->file)
        fprintf(cli->out, "%s:%" G_GUINT64_FORMAT ":%u  ", entry->file, entry->line, entry->column);
    fprintf(cli->out, "%s: %s\n", entry->code, entry->reason);
}

static void entry_whole(struct cli *cli, const struct quarantine_entry *entry, const struct refused *refused)
{
    g_autofree char *by = by_text(refused);
    fprintf(cli->out, "number    %" G_GUINT64_FORMAT "\n", entry->number);
    if (entry->key.len) {
        fputs("key       ", cli->out);
        put_bytes_shown(cli->out, entry->key);
        fputc('\n', cli->out);
    }
    if (entry->file)
        fprintf(cli->out, "read at   %s:%" G_GUINT64_FORMAT ":%u\n", entry->file, entry->line, entry->column);
    fprintf(cli->out, "refused   %s: %s\n", entry->code, entry->reason);
    if (by)
        fprintf(cli->out, "retried   by %s\n", by);
    if (entry->document.len)
        fprintf(cli->out, "document  %.*s\n", (int)entry->document.len, (const char *)entry->document.data);
    else {
        fputs("bytes     ", cli->out);
        put_bytes_shown(cli->out, entry->raw);
        fputc('\n', cli->out);
    }
}

static void entry_json(struct cli *cli, const struct quarantine_entry *entry, const struct refused *refused)
{
    g_autoptr(GString) text = g_string_new(NULL);
    refused_put(text, refused, entry);
    fprintf(cli->out, "%s\n", text->str);
}

/* list: a line a row; show: all of it, with its document. */
struct printing {
    struct refused refused;
    bool whole;
    uint64_t left;
};

static void print_entry(struct cli *cli, const struct printing *printing, const struct quarantine_entry *entry)
{
    if (cli_has(cli, OPTION_JSON))
        entry_json(cli, entry, &printing->refused);
    else if (printing->whole)
        entry_whole(cli, entry, &printing->refused);
    else
        entry_line(cli, entry);
}

static void print_by(struct cli *cli, const struct printing *printing)
{
    g_autofree char *by = by_text(&printing->refused);
    if (by && !printing->whole && !cli_has(cli, OPTION_JSON))
        fprintf(cli->err, "retried by %s\n", by);
}

static bool print_entries(struct cli *cli, struct printing *printing, GError **error)
{
    struct quarantine_reader *reader = printing->refused.reader;
    auto_(arena) mem = arena_new(128 << 20);
    struct quarantine_entry *entry;
    uint64_t printed = 0;
    for (;;) {
        arena_reset(mem);
        if (!quarantine_next(reader, mem, &entry, error))
            return false;
        if (!entry || printing->left-- == 0)
            break;
        printed++;
        print_entry(cli, printing, entry);
    }
    print_by(cli, printing);
    if (quarantine_reader_damaged(reader))
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "%s: %" G_GUINT64_FORMAT " rows of the quarantine are damaged and are not shown", cli->args[1],
                         quarantine_reader_damaged(reader));
    return printed > 0 || !printing->whole ||
           error_set(error, SLUICE_ERROR_NOT_FOUND,
                     "%s: there is no row %s in the quarantine; `sluice quarantine list %s` shows them", cli->args[1],
                     cli->args[2], cli->args[1]);
}

static bool find(struct cli *cli, struct arena *mem, struct refused *ret, GError **error)
{
    auto_(catalog) catalog = NULL;
    return catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) &&
           refused_find(catalog, cli->args[1], mem, ret, error);
}

static int print_rows_of(struct cli *cli, const uint64_t *number, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct printing printing = {.whole = number != NULL};
    bool done =
        cli_number(cli, OPTION_LIMIT, UINT64_MAX, &printing.left, error) && find(cli, mem, &printing.refused, error) &&
        refused_open(&printing.refused, cli->world, cli->home, number, error) && print_entries(cli, &printing, error);
    refused_done(&printing.refused);
    return done ? 0 : -1;
}

static int quarantine_list(struct cli *cli, GError **error)
{
    return print_rows_of(cli, NULL, error);
}

static int quarantine_show(struct cli *cli, GError **error)
{
    uint64_t number;
    if (!int_parse_u64(slice_of_text(cli->args[2]), &number)) {
        error_set(error, SLUICE_ERROR_USAGE,
                  "'%s': the number of a row was expected, as `sluice quarantine list` shows it", cli->args[2]);
        return -1;
    }
    return print_rows_of(cli, &number, error);
}

/* --- retry ---------------------------------------------------------------------------------------------------------
 */

static bool is_given(const struct cli *cli, const char *name)
{
    size_t len = strlen(name);
    for (guint i = 0; i + 1 < cli->params->len; i++) {
        const char *param = cli->params->pdata[i];
        if (strncmp(param, name, len) == 0 && param[len] == '=')
            return true;
    }
    return false;
}

bool cli_params_of(struct cli *cli, const struct run_row *run, struct arena *mem, GError **error)
{
    auto_(catalog) catalog = NULL;
    json_t *said, *value;
    const char *name;
    bool ok = true;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) ||
        !plan_said_read(catalog, run, mem, &said, error))
        return false;
    json_object_foreach(json_object_get(said, "params"), name, value)
    {
        g_autofree char *param = g_strdup_printf("%s=%s", name, json_string_value(value));
        char *kept = is_given(cli, name) ? NULL : (char *)(uintptr_t)arena_text(mem, slice_of_text(param));
        if (kept)
            g_ptr_array_insert(cli->params, (gint)cli->params->len - 1, kept);
        ok = ok && (kept || is_given(cli, name));
    }
    json_decref(said);
    return ok || error_set(error, SLUICE_ERROR_TOO_BIG, "%s: its params do not fit into memory", run->name);
}

/* The spec as it stands now: to have it mended, or what it names, is why one retries. */
static int quarantine_retry(struct cli *cli, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct refused shown;
    if (!find(cli, mem, &shown, error) || !cli_params_of(cli, &shown.run, mem, error))
        return -1;
    g_autofree char *again = g_strdup_printf("quarantine retry %s", shown.run.name);
    struct run_asked asked = {
        .spec = cli->n_args > 2 ? cli->args[2] : shown.run.spec_path, .retry = shown.run.name, .again = again};
    return cli_has(cli, OPTION_OUT) ? plan_asked(cli, &asked, error) : run_asked(cli, &asked, error);
}

static const struct verb {
    const char *word;
    size_t min, max; /* arguments, the verb and RUN included */
    int (*call)(struct cli *cli, GError **error);
} VERBS[] = {{"list", 2, 2, quarantine_list}, {"show", 3, 3, quarantine_show}, {"retry", 2, 3, quarantine_retry}};

int command_quarantine(struct cli *cli, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(VERBS); i++)
        if (strcmp(cli->args[0], VERBS[i].word) == 0 && cli->n_args >= VERBS[i].min && cli->n_args <= VERBS[i].max)
            return VERBS[i].call(cli, error);
    error_set(error, SLUICE_ERROR_USAGE,
              "usage: sluice quarantine list RUN, sluice quarantine show RUN NUMBER, or sluice quarantine retry RUN "
              "[SPEC]");
    return -1;
}
