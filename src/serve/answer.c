#include "serve/answer.h"

#include <string.h>

#include "view/shape.h"

#define JSON_TYPE "application/json"

void answer_done(struct answer *answer)
{
    g_clear_pointer(&answer->body, g_bytes_unref);
    g_clear_pointer(&answer->cookie, g_free);
}

static void put(struct answer *answer, unsigned status, const char *type, char *text)
{
    g_clear_pointer(&answer->body, g_bytes_unref);
    answer->status = status;
    answer->type = type;
    answer->body = g_bytes_new_with_free_func(text, strlen(text), free, text);
}

void answer_json_status(struct answer *answer, unsigned status, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    put(answer, text ? status : 500, JSON_TYPE, text ? text : strdup("{}"));
}

void answer_json(struct answer *answer, json_t *value)
{
    answer_json_status(answer, 200, value);
}

void answer_text(struct answer *answer, const char *text)
{
    put(answer, 200, "text/plain; charset=utf-8", strdup(text));
}

/* By the exit status of the command that would have said the same. */
unsigned answer_status_of_exit(int exit_status)
{
    static const unsigned STATUSES[] = {
        [0] = 200, [1] = 500, [2] = 400, [3] = 409, [4] = 409, [5] = 409, [6] = 503, [7] = 409, [8] = 422, [9] = 404};
    return exit_status >= 0 && exit_status < (int)G_N_ELEMENTS(STATUSES) ? STATUSES[exit_status] : 500;
}

unsigned answer_status_of(const GError *error)
{
    return error_is(error, SLUICE_ERROR_NOT_PERMITTED) ? 403 : answer_status_of_exit(error_exit_status(error));
}

void answer_error(struct answer *answer, GError *error)
{
    const char *name = error->domain == SLUICE_ERROR ? error_row((enum error_code)error->code)->name : "internal";
    unsigned status = answer_status_of(error);
    answer->retry_after_s = status == 503 ? 1 : 0;
    answer_json_status(answer, status,
                       json_pack("{s:s, s:s, s:i, s:o}", "type", "error", "error", name, "exit",
                                 error_exit_status(error), "message", shape_text(error->message)));
    g_error_free(error);
}

void answer_fault(struct answer *answer, const struct answer_fault *fault)
{
    answer->retry_after_s = fault->status == 503 ? 1 : 0;
    answer_json_status(answer, fault->status,
                       json_pack("{s:s, s:s, s:i, s:o}", "type", "error", "error", fault->name, "exit",
                                 fault->exit_status, "message", shape_text(fault->message)));
}
