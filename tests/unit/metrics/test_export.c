/* The tables of alerts and panels: that they ask for nothing that is not told, and lead somewhere. */
#include "kit/kit.h"
#include "metrics/export.h"
#include "metrics/metrics.h"

static bool is_metric(const char *name)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        if (strcmp(metric_row((enum metric)i)->name, name) == 0)
            return true;
    return false;
}

/* Every name in the expression that looks like one of ours. */
static size_t metrics_known(const char *expr)
{
    size_t n = 0;
    g_autoptr(GRegex) names = g_regex_new("\\b(sluice|process)_[a-z_]+", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    for (g_regex_match(names, expr, 0, &match); g_match_info_matches(match); g_match_info_next(match, NULL), n++) {
        g_autofree char *name = g_match_info_fetch(match, 0);
        if (!is_metric(name))
            fail_msg("%s asks for %s, which is no row of metric_rows.h", expr, name);
    }
    return n;
}

static void names_follow_the_conventions(void **state)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = metric_row((enum metric)i);
        bool counted = g_str_has_suffix(row->name, "_total");
        if (counted != (row->type == METRIC_COUNTER) || !*row->words)
            fail_msg("%s: a counter, and nothing else, ends with _total, and each has words", row->name);
        assert_true(g_regex_match_simple("^[a-z][a-z_]*[a-z]$", row->name, 0, 0));
        assert_false(strstr(row->name, "_ms") || strstr(row->name, "partition\""));
        assert_null(strstr(row->labels, "key"));
        assert_null(strstr(row->labels, "partition"));
    }
}

static void every_alert_asks_for_metrics_that_are_told_and_says_what_to_do(void **state)
{
    const struct alert_row *row;
    for (size_t i = 0; (row = alert_row_at(i)); i++) {
        if (metrics_known(row->expr) == 0)
            fail_msg("%s asks for no metric", row->name);
        assert_true(g_str_has_prefix(row->name, "Sluice") && *row->says && *row->steps && *row->hold);
    }
}

static size_t known_in_board(json_t *board)
{
    size_t i, k, n = 0;
    json_t *panel, *target;
    json_array_foreach(json_object_get(board, "panels"), i, panel)
    {
        json_array_foreach(json_object_get(panel, "targets"), k, target)
        {
            const char *expr = json_string_value(json_object_get(target, "expr"));
            assert_true(strstr(expr, "ALERTS") || metrics_known(expr) > 0);
            assert_false(strstr(expr, "{@") || strstr(expr, "{~"));
            n++;
        }
    }
    return n;
}

static void every_panel_asks_for_metrics_that_are_told(void **state)
{
    size_t n = 0;
    for (int i = 0; i < EXPORT_BOARDS; i++) {
        json_t *board = export_board((enum export_board)i);
        assert_non_null(board);
        n += known_in_board(board);
        json_decref(board);
    }
    assert_true(n > 30);
}

/* No two panels of a board lie over each other. */
static void panels_do_not_overlap(void **state)
{
    for (int b = 0; b < EXPORT_BOARDS; b++) {
        json_t *board = export_board((enum export_board)b), *panels = json_object_get(board, "panels");
        bool taken[200][24] = {{false}};
        for (size_t i = 0; i < json_array_size(panels); i++) {
            int x, y, w, h;
            assert_int_equal(json_unpack(json_array_get(panels, i), "{s:{s:i, s:i, s:i, s:i}}", "gridPos", "x", &x, "y",
                                         &y, "w", &w, "h", &h),
                             0);
            assert_true(x >= 0 && x + w <= 24 && y + h <= 200);
            for (int row = y; row < y + h; row++)
                for (int column = x; column < x + w; column++) {
                    assert_false(taken[row][column]);
                    taken[row][column] = true;
                }
        }
        json_decref(board);
    }
}

#define SPEC                                                                                                           \
    "sluice: 1\nname: fix\nowner: { team: data, contact: oncall@example.com, escalate: [{ after: 15m, to: lead }] }\n" \
    "source: { store: \"file:in\", dataset: \"*.ndjson\", key: id }\n"                                                 \
    "target: { store: \"rocksdb:live\", dataset: items, write: shadow }\n"                                             \
    "stages: [{ name: full, scope: 100%, gate: { approve: ann } }]\n"

static void of_a_spec_alerts_name_its_runs_its_team_and_who_is_next(void **state)
{
    auto_(spec) spec = NULL;
    GError *error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    kit_ok(spec_parse(&spec, "fix.yaml", slice_of_text(SPEC), &error));
    export_alerts(&(struct export_alerts){.spec = spec, .runbook = "https://wiki/run\"book"}, text);
    assert_non_null(strstr(text->str, "sluice_run_state{spec=\\\"fix\\\",state=\\\"halted\\\"}"));
    assert_non_null(strstr(text->str, "team: \"data\""));
    assert_non_null(strstr(text->str, "to: \"lead\""));
    assert_non_null(strstr(text->str, "for: 900000ms"));
    assert_non_null(strstr(text->str, "runbook_url: \"https://wiki/run\\\"book#sluicehalted\""));
    assert_null(strstr(text->str, "{@"));
}

static void every_alert_leads_to_a_section_of_the_runbook(void **state)
{
    auto_(spec) spec = NULL;
    GError *error = NULL;
    const struct alert_row *row;
    static const char *const SAID[] = {"oncall@example.com",
                                       "After 15m",
                                       "lead",
                                       "sluice promote fix.3",
                                       "sluice approve fix.3",
                                       "sluice rollback fix.3",
                                       "sluice run fix.yaml",
                                       "### SluiceEscalation"};
    g_autoptr(GString) text = g_string_new(NULL);
    kit_ok(spec_parse(&spec, "fix.yaml", slice_of_text(SPEC), &error));
    export_runbook(spec, "fix.3", text);
    for (size_t i = 0; (row = alert_row_at(i)); i++) {
        g_autofree char *head = g_strdup_printf("\n### %s\n", row->name);
        assert_non_null(strstr(text->str, head));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(SAID); i++)
        if (!strstr(text->str, SAID[i]))
            fail_msg("the runbook lacks '%s'", SAID[i]);
    assert_null(strstr(text->str, "\n\n\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_conventions),
        cmocka_unit_test(every_alert_asks_for_metrics_that_are_told_and_says_what_to_do),
        cmocka_unit_test(every_panel_asks_for_metrics_that_are_told),
        cmocka_unit_test(panels_do_not_overlap),
        cmocka_unit_test(of_a_spec_alerts_name_its_runs_its_team_and_who_is_next),
        cmocka_unit_test(every_alert_leads_to_a_section_of_the_runbook),
    };
    return cmocka_run_group_tests_name("metrics/export", tests, NULL, NULL);
}
