#include "metrics/export.h"

#include "base/units.h"

#define RUNBOOK "runbook.md"

static const struct alert_row ALERTS[] = {
#define ALERT(name, severity, hold, expr, says, steps) {#name, ALERT_##severity, hold, expr, says, steps},
#include "metrics/alert_rows.h"
#undef ALERT
};

const struct alert_row *alert_row_at(size_t i)
{
    return i < G_N_ELEMENTS(ALERTS) ? &ALERTS[i] : NULL;
}

static char *replaced(const char *text, const char *what, const char *with)
{
    g_auto(GStrv) parts = g_strsplit(text, what, -1);
    return g_strjoinv(with, parts);
}

/* --- alerts ------------------------------------------------------------------------------------------------------- */

#define COOL_DOWN "5m"

/* A text as YAML takes it too. */
static void put_text(GString *into, const char *text)
{
    json_t *value = json_string(text);
    char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    g_string_append(into, quoted ? quoted : "\"\"");
    free(quoted);
    json_decref(value);
}

static void put_member(GString *into, const char *lead, const char *name, const char *value)
{
    if (!value)
        return;
    g_string_append_printf(into, "%s%s: ", lead, name);
    put_text(into, value);
    g_string_append_c(into, '\n');
}

/* One rule, of whatever table. */
struct rule {
    const char *name, *expr, *hold, *severity, *says, *to;
};

static char *chosen(const struct spec *spec, const char *expr)
{
    g_autofree char *selector = spec ? g_strdup_printf("{spec=\"%s\",", spec->name) : g_strdup("{");
    return replaced(expr, "{@", selector);
}

static void put_rule(const struct export_alerts *wish, const struct rule *rule, GString *into)
{
    static const char *const LABEL = "          ";
    const struct spec *spec = wish->spec;
    g_autofree char *expr = chosen(spec, rule->expr), *anchor = g_ascii_strdown(rule->name, -1);
    g_autofree char *link = g_strconcat(wish->runbook ? wish->runbook : RUNBOOK, "#", anchor, NULL);
    bool of_run = strstr(rule->expr, "{@") && !g_str_has_prefix(rule->expr, "absent(");
    g_autofree char *summary = g_strconcat(of_run ? "{{ $labels.run }}: " : "sluice: ", rule->says, NULL);
    g_string_append_printf(into, "      - alert: %s\n", rule->name);
    put_member(into, "        ", "expr", expr);
    g_string_append_printf(into, "        for: %s\n        keep_firing_for: " COOL_DOWN "\n        labels:\n",
                           rule->hold);
    put_member(into, LABEL, "severity", rule->severity);
    put_member(into, LABEL, "team", spec ? spec->owner_team : NULL);
    put_member(into, LABEL, "to", rule->to);
    g_string_append(into, "        annotations:\n");
    put_member(into, LABEL, "summary", summary);
    put_member(into, LABEL, "contact", spec ? spec->owner_contact : NULL);
    put_member(into, LABEL, "runbook_url", link);
}

/* Whoever comes next, when nobody has mended it in that time. */
#define ESCALATES                                                                                                      \
    "max by (run, spec) (ALERTS{@alertname=~\"Sluice.*\",alertname!=\"SluiceEscalation\",severity=\"page\","           \
    "alertstate=\"firing\"} or sluice_run_needs_person{@} == 1)"

static void put_escalations(const struct export_alerts *wish, GString *into)
{
    for (size_t i = 0; wish->spec && i < wish->spec->n_escalate; i++) {
        const struct spec_escalation *step = &wish->spec->escalate[i];
        g_autofree char *hold = g_strdup_printf("%" G_GINT64_FORMAT "ms", step->after_ms);
        struct rule rule = {.name = "SluiceEscalation",
                            .expr = ESCALATES,
                            .hold = hold,
                            .severity = "page",
                            .says = "it needs a person, and nobody has come",
                            .to = step->to};
        put_rule(wish, &rule, into);
    }
}

void export_alerts(const struct export_alerts *wish, GString *into)
{
    static const char *const SEVERITIES[] = {[ALERT_PAGE] = "page", [ALERT_TICKET] = "ticket"};
    g_string_append(into, "# Written by `sluice export alerts`. In Alertmanager, group them by run:\n"
                          "#   route: { group_by: [run, severity], group_wait: 30s, repeat_interval: 4h }\n"
                          "groups:\n  - name: sluice\n    rules:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(ALERTS); i++) {
        const struct alert_row *row = &ALERTS[i];
        struct rule rule = {.name = row->name,
                            .expr = row->expr,
                            .hold = row->hold,
                            .severity = SEVERITIES[row->severity],
                            .says = row->says};
        put_rule(wish, &rule, into);
    }
    put_escalations(wish, into);
}

/* --- dashboards --------------------------------------------------------------------------------------------------- */

enum panel_kind { PANEL_SERIES, PANEL_DAY, PANEL_STAT, PANEL_TABLE, PANEL_BAR };

static const struct panel {
    enum export_board board;
    const char *title;
    enum panel_kind kind;
    const char *unit, *expr, *legend;
} PANELS[] = {
#define PANEL(board, title, kind, unit, expr, legend) {EXPORT_##board, title, PANEL_##kind, unit, expr, legend},
#include "metrics/panel_rows.h"
#undef PANEL
};

/* How a kind looks: Grafana's name, and how much of a row of 24 it takes. */
static const struct {
    const char *type;
    int width, height;
} KINDS[] = {[PANEL_SERIES] = {"timeseries", 12, 8},
             [PANEL_DAY] = {"timeseries", 12, 8},
             [PANEL_STAT] = {"stat", 6, 5},
             [PANEL_TABLE] = {"table", 12, 7},
             [PANEL_BAR] = {"bargauge", 12, 5}};

static const struct {
    const char *name, *title;
} BOARDS[EXPORT_BOARDS] = {[EXPORT_OVERVIEW] = {"overview", "sluice: overview"},
                           [EXPORT_ONCALL] = {"on-call", "sluice: on call"},
                           [EXPORT_DEBUG] = {"debug", "sluice: debug"}};

const char *export_board_name(enum export_board board)
{
    g_assert((size_t)board < EXPORT_BOARDS);
    return BOARDS[board].name;
}

bool export_board_find(const char *name, enum export_board *ret, GError **error)
{
    for (int i = 0; i < EXPORT_BOARDS; i++)
        if (strcmp(name, BOARDS[i].name) == 0) {
            *ret = (enum export_board)i;
            return true;
        }
    return error_set(error, SLUICE_ERROR_USAGE, "%s: overview, on-call or debug was expected", name);
}

static json_t *source_json(void)
{
    return json_pack("{s:s, s:s}", "type", "prometheus", "uid", "${datasource}");
}

static json_t *target_json(const struct panel *row, size_t i)
{
    const char id[] = {(char)('A' + i), '\0'};
    g_autofree char *mine = replaced(row->expr, "{@", "{run=~\"$run\",");
    g_autofree char *expr = replaced(mine, "{~", "{spec=~\"$spec\",run!~\"$run\",");
    bool now = row->kind != PANEL_SERIES && row->kind != PANEL_DAY;
    return json_pack("{s:s, s:s, s:s, s:b, s:o}", "refId", id, "expr", expr, "legendFormat", row->legend, "instant",
                     now, "datasource", source_json());
}

/* The rows of one panel stand together. */
static size_t rows_of(size_t at)
{
    size_t n = 1;
    while (at + n < G_N_ELEMENTS(PANELS) && PANELS[at + n].board == PANELS[at].board &&
           strcmp(PANELS[at + n].title, PANELS[at].title) == 0)
        n++;
    return n;
}

struct place {
    int x, y, row_height, number;
};

static json_t *place_next(struct place *place, enum panel_kind kind)
{
    int width = KINDS[kind].width, height = KINDS[kind].height;
    if (place->x + width > 24) {
        place->x = 0;
        place->y += place->row_height;
        place->row_height = 0;
    }
    json_t *found = json_pack("{s:i, s:i, s:i, s:i}", "x", place->x, "y", place->y, "w", width, "h", height);
    place->x += width;
    place->row_height = MAX(place->row_height, height);
    place->number++;
    return found;
}

static json_t *panel_json(size_t at, size_t n, struct place *place)
{
    const struct panel *row = &PANELS[at];
    json_t *targets = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(targets, target_json(&PANELS[at + i], i));
    json_t *grid = place_next(place, row->kind);
    return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:s*, s:{s:{s:s, s:i}, s:[]}}", "id", place->number, "title",
                     row->title, "type", KINDS[row->kind].type, "gridPos", grid, "datasource", source_json(), "targets",
                     targets, "timeFrom", row->kind == PANEL_DAY ? "24h" : NULL, "fieldConfig", "defaults", "unit",
                     row->unit, "min", 0, "overrides");
}

static json_t *variable_json(const char *name, const char *query)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:i, s:o, s:{s:b, s:s, s:s}}", "name", name, "label", name,
                     "type", "query", "query", query, "multi", true, "includeAll", true, "allValue", ".*", "refresh", 2,
                     "datasource", source_json(), "current", "selected", true, "text", "All", "value", "$__all");
}

static json_t *variables_json(void)
{
    json_t *source = json_pack("{s:s, s:s, s:s, s:s}", "name", "datasource", "label", "data", "type", "datasource",
                               "query", "prometheus");
    return json_pack("{s:[o, o, o]}", "list", source, variable_json("spec", "label_values(sluice_run_state, spec)"),
                     variable_json("run", "label_values(sluice_run_state{spec=~\"$spec\"}, run)"));
}

json_t *export_board(enum export_board board)
{
    struct place place = {0};
    json_t *panels = json_array();
    for (size_t at = 0; at < G_N_ELEMENTS(PANELS); at += rows_of(at))
        if (PANELS[at].board == board)
            json_array_append_new(panels, panel_json(at, rows_of(at), &place));
    g_autofree char *uid = g_strconcat("sluice-", BOARDS[board].name, NULL);
    json_t *links = json_pack("[{s:s, s:s, s:[s], s:b, s:b}]", "type", "dashboards", "title", "sluice", "tags",
                              "sluice", "asDropdown", false, "keepTime", true);
    return json_pack("{s:s, s:s, s:[s], s:i, s:s, s:{s:s, s:s}, s:o, s:o, s:o, s:b}", "uid", uid, "title",
                     BOARDS[board].title, "tags", "sluice", "schemaVersion", 37, "refresh", "10s", "time", "from",
                     "now-6h", "to", "now", "templating", variables_json(), "links", links, "panels", panels,
                     "editable", true);
}

void export_board_put(enum export_board board, GString *into)
{
    json_t *dashboard = export_board(board);
    char *text = json_dumps(dashboard, JSON_INDENT(2));
    g_string_append_printf(into, "%s\n", text);
    free(text);
    json_decref(dashboard);
}
