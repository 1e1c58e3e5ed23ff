/* cat, quarantine: records for people and programs. */
#include "base/int.h"
#include "cli/cli.h"
#include "plan/home.h"
#include "quarantine/quarantine.h"
#include "sandbox/sandbox.h"

/* --- cat
 * -------------------------------------------------------------------------------------------------------------- */

struct cat {
    struct cli *cli;
    struct store *store;
    struct session *session;
    struct dataset ds;
    struct key_paths key;
    struct sandbox *sandbox; /* NULL: no --where */
    int where;
    uint64_t left;   /* records still to print */
    uint64_t faults; /* records that could not be read */
    struct arena *mem;
};

static bool cat_open(struct cat *cat, GError **error)
{
    struct cli *cli = cat->cli;
    struct run_config config = cli_run_config(cli);
    struct plan_config plan = {.world = config.world, .registry = config.registry, .home = config.home};
    struct sandbox_config sandbox = {0};
    cat->ds.name = cli->args[1];
    if (cli_has(cli, OPTION_KEY)) {
        cat->key.paths = g_new0(struct path *, 1);
        cat->key.n = 1;
        if (!path_parse(&cat->key.paths[0], cli->values[OPTION_KEY], error))
            return false;
        cat->ds.key = &cat->key;
    }
    if (cli_has(cli, OPTION_WHERE) &&
        (!sandbox_new(&cat->sandbox, &sandbox, error) ||
         !sandbox_compile(cat->sandbox, "--where", cli->values[OPTION_WHERE], &cat->where, error)))
        return false;
    return cli_number(cli, OPTION_LIMIT, UINT64_MAX, &cat->left, error) &&
           plan_store_open(&cat->store, &plan, cli->args[0], ".", true, error) &&
           store_session_open(&cat->session, cat->store, error);
}

static void cat_close(struct cat *cat)
{
    g_clear_pointer(&cat->session, store_session_close);
    store_release(cat->cli->registry, cat->store);
    g_clear_pointer(&cat->sandbox, sandbox_free);
    g_clear_pointer(&cat->mem, arena_free);
    key_paths_done(&cat->key);
}

static void cat_key(struct cat *cat, const struct record *record)
{
    json_t *key = shape_key(record->key);
    json_dumpf(key, cat->cli->out, JSON_COMPACT | JSON_ENCODE_ANY);
    fputc('\n', cat->cli->out);
    json_decref(key);
}

static void cat_fault(struct cat *cat, const struct record *record)
{
    FILE *err = cat->cli->err;
    const struct origin *at = &record->at;
    cat->faults++;
    fputs("sluice: ", err);
    if (at->file)
        fprintf(err, "%s:%" G_GUINT64_FORMAT ":%u: ", at->file, at->line, at->column);
    fprintf(err, "%s\n", record->fault.text);
}

static bool cat_record(struct cat *cat, const struct record *record, GError **error)
{
    struct slice document;
    bool holds = true;
    g_autoptr(GString) text = g_string_new(NULL);
    if (record->presence == RECORD_FAULT) {
        cat_fault(cat, record);
        return true;
    }
    if (record->presence == RECORD_ABSENT) /* of an undo log: there was nothing */
        return true;
    if (!store_decode(store_driver(cat->store), &cat->ds, record->raw, cat->mem, &document, error) ||
        (cat->sandbox && !sandbox_evaluate(cat->sandbox, cat->where, document, &holds, error)))
        return false;
    if (!holds)
        return true;
    cat->left--;
    if (cli_has(cat->cli, OPTION_KEYS)) {
        cat_key(cat, record);
        return true;
    }
    if (!document_to_json(document, text, error))
        return false;
    fprintf(cat->cli->out, "%s\n", text->str);
    return true;
}

static bool cat_all(struct cat *cat, GError **error)
{
    auto_(scan) scan = NULL;
    struct scan_spec spec = {.ds = &cat->ds, .max_records = 500, .max_bytes = 1 << 20};
    struct call call = {.ds = &cat->ds, .mem = cat->mem};
    struct batch batch = {0};
    struct store_info info;
    if (!store_inspect(cat->session, &call, &info, error))
        return false;
    if (!info.dataset_present)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: there is no dataset '%s'", cat->cli->args[0],
                         cat->cli->args[1]);
    if (!store_scan_open(&scan, cat->session, &spec, error))
        return false;
    while (!batch.done && cat->left > 0 && !ferror(cat->cli->out)) {
        arena_reset(cat->mem);
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
        for (size_t i = 0; i < batch.n && cat->left > 0; i++)
            if (!cat_record(cat, &batch.records[i], error))
                return false;
        if (cat->cli->signals && atomic_load(cat->cli->signals) > 0)
            return error_set(error, SLUICE_ERROR_INTERRUPTED, "interrupted");
    }
    return true;
}

int command_cat(struct cli *cli, GError **error)
{
    if (cli_has(cli, OPTION_FENCES))
        return cat_fences(cli, error) ? 0 : -1;
    struct cat cat = {.cli = cli, .mem = arena_new(256 << 20)};
    bool done = cat_open(&cat, error) && cat_all(&cat, error);
    cat_close(&cat);
    return !done ? -1 : cat.faults ? 8 : 0;
}

/* --- quarantine
 * ------------------------------------------------------------------------------------------------------- */

static bool run_of(struct cli *cli, struct arena *mem, struct run_row *ret, GError **error)
{
    auto_(catalog) catalog = NULL;
    return catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) &&
           catalog_run_get(catalog, cli->args[1], mem, ret, error);
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

static void entry_whole(struct cli *cli, const struct quarantine_entry *entry)
{
    fprintf(cli->out, "number    %" G_GUINT64_FORMAT "\n", entry->number);
    if (entry->key.len) {
        fputs("key       ", cli->out);
        put_bytes_shown(cli->out, entry->key);
        fputc('\n', cli->out);
    }
    if (entry->file)
        fprintf(cli->out, "read at   %s:%" G_GUINT64_FORMAT ":%u\n", entry->file, entry->line, entry->column);
    fprintf(cli->out, "refused   %s: %s\n", entry->code, entry->reason);
    if (entry->document.len)
        fprintf(cli->out, "document  %.*s\n", (int)entry->document.len, (const char *)entry->document.data);
    else {
        fputs("bytes     ", cli->out);
        put_bytes_shown(cli->out, entry->raw);
        fputc('\n', cli->out);
    }
}

/* The row as it stands in the file, which is a JSON object, with its type. */
static void entry_json(struct cli *cli, const struct quarantine_entry *entry)
{
    fprintf(cli->out, "{\"type\":\"refused\",%.*s\n", (int)entry->text.len - 1, (const char *)entry->text.data + 1);
}

/* list: a line a row; show: all of it, with its document. */
static bool print_entries(struct cli *cli, struct quarantine_reader *reader, bool whole, uint64_t left, GError **error)
{
    auto_(arena) mem = arena_new(128 << 20);
    struct quarantine_entry *entry;
    uint64_t printed = 0;
    for (;;) {
        arena_reset(mem);
        if (!quarantine_next(reader, mem, &entry, error))
            return false;
        if (!entry || left-- == 0)
            break;
        printed++;
        if (cli_has(cli, OPTION_JSON))
            entry_json(cli, entry);
        else
            whole ? entry_whole(cli, entry) : entry_line(cli, entry);
    }
    if (quarantine_reader_damaged(reader))
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "%s: %" G_GUINT64_FORMAT " rows of the quarantine are damaged and are not shown", cli->args[1],
                         quarantine_reader_damaged(reader));
    return printed > 0 || !whole ||
           error_set(error, SLUICE_ERROR_NOT_FOUND,
                     "%s: there is no row %s in the quarantine; `sluice quarantine list %s` shows them", cli->args[1],
                     cli->args[2], cli->args[1]);
}

static bool quarantine_words(struct cli *cli, bool *ret_show, uint64_t *ret_number, GError **error)
{
    *ret_show = strcmp(cli->args[0], "show") == 0;
    if ((!*ret_show && strcmp(cli->args[0], "list") != 0) || cli->n_args != (*ret_show ? 3 : 2))
        return error_set(error, SLUICE_ERROR_USAGE,
                         "usage: sluice quarantine list RUN, or sluice quarantine show RUN NUMBER");
    return !*ret_show || int_parse_u64(slice_of_text(cli->args[2]), ret_number) ||
           error_set(error, SLUICE_ERROR_USAGE,
                     "'%s': the number of a row was expected, as `sluice quarantine list` shows it", cli->args[2]);
}

int command_quarantine(struct cli *cli, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    auto_(quarantine_reader) reader = NULL;
    struct run_row run;
    struct quarantine_filter filter = {0};
    uint64_t number = 0, limit;
    bool show;
    if (!quarantine_words(cli, &show, &number, error) || !cli_number(cli, OPTION_LIMIT, UINT64_MAX, &limit, error) ||
        !run_of(cli, mem, &run, error))
        return -1;
    filter.number = show ? &number : NULL;
    g_autofree char *path = home_path(cli->home, HOME_QUARANTINE, run.name);
    struct quarantine_config config = {.world = cli->world, .path = path};
    memcpy(config.run_uid, run.uid, sizeof run.uid);
    bool done =
        quarantine_reader_open(&reader, &config, &filter, error) && print_entries(cli, reader, show, limit, error);
    return done ? 0 : -1;
}
