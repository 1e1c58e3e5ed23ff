/* The check of hooks: that what they call is there. Nothing is called but `${command:…}` of a secret, as a run does. */
#include "base/http.h"
#include "doctor/look.h"
#include "run/hooks.h"

static bool is_there(const struct spec *spec, const char *program, GError **error)
{
    g_autofree char *path = g_path_is_absolute(program) ? g_strdup(program)
                            : strchr(program, '/')      ? g_build_filename(spec->dir, program, NULL)
                                                        : g_find_program_in_path(program);
    if (!path || !g_file_test(path, G_FILE_TEST_EXISTS))
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: there is no such program", program);
    return g_file_test(path, G_FILE_TEST_IS_EXECUTABLE) ||
           error_set(error, SLUICE_ERROR_NOT_PERMITTED, "%s: it may not be run by this user", program);
}

/* Of a text for the shell its first word, where that is nothing that only a shell knows. */
static bool program_is_there(const struct spec *spec, const struct spec_hook *hook, GError **error)
{
    if (hook->argv)
        return is_there(spec, hook->argv[0], error);
    g_autofree char *word = g_strndup(hook->shell, strcspn(hook->shell, " \t\n"));
    bool plain = *word && !strpbrk(word, "$`\"'=;|&<>(){}~*?[]#!\\");
    return !plain || !strchr(word, '/') || is_there(spec, word, error);
}

static bool mail_is_there(GError **error)
{
    g_autofree char *program = hooks_sendmail();
    return g_file_test(program, G_FILE_TEST_IS_EXECUTABLE) ||
           error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: there is no such program: this machine sends no mail",
                     program);
}

static bool secrets_are_had(const struct look *look, const struct spec_hook *hook, GError **error)
{
    const struct world *world = look->config->world;
    g_autofree char *secret = NULL;
    g_autofree char *url = NULL;
    if (!spec_secret_expand(world, look->spec->dir, hook->secret, &secret, error) ||
        !spec_secret_expand(world, look->spec->dir, hook->url, &url, error))
        return false;
    if (!*secret)
        return error_set(error, SLUICE_ERROR_SPEC, "%s: the secret is empty", hook->secret);
    return http_url_is(url) ||
           error_set(error, SLUICE_ERROR_SPEC, "%s: not an http or https address with a host", hook->url);
}

static bool can_be_called(const struct look *look, const struct spec_hook *hook, GError **error)
{
    if (hook->mail)
        return mail_is_there(error);
    return hook->url ? secrets_are_had(look, hook, error) : program_is_there(look->spec, hook, error);
}

void look_hooks(struct look *look)
{
    size_t bad = 0;
    if (!look->spec) {
        look_skip(look, "spec");
        return;
    }
    for (size_t i = 0; i < look->spec->n_hooks; i++) {
        const struct spec_hook *hook = &look->spec->hooks[i];
        GError *error = NULL;
        if (can_be_called(look, hook, &error))
            continue;
        if (bad++)
            look_again(look);
        error_add(&error, "hook %zu", i + 1);
        look_fail(look,
                  "mend it before the run: a hook that fails is tried again, and one that must be heard pauses the run",
                  error);
    }
    if (!bad && look->spec->n_hooks)
        look_ok(look, "%zu hook%s can be called", look->spec->n_hooks, look->spec->n_hooks == 1 ? "" : "s");
    else if (!bad)
        look_ok(look, "none");
}
