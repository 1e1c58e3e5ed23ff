/* What other tools watch runs by: metrics, alert rules, dashboards, the runbook. */
#include "metrics/export.h"
#include "plan/texts.h"
#include "serve/server.h"

static void answer_as(struct request *request, const char *type, GString *text)
{
    request->answer.status = 200;
    request->answer.type = type;
    request->answer.body = g_bytes_new(text->str, text->len);
}

/* --- metrics ------------------------------------------------------------------------------------------------------ */

static bool answer_metrics(struct request *request, struct desk *desk, const char *run, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    desk->metrics.world = desk->server->config.world;
    desk->metrics.catalog = desk->catalog;
    desk->metrics.run = run;
    desk->metrics.process = !run;
    bool rendered = metrics_render(&desk->metrics, text, error);
    desk->metrics.run = NULL;
    if (rendered)
        answer_as(request, METRICS_CONTENT_TYPE, text);
    return rendered;
}

/* For those who may see all runs: a number of all of them tells of each. */
bool serve_metrics(struct request *request, struct desk *desk, GError **error)
{
    if (request->who.only)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED, "this token is for %s, and this tells of all runs",
                         request->who.only);
    return answer_metrics(request, desk, NULL, error);
}

bool serve_run_metrics(struct request *request, struct desk *desk, GError **error)
{
    struct run_row run;
    return request_run(request, desk, &run, error) && answer_metrics(request, desk, run.name, error);
}

/* --- of the spec of a run ----------------------------------------------------------------------------------------- */

static bool spec_of(struct request *request, struct desk *desk, struct run_row *ret_run, struct spec **ret,
                    GError **error)
{
    struct plan_config config = {.world = desk->server->config.world, .home = desk->server->config.home};
    return request_run(request, desk, ret_run, error) && plan_texts_spec(&config, desk->catalog, ret_run, ret, error);
}

static void answer_alerts(struct request *request, const struct spec *spec)
{
    g_autoptr(GString) text = g_string_new(NULL);
    export_alerts(&(struct export_alerts){.spec = spec, .runbook = request_query(request, "runbook")}, text);
    answer_as(request, "application/yaml", text);
}

bool serve_run_alerts(struct request *request, struct desk *desk, GError **error)
{
    struct run_row run;
    struct spec *spec = NULL;
    if (!spec_of(request, desk, &run, &spec, error))
        return false;
    answer_alerts(request, spec);
    spec_free(spec);
    return true;
}

bool serve_runbook(struct request *request, struct desk *desk, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct run_row run;
    struct spec *spec = NULL;
    if (!spec_of(request, desk, &run, &spec, error))
        return false;
    export_runbook(spec, run.name, text);
    spec_free(spec);
    answer_as(request, "text/markdown", text);
    return true;
}

/* --- of all runs -------------------------------------------------------------------------------------------------- */

bool serve_alerts(struct request *request, struct desk *desk, GError **error)
{
    answer_alerts(request, NULL);
    return true;
}

bool serve_grafana(struct request *request, struct desk *desk, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    enum export_board board;
    if (!export_board_find(request->names[0], &board, error))
        return false;
    export_board_put(board, text);
    answer_as(request, "application/json", text);
    return true;
}
