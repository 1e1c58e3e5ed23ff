/* One try to tell a hook: a program, a mail, a POST, and what becomes of what cannot be told. */
#include <glib/gstdio.h>

#include "kit/fake_world.h"
#include "kit/kit.h"
#include "kit/peer.h"
#include "run/hooks.h"

static bool told(const struct spec_hook *hook, const char *document, char **ret_said, GError **error)
{
    struct delivery delivery = {
        .event = "run.paused", .key = "00ff/7", .at_ms = 1000, .document = slice_of_text(document)};
    struct hook_try try = {.world = world_real(), .hook = hook, .base_dir = "/", .run = "job.1", .delivery = &delivery};
    return hooks_perform(&try, ret_said, error);
}

/* --- mail --------------------------------------------------------------------------------------------------------- */

static const char SENDMAIL[] = "#!/bin/sh\necho \"$@\"\nexec /bin/cat\n";

static int with_sendmail(void **state)
{
    g_autofree char *program = NULL;
    GError *error = NULL;
    kit_dir_setup(state);
    program = g_build_filename(*state, "sendmail", NULL);
    kit_ok(g_file_set_contents(program, SENDMAIL, -1, &error));
    assert_int_equal(g_chmod(program, 0700), 0);
    return 0;
}

static void a_mail_says_what_the_document_does_a_line_each(void **state)
{
    static const struct {
        const char *document;
        const char *lines;
    } ROWS[] = {
        {"{}", "run      job.1\nevent    run.paused\nat       1970-01-01T00:00:01.000Z\n"},
        {"{\"stage\":\"canary\",\"details\":{\"state_reason\":\"a\\nb\"},\"reason\":\"c\\rd\",\"actor\":\"ann@desk\"}",
         "run      job.1\nevent    run.paused\nstage    canary\nwhy      a b\nreason   c d\nby       ann@desk\nat "},
    };
    struct spec_hook hook = {.mail = "ann@desk, bob@desk", .timeout_ms = 60000};
    g_autofree char *before = g_strdup(g_getenv("PATH")), *name = hooks_name(&hook);
    assert_string_equal(name, "mail to ann@desk, bob@desk");
    g_setenv("PATH", *state, TRUE);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        g_autofree char *said = NULL;
        kit_ok(told(&hook, ROWS[i].document, &said, &error));
        assert_non_null(strstr(said, ROWS[i].lines));
        assert_true(g_str_has_prefix(said, "-t -oi\nTo: ann@desk, bob@desk\nSubject: [sluice] job.1: run.paused\n"));
    }
    g_setenv("PATH", "/nowhere", TRUE);
    g_autofree char *program = hooks_sendmail();
    assert_string_equal(program, "/usr/sbin/sendmail");
    g_setenv("PATH", before, TRUE);
}

/* --- HTTP --------------------------------------------------------------------------------------------------------- */

static void answer(struct peer *peer, int fd)
{
    char byte, last[4] = "";
    while (memcmp(last, "\r\n\r\n", 4) != 0 && peer_read(fd, &byte, 1)) {
        memmove(last, last + 1, 3);
        last[3] = byte;
    }
    for (size_t i = 0; i < strlen("{}") && peer_read(fd, &byte, 1); i++)
        continue;
    g_autofree char *text =
        g_strdup_printf("HTTP/1.1 %s\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhm\n", (char *)peer_self(peer));
    peer_say_text(fd, text);
}

static void an_answer_of_the_two_hundreds_has_heard(void **state)
{
    static const struct {
        const char *answer, *failed;
    } ROWS[] = {{"200 OK", NULL},
                {"299 Fine", NULL},
                {"300 Choose", "it answered 300"},
                {"404 No", "it answered 404"},
                {"500 No", "it answered 500"}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        auto_(peer) peer = peer_start(answer, (void *)ROWS[i].answer);
        g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/", peer_port(peer)), *said = NULL;
        struct spec_hook hook = {.url = url, .secret = "${env:SLUICE_TRY_SECRET}", .timeout_ms = 60000};
        GError *error = NULL;
        g_setenv("SLUICE_TRY_SECRET", "s3cret", TRUE);
        bool heard = told(&hook, "{}", &said, &error);
        assert_string_equal(said, "hm");
        if (heard != !ROWS[i].failed || g_strcmp0(error ? error->message : NULL, ROWS[i].failed) != 0)
            fail_msg("row %zu: %s", i, error ? error->message : "it has heard");
        g_clear_error(&error);
    }
}

static void what_cannot_be_signed_or_addressed_is_not_sent(void **state)
{
    static const struct {
        const char *url, *secret, *failed;
    } ROWS[] = {
        {"http://127.0.0.1:1/", "", "${env:SLUICE_TRY_SECRET}: it is empty"},
        {"${env:SLUICE_TRY_URL}", "s3cret", "${env:SLUICE_TRY_URL}: not an http or https address with a host"},
    };
    g_setenv("SLUICE_TRY_URL", "ftp://desk/", TRUE);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct spec_hook hook = {.url = ROWS[i].url, .secret = "${env:SLUICE_TRY_SECRET}", .timeout_ms = 60000};
        GError *error = NULL;
        char *said = NULL;
        g_setenv("SLUICE_TRY_SECRET", ROWS[i].secret, TRUE);
        kit_refused(told(&hook, "{}", &said, &error), SPEC, ROWS[i].failed);
        assert_null(said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mail_says_what_the_document_does_a_line_each, with_sendmail,
                                        kit_dir_teardown),
        cmocka_unit_test(an_answer_of_the_two_hundreds_has_heard),
        cmocka_unit_test(what_cannot_be_signed_or_addressed_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
