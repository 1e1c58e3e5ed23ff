/* --log-format json: what is told beside the results, an object a line on standard error. */
#include "cli/cli.h"

bool log_is_json(const struct cli *cli)
{
    return g_strcmp0(cli->values[OPTION_LOG_FORMAT], "json") == 0;
}

void log_json(struct cli *cli, const char *level, const char *message, json_t *fields)
{
    json_t *line = json_pack("{s:o, s:s, s:o}", "time", shape_time(world_wall_ms(cli->world)), "level", level,
                             "message", shape_text(message));
    if (fields)
        json_object_update(line, fields);
    json_decref(fields);
    char *text = json_dumps(line, JSON_COMPACT);
    fprintf(cli->err, "%s\n", text); /* at once: the stream has a lock, and threads tell too */
    fflush(cli->err);
    free(text);
    json_decref(line);
}

void log_error(struct cli *cli, const char *run, const char *message)
{
    if (log_is_json(cli))
        log_json(cli, "error", message, json_pack("{s:o}", "run", shape_text(run)));
    else if (run && !g_str_has_prefix(message, run))
        fprintf(cli->err, "sluice: %s: %s\n", run, message);
    else
        fprintf(cli->err, "sluice: %s\n", message);
}
