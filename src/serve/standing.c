/* How a run stands, the gate that waits for somebody included: the same for who asks and for who is told. */
#include "serve/server.h"
#include "view/shape.h"

/* Who has let it pass already, where the run has not gone on since; NULL: nobody. */
static bool given_by(struct desk *desk, const struct run_row *run, const struct stage_row *stage, const char **ret,
                     GError **error)
{
    struct approval word;
    if (!catalog_approval(desk->catalog, run, stage, desk->mem, &word, error))
        return false;
    *ret = word.at_ms && word.granted ? word.act.actor : NULL;
    return true;
}

static bool stage_json(struct desk *desk, const struct run_row *run, const struct stage_row *stage, json_t **ret,
                       GError **error)
{
    struct plan_rights rights;
    const char *given = NULL;
    if (!plan_rights_read(desk->catalog, run, desk->mem, &rights, error))
        return false;
    const char *approver = stage->stage < rights.n_stages ? rights.stages[stage->stage].approve : NULL;
    if (!approver)
        return true;
    if (!given_by(desk, run, stage, &given, error))
        return false;
    *ret = json_pack("{s:s, s:I, s:o, s:o, s:s, s:o, s:o}", "stage", stage->name, "attempt", (json_int_t)stage->attempt,
                     "plan_digest", shape_digest(run->digests.plan), "report", shape_digest(stage->report), "approver",
                     approver, "soaks_until", stage->until_ms ? shape_time(stage->until_ms) : json_null(), "given_by",
                     shape_text(given));
    return true;
}

/* *ret stays NULL where no gate waits for somebody's word. */
static bool gate_json(struct desk *desk, const struct run_row *run, json_t **ret, GError **error)
{
    struct stage_row *stages;
    size_t n;
    *ret = NULL;
    if (!catalog_stages(desk->catalog, run->id, desk->mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n && !*ret; i++)
        if (stages[i].state == STAGE_WAITING && !stage_json(desk, run, &stages[i], ret, error))
            return false;
    return true;
}

bool serve_gate(struct request *request, struct desk *desk, GError **error)
{
    struct run_row run;
    json_t *gate;
    if (!request_run(request, desk, &run, error) || !gate_json(desk, &run, &gate, error))
        return false;
    json_t *answer = json_pack("{s:s, s:s, s:n}", "type", "gate", "run", run.name, "stage");
    if (gate)
        json_object_update(answer, gate);
    json_decref(gate);
    answer_json(&request->answer, answer);
    return true;
}

bool desk_status(struct desk *desk, const struct run_row *run, json_t **ret, GError **error)
{
    const struct look_from from = {
        .world = desk->server->config.world, .home = desk->server->config.home, .catalog = desk->catalog};
    json_t *gate;
    if (!gate_json(desk, run, &gate, error))
        return false;
    if (!look_status_json(&from, run, desk->mem, ret, error)) {
        json_decref(gate);
        return false;
    }
    json_object_set_new(*ret, "waits_for", gate ? gate : json_null());
    json_object_set_new(*ret, "home", shape_text(catalog_home(desk->catalog)));
    return true;
}

bool serve_status(struct request *request, struct desk *desk, GError **error)
{
    struct run_row run;
    json_t *status;
    if (!request_run(request, desk, &run, error) || !desk_status(desk, &run, &status, error))
        return false;
    answer_json(&request->answer, status);
    return true;
}
