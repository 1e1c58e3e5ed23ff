/* audit: the ledger. */
#include "base/hex.h"
#include "base/units.h"
#include "catalog/ledger.h"
#include "cli/cli.h"

#define PAGE 256

static void entry_json(struct cli *cli, const struct ledger_entry *entry)
{
    json_t *details = entry->details ? json_loads(entry->details, 0, NULL) : NULL;
    print_json(cli, json_pack("{s:s, s:I, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "type", "ledger", "number",
                              (json_int_t)entry->number, "at", shape_time(entry->at_ms), "actor", entry->actor,
                              "action", entry->action, "run", shape_text(entry->run), "reason",
                              shape_text(entry->reason), "details", details ? details : json_null(), "previous",
                              shape_digest(entry->previous), "digest", shape_digest(entry->digest)));
}

static void entry_text(struct cli *cli, const struct ledger_entry *entry)
{
    char when[UNITS_TEXT], digest[HEX_TEXT(32)];
    fprintf(cli->out, "%5" G_GUINT64_FORMAT "  %s  %.12s  %-16s %-20s %s%s%s\n", entry->number,
            units_time(entry->at_ms, when), hex_text(entry->digest, 32, digest), entry->action,
            entry->run ? entry->run : "", entry->actor, entry->reason ? ": " : "", entry->reason ? entry->reason : "");
}

/* The number of the first entry to print: the newest --limit of them, or all. */
static bool first_entry(const struct cli *cli, struct catalog *catalog, uint64_t *ret, GError **error)
{
    uint64_t limit, last;
    uint8_t head[32];
    if (!cli_number(cli, OPTION_LIMIT, UINT64_MAX, &limit, error) || !ledger_head(catalog, &last, head, error))
        return false;
    *ret = limit < last ? last - limit + 1 : 1;
    return true;
}

static int audit_log(struct cli *cli, struct catalog *catalog, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct ledger_entries entries;
    uint64_t from;
    if (!first_entry(cli, catalog, &from, error))
        return -1;
    for (;; from += entries.n) {
        arena_reset(mem);
        if (!ledger_read(catalog, from, PAGE, mem, &entries, error))
            return -1;
        for (size_t i = 0; i < entries.n; i++)
            cli_has(cli, OPTION_JSON) ? entry_json(cli, &entries.rows[i]) : entry_text(cli, &entries.rows[i]);
        if (entries.n < PAGE)
            return 0;
    }
}

static bool head_of(const struct cli *cli, uint8_t ret[32], GError **error)
{
    return hex_parse(slice_of_text(cli->values[OPTION_HEAD]), ret, 32) ||
           error_set(error, SLUICE_ERROR_USAGE, "--head: 64 hex digits were expected, as a run prints them");
}

static int audit_verify(struct cli *cli, struct catalog *catalog, const uint8_t *head, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    uint8_t now[32];
    char text[HEX_TEXT(32)];
    uint64_t number;
    struct ledger_verdict verdict = {0};
    if (!ledger_verify(catalog, head, mem, &verdict, error) || !ledger_head(catalog, &number, now, error))
        return -1;
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:b, s:I, s:o, s:o, s:o}", "type", "audit", "ok", verdict.ok, "entries",
                                  (json_int_t)verdict.entries, "broken_at",
                                  verdict.ok ? json_null() : json_integer((json_int_t)verdict.number), "message",
                                  shape_text(verdict.text), "head", shape_digest(now)));
    else if (verdict.ok)
        fprintf(cli->out, "the ledger is whole: %" G_GUINT64_FORMAT " entries, head %s\n", verdict.entries,
                hex_text(now, 32, text));
    else
        fprintf(cli->out, "the ledger is broken at entry %" G_GUINT64_FORMAT ": %s\n", verdict.number, verdict.text);
    return verdict.ok ? 0 : 4;
}

int command_audit(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    uint8_t head[32];
    bool log = strcmp(cli->args[0], "log") == 0, given = cli_has(cli, OPTION_HEAD);
    if (!log && strcmp(cli->args[0], "verify") != 0) {
        error_set(error, SLUICE_ERROR_USAGE, "usage: sluice audit log, or sluice audit verify [--head HEX]");
        return -1;
    }
    if ((given && !head_of(cli, head, error)) ||
        !catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error))
        return -1;
    return log ? audit_log(cli, catalog, error) : audit_verify(cli, catalog, given ? head : NULL, error);
}
