/* Commands in processes of their own: they outlive the server, and act as who asked. */
#include <string.h>

#include "base/hex.h"
#include "base/process.h"
#include "run/detach.h"
#include "serve/acts.h"
#include "view/shape.h"

#define WAIT_US (INT64_C(5) * 1000 * 1000)

static bool add_errand(const struct act_call *call, char ***io_env, GError **error)
{
    auto_(catalog) catalog = NULL;
    uint8_t id[ERRAND_BYTES];
    char text[HEX_TEXT(ERRAND_BYTES)];
    struct errand errand = {.command = call->words->pdata[0],
                            .run = call->run.name,
                            .actor = call->actor,
                            .user = call->config.person->user,
                            .groups = call->request->who.groups};
    if (!call->own)
        return true; /* as the server's own user: that is who it is anyway */
    if (!catalog_open(&catalog, call->config.world, call->config.home, CATALOG_EXISTING, error) ||
        !catalog_errand_add(catalog, &errand, id, error))
        return false;
    *io_env = g_environ_setenv(*io_env, SERVE_ERRAND, hex_text(id, sizeof id, text), TRUE);
    return true;
}

static bool add_words(const struct act_call *call, GPtrArray *argv, GError **error)
{
    g_autofree char *home = g_canonicalize_filename(call->config.home, NULL);
    char *self = process_self(error);
    if (!self)
        return false;
    g_ptr_array_add(argv, self);
    g_ptr_array_add(argv, g_strconcat("--home=", home, NULL));
    for (guint i = 0; i < call->words->len; i++)
        g_ptr_array_add(argv, g_strdup(call->words->pdata[i]));
    g_ptr_array_add(argv, NULL);
    return true;
}

/* The last line that it has told. */
static char *last_words(const char *said)
{
    g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
    const char *last = "";
    for (size_t i = 0; lines[i]; i++)
        last = *lines[i] ? lines[i] : last;
    return g_strdup(g_str_has_prefix(last, "sluice: ") ? last + strlen("sluice: ") : last);
}

/* What has gone some way, as far as it got, is answered with 200; what was refused is an error. */
static void answer_end(struct act_call *call, const struct detached *detached, int exit_status)
{
    static const char *const NAMES[] = {
        [1] = "internal", [2] = "usage", [6] = "catalog", [7] = "refused", [9] = "not-found"};
    g_autofree char *said = detach_said(call->config.world, detached);
    g_autofree char *words = last_words(said);
    const char *name = exit_status >= 0 && exit_status < (int)G_N_ELEMENTS(NAMES) ? NAMES[exit_status] : NULL;
    bool fault = name || exit_status > 9;
    answer_json_status(&call->request->answer, fault ? answer_status_of_exit(exit_status) : 200,
                       json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "type", fault ? "error" : "ended",
                                 fault ? "error" : "run", fault ? (name ? name : "internal") : detached->run, "action",
                                 call->verb, "exit", exit_status, "message", shape_text(words), "command",
                                 act_command(call)));
}

static bool await(struct act_call *call, const struct detach_wish *wish, const struct detached *detached,
                  GError **error)
{
    bool ended;
    int status = 0;
    if (!detach_await(wish, detached, WAIT_US, &ended, &status, error)) {
        children_add(call->request->server->children, detached->pid);
        return false;
    }
    if (ended) {
        answer_end(call, detached, status);
        return true;
    }
    children_add(call->request->server->children, detached->pid);
    answer_json(&call->request->answer,
                json_pack("{s:s, s:s, s:I, s:s, s:o}", "type", "detached", "run", detached->run, "pid",
                          (json_int_t)detached->pid, "log", detached->log, "command", act_command(call)));
    return true;
}

bool errand_send(struct act_call *call, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) env = g_strdupv(call->request->server->config.environment);
    struct detached detached;
    if (!add_words(call, argv, error) || !add_errand(call, &env, error))
        return false;
    struct detach_wish wish = {.world = call->config.world,
                               .home = call->config.home,
                               .run = call->run.name,
                               .argv = (char *const *)argv->pdata,
                               .envp = env};
    if (!detach_start(&wish, &detached, error))
        return false;
    bool answered = await(call, &wish, &detached, error);
    detached_done(&detached);
    return answered;
}
