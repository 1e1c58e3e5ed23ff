#include "doctor/doctor.h"

#include "doctor/look.h"

enum { EXIT_WRONG = 2, EXIT_UNREACHED = 6, EXIT_REFUSED = 7 };

#define LOOK_BYTES (64u << 20)

static const struct {
    const char *name, *words;
    void (*look)(struct look *look);
} CHECKS[] = {
#define CHECK(name, function, words) {#name, words, function},
#include "doctor/check_rows.h"
#undef CHECK
};

const char *doctor_level_word(enum doctor_level level)
{
    static const char *const WORDS[] = {
        [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail", [DOCTOR_SKIP] = "skip"};
    return WORDS[level];
}

int doctor_exit_status(const GArray *findings)
{
    for (guint i = 0; i < findings->len; i++) {
        const struct doctor_finding *finding = &g_array_index(findings, struct doctor_finding, i);
        if (finding->level == DOCTOR_FAIL)
            return finding->exit_status;
    }
    return 0;
}

/* --- how a check ends
 * ------------------------------------------------------------------------------------------------- */

static void settle(struct look *look, enum doctor_level level, char *text, const char *todo)
{
    look->finding->level = level;
    look->finding->text = text;
    look->finding->todo = g_strdup(todo);
}

void look_ok(struct look *look, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    settle(look, DOCTOR_OK, g_strdup_vprintf(format, args), NULL);
    va_end(args);
}

void look_warn(struct look *look, const char *todo, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    settle(look, DOCTOR_WARN, g_strdup_vprintf(format, args), todo);
    va_end(args);
}

/* What is not there could not be reached; everything else that stops a run refuses it. */
static int status_of(const GError *error)
{
    int status = error_exit_status(error);
    if (status == EXIT_WRONG || status == EXIT_UNREACHED)
        return status;
    return error_is(error, SLUICE_ERROR_NOT_FOUND) ? EXIT_UNREACHED : EXIT_REFUSED;
}

void look_fail(struct look *look, const char *todo, GError *error)
{
    look->finding->exit_status = status_of(error);
    settle(look, DOCTOR_FAIL, g_strdup(error->message), todo);
    g_error_free(error);
}

void look_again(struct look *look)
{
    struct doctor_finding next = {.check = look->finding->check, .words = look->finding->words};
    g_array_append_val(look->findings, *look->finding);
    *look->finding = next;
}

void look_skip(struct look *look, const char *need)
{
    settle(look, DOCTOR_SKIP, g_strdup_printf("not looked at: it needs the %s", need), NULL);
}

/* --- all of them
 * ------------------------------------------------------------------------------------------------------ */

static void look_done(struct look *look)
{
    store_release(look->config->registry, look->source);
    store_release(look->config->registry, look->target);
    if (look->plan)
        plan_free(look->plan);
    else
        spec_free(look->spec);
    arena_free(look->mem);
}

static void finding_clear(void *at)
{
    struct doctor_finding *finding = at;
    g_free(finding->text);
    g_free(finding->todo);
}

GArray *doctor_examine(const struct doctor_config *config)
{
    GArray *findings = g_array_new(FALSE, TRUE, sizeof(struct doctor_finding));
    struct look look = {.config = config, .mem = arena_new(LOOK_BYTES), .findings = findings};
    g_array_set_clear_func(findings, finding_clear);
    for (size_t i = 0; i < G_N_ELEMENTS(CHECKS); i++) {
        struct doctor_finding finding = {.check = CHECKS[i].name, .words = CHECKS[i].words};
        look.finding = &finding;
        CHECKS[i].look(&look);
        g_array_append_val(findings, finding);
    }
    look_done(&look);
    return findings;
}
