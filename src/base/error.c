#include "base/error.h"

#include <errno.h>

/* clang-format off */
static const struct error_row rows[] = {
#define ROW(code, name, class, exit_status, words) {name, class, exit_status, words},
#include "base/error_rows.h"
#undef ROW
};
/* clang-format on */

/* What a failed system call means to the one who asked for it; whatever is not here counts as STORE. */
static const struct {
    int number;
    enum error_code code;
} errno_rows[] = {
    {ENOSPC, SLUICE_ERROR_NO_SPACE},
    {EDQUOT, SLUICE_ERROR_NO_SPACE},
    {EFBIG, SLUICE_ERROR_NO_SPACE},
    {EACCES, SLUICE_ERROR_NOT_PERMITTED},
    {EPERM, SLUICE_ERROR_NOT_PERMITTED},
    {EROFS, SLUICE_ERROR_NOT_PERMITTED},
    {ENOENT, SLUICE_ERROR_NOT_FOUND},
    {ENOTDIR, SLUICE_ERROR_NOT_FOUND},
    {EEXIST, SLUICE_ERROR_REFUSED},
    {EISDIR, SLUICE_ERROR_REFUSED},
    {ELOOP, SLUICE_ERROR_REFUSED},
    {ENAMETOOLONG, SLUICE_ERROR_REFUSED},
    {EWOULDBLOCK, SLUICE_ERROR_LOCKED},
    {EBUSY, SLUICE_ERROR_BUSY},
    {ETXTBSY, SLUICE_ERROR_BUSY},
    {ETIMEDOUT, SLUICE_ERROR_TIMED_OUT},
    {ECONNREFUSED, SLUICE_ERROR_UNREACHABLE},
    {ECONNRESET, SLUICE_ERROR_UNREACHABLE},
    {EHOSTUNREACH, SLUICE_ERROR_UNREACHABLE},
    {ENETUNREACH, SLUICE_ERROR_UNREACHABLE},
};

GQuark error_domain(void)
{
    return g_quark_from_static_string("sluice-error");
}

static const struct exit_row exit_rows[] = {
#define ROW(status, words) {status, words},
#include "base/exit_rows.h"
#undef ROW
};

const struct exit_row *exit_row_at(size_t i)
{
    return i < G_N_ELEMENTS(exit_rows) ? &exit_rows[i] : NULL;
}

const struct error_row *error_row(enum error_code code)
{
    g_assert((size_t)code < SLUICE_ERROR_COUNT);
    return &rows[code];
}

static const struct error_row *row_of(const GError *error)
{
    bool ours = error->domain == SLUICE_ERROR && error->code >= 0 && error->code < SLUICE_ERROR_COUNT;
    return &rows[ours ? error->code : SLUICE_ERROR_INTERNAL];
}

enum error_class error_class(const GError *error)
{
    return row_of(error)->class;
}

int error_exit_status(const GError *error)
{
    return row_of(error)->exit_status;
}

bool error_is(const GError *error, enum error_code code)
{
    return g_error_matches(error, SLUICE_ERROR, (int)code);
}

bool error_forgive(GError *failed, enum error_code code, GError **error)
{
    if (!error_is(failed, code)) {
        g_propagate_error(error, failed);
        return false;
    }
    g_error_free(failed);
    return true;
}

bool error_set(GError **error, enum error_code code, const char *format, ...)
{
    if (!error)
        return false;
    va_list args;
    va_start(args, format);
    GError *made = g_error_new_valist(SLUICE_ERROR, (int)code, format, args);
    va_end(args);
    g_propagate_error(error, made);
    return false;
}

static enum error_code code_of_errno(int number)
{
    for (size_t i = 0; i < G_N_ELEMENTS(errno_rows); i++)
        if (errno_rows[i].number == number)
            return errno_rows[i].code;
    return SLUICE_ERROR_STORE;
}

bool error_set_errno(GError **error, int saved_errno, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    return error_set(error, code_of_errno(saved_errno), "%s: %s", what, g_strerror(saved_errno));
}

bool error_add(GError **error, const char *format, ...)
{
    if (!error || !*error)
        return false;
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_prefix_error(error, "%s: ", what);
    return false;
}

void error_keep_first(GError **error, GError *later)
{
    if (!later)
        return;
    if (error && !*error)
        *error = later;
    else
        g_error_free(later);
}
