/* One try to deliver: a program, a mail, or a signed POST. */
#include <jansson.h>

#include "base/http.h"
#include "base/process.h"
#include "base/units.h"
#include "run/hooks.h"

#define KEEP_BYTES 1024u

char *hooks_name(const struct spec_hook *hook)
{
    if (hook->url)
        return g_strdup(hook->url); /* its secrets are not replaced */
    if (hook->mail)
        return g_strconcat("mail to ", hook->mail, NULL);
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

static bool run_call(const struct hook_try *try, const char *const *argv, struct slice input, char **ret_said,
                     GError **error)
{
    g_auto(GStrv) envp = child_environment(try);
    struct process_call call = {.argv = argv,
                                .envp = (const char *const *)envp,
                                .dir = try->base_dir,
                                .input = input,
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

static bool run_program(const struct hook_try *try, char **ret_said, GError **error)
{
    const char *shell[] = {"/bin/sh", "-c", try->hook->shell, NULL};
    const char *const *argv = try->hook->shell ? shell : (const char *const *)try->hook->argv;
    return run_call(try, argv, try->delivery->document, ret_said, error);
}

/* --- mail --------------------------------------------------------------------------------------------------------- */

char *hooks_sendmail(void)
{
    char *found = g_find_program_in_path("sendmail");
    return found ? found : g_strdup("/usr/sbin/sendmail");
}

/* A line of the body; what it says may hold anything but the end of it. */
static void put_line(GString *mail, const char *name, const json_t *document, const char *key)
{
    const char *text = json_string_value(json_object_get(document, key));
    if (!text)
        return;
    g_autofree char *line = g_strdelimit(g_strdup(text), "\r\n", ' ');
    g_string_append_printf(mail, "%-8s %s\n", name, line);
}

/* RFC 5322. The keys of a run begin with the same digits, so that all its mails are one thread; a mail that is sent a
 * second time has the same id, and receivers drop it. Addresses, event and run are of characters that fit. */
static void put_head(GString *mail, const struct hook_try *try)
{
    const struct delivery *delivery = try->delivery;
    g_auto(GStrv) words = g_strsplit(delivery->key, "/", 2);
    g_autofree char *id = g_strdelimit(g_strdup(delivery->key), "/", '.');
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_utc(delivery->at_ms / 1000);
    g_autofree char *date = at ? g_date_time_format(at, "%d %b %Y %H:%M:%S +0000") : NULL;
    g_string_append_printf(mail, "To: %s\nSubject: [sluice] %s: %s\n", try->hook->mail, try->run, delivery->event);
    g_string_append_printf(mail,
                           "Date: %s\nMessage-ID: <%s@sluice>\nIn-Reply-To: <%s@sluice>\nReferences: <%s@sluice>\n",
                           date, id, words[0], words[0]);
    g_string_append(mail, "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
                          "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n");
}

static GString *mail_of(const struct hook_try *try)
{
    char at[UNITS_TEXT];
    const struct delivery *delivery = try->delivery;
    GString *mail = g_string_new(NULL);
    json_t *document = json_loadb((const char *)delivery->document.data, delivery->document.len, 0, NULL);
    put_head(mail, try);
    g_string_append_printf(mail, "%-8s %s\n%-8s %s\n", "run", try->run, "event", delivery->event);
    put_line(mail, "stage", document, "stage");
    put_line(mail, "why", json_object_get(document, "details"), "state_reason");
    put_line(mail, "reason", document, "reason");
    put_line(mail, "by", document, "actor");
    g_string_append_printf(mail, "%-8s %s\n\nsluice status %s\nsluice hooks %s\n", "at",
                           units_time(delivery->at_ms, at), try->run, try->run);
    json_decref(document);
    return mail;
}

static bool run_mail(const struct hook_try *try, char **ret_said, GError **error)
{
    g_autofree char *program = hooks_sendmail();
    const char *argv[] = {program, "-t", "-oi", NULL};
    g_autoptr(GString) mail = mail_of(try);
    return run_call(try, argv, slice_of(mail->str, mail->len), ret_said, error);
}

/* --- HTTP --------------------------------------------------------------------------------------------------------- */

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
    return answer.status / 100 == 2 || error_set(error, SLUICE_ERROR_UNREACHABLE, "it answered %ld", answer.status);
}

bool hooks_perform(const struct hook_try *try, char **ret_said, GError **error)
{
    *ret_said = NULL;
    if (try->hook->mail)
        return run_mail(try, ret_said, error);
    return try->hook->url ? post(try, ret_said, error) : run_program(try, ret_said, error);
}
