/* One try to deliver: a program, or a signed POST. */
#include "base/http.h"
#include "base/process.h"
#include "run/hooks.h"

#define KEEP_BYTES 1024u

char *hooks_name(const struct spec_hook *hook)
{
    if (hook->url)
        return g_strdup(hook->url); /* its secrets are not replaced */
    return hook->shell ? g_strdup(hook->shell) : g_strjoinv(" ", (char **)hook->argv);
}

static char **child_environment(const struct hook_try *try)
{
    char number[24];
    char **envp = process_environment();
    g_snprintf(number, sizeof number, "%u", try->delivery->tries + 1);
    envp = g_environ_setenv(envp, "SLUICE_RUN", try->run, TRUE);
    envp = g_environ_setenv(envp, "SLUICE_EVENT", try->delivery->event, TRUE);
    envp = g_environ_setenv(envp, "SLUICE_KEY", try->delivery->key, TRUE);
    return g_environ_setenv(envp, "SLUICE_TRY", number, TRUE);
}

/* What it printed, fit for a ledger. */
static char *tail_of(const char *text)
{
    char *valid = g_utf8_make_valid(text ? text : "", -1);
    return g_strstrip(valid);
}

static bool run_program(const struct hook_try *try, char **ret_said, GError **error)
{
    const char *shell[] = {"/bin/sh", "-c", try->hook->shell, NULL};
    g_auto(GStrv) envp = child_environment(try);
    struct process_call call = {.argv = try->hook->shell ? shell : (const char *const *)try->hook->argv,
                                .envp = (const char *const *)envp,
                                .dir = try->base_dir,
                                .input = try->delivery->document,
                                .timeout_us = try->hook->timeout_ms * 1000,
                                .cancel = try->cancel,
                                .keep_bytes = KEEP_BYTES};
    struct process_end end;
    bool ended = process_run(try->world, &call, &end, error);
    g_autofree char *printed = end.output;
    *ret_said = tail_of(printed);
    if (!ended)
        return false;
    return end.status == 0 || error_set(error, SLUICE_ERROR_UNREACHABLE, "it ended with %d", end.status);
}

/* The secrets are asked for at each try: they may have been changed. */
static bool signed_headers(const struct hook_try *try, char **ret, GError **error)
{
    g_autofree char *secret = NULL;
    g_autofree char *timestamp = g_strdup_printf("%" G_GINT64_FORMAT, world_wall_ms(try->world) / 1000);
    if (!spec_secret_expand(try->world, try->base_dir, try->hook->secret, &secret, error))
        return false;
    if (!*secret)
        return error_set(error, SLUICE_ERROR_SPEC, "%s: it is empty", try->hook->secret);
    g_autofree char *signature = http_sign(slice_of_text(secret), timestamp, try->delivery->document);
    ret[0] = g_strconcat("Sluice-Event: ", try->delivery->event, NULL);
    ret[1] = g_strconcat("Idempotency-Key: ", try->delivery->key, NULL);
    ret[2] = g_strconcat("Sluice-Timestamp: ", timestamp, NULL);
    ret[3] = g_strconcat("Sluice-Signature: v1=", signature, NULL);
    return true;
}

#define HEADERS 5

static bool post(const struct hook_try *try, char **ret_said, GError **error)
{
    g_autofree char *url = NULL;
    g_auto(GStrv) headers = g_new0(char *, HEADERS);
    struct http_answer answer;
    if (!spec_secret_expand(try->world, try->base_dir, try->hook->url, &url, error) ||
        !signed_headers(try, headers, error))
        return false;
    if (!http_url_is(url))
        return error_set(error, SLUICE_ERROR_SPEC, "%s: not an http or https address with a host", try->hook->url);
    struct http_call call = {.url = url,
                             .headers = (const char *const *)headers,
                             .body = try->delivery->document,
                             .ca = try->hook->ca,
                             .timeout_us = try->hook->timeout_ms * 1000,
                             .cancel = try->cancel,
                             .keep_bytes = KEEP_BYTES};
    if (!http_post(&call, &answer, error))
        return false;
    g_autofree char *text = answer.text;
    *ret_said = tail_of(text);
    return (answer.status >= 200 && answer.status < 300) ||
           error_set(error, SLUICE_ERROR_UNREACHABLE, "it answered %ld", answer.status);
}

bool hooks_perform(const struct hook_try *try, char **ret_said, GError **error)
{
    *ret_said = NULL;
    return try->hook->url ? post(try, ret_said, error) : run_program(try, ret_said, error);
}
