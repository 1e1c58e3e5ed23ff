/* doctor: the preflight. */
#include "cli/cli.h"
#include "doctor/doctor.h"

static void finding_text(struct cli *cli, const struct doctor_finding *finding)
{
    g_auto(GStrv) lines = g_strsplit(finding->text, "\n", -1);
    for (size_t i = 0; lines[i]; i++)
        fprintf(cli->out, "%-5s %-10s %s\n", i ? "" : doctor_level_word(finding->level), i ? "" : finding->check,
                lines[i]);
    if (finding->todo)
        fprintf(cli->out, "%-5s %-10s -> %s\n", "", "", finding->todo);
}

static json_t *finding_json(const struct doctor_finding *finding)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:i}", "check", finding->check, "about", finding->words, "level",
                     doctor_level_word(finding->level), "text", shape_text(finding->text), "todo",
                     shape_text(finding->todo), "exit", finding->exit_status);
}

int command_doctor(struct cli *cli, GError **error)
{
    struct doctor_config config = {.world = cli->world,
                                   .registry = cli->registry,
                                   .home = cli->home,
                                   .spec_path = cli->args[0],
                                   .params = (const char *const *)cli->params->pdata,
                                   .signals = cli->signals};
    g_autoptr(GArray) findings = doctor_examine(&config);
    json_t *checks = json_array();
    for (guint i = 0; i < findings->len; i++) {
        const struct doctor_finding *finding = &g_array_index(findings, struct doctor_finding, i);
        json_array_append_new(checks, finding_json(finding));
        if (!cli_has(cli, OPTION_JSON) && (!cli_has(cli, OPTION_QUIET) || finding->level != DOCTOR_OK))
            finding_text(cli, finding);
    }
    int status = doctor_exit_status(findings);
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:i, s:O}", "type", "doctor", "spec", cli->args[0], "exit", status,
                                  "checks", checks));
    json_decref(checks);
    return status;
}
