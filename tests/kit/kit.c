#include "kit/kit.h"

#include <ftw.h>
#include <stdio.h>

void kit_ok_at(bool ok, GError **error, const struct kit_place *place)
{
    if (ok && !*error)
        return;
    print_error("%s: %s\n", place->call, *error ? (*error)->message : "failed without an error");
    g_clear_error(error);
    _fail(place->file, place->line);
}

void kit_refused_at(bool ok, GError **error, enum error_code code, const char *part, const struct kit_place *place)
{
    if (!ok && error_is(*error, code) && strstr((*error)->message, part)) {
        g_clear_error(error);
        return;
    }
    if (ok)
        print_error("%s: succeeded\n", place->call);
    else if (!*error)
        print_error("%s: failed without an error\n", place->call);
    else
        print_error("%s: failed with code %d, '%s'\n", place->call, (*error)->code, (*error)->message);
    print_error("expected: %s, '…%s…'\n", error_row(code)->name, part);
    g_clear_error(error);
    _fail(place->file, place->line);
}

void kit_reason(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *reason = g_strdup_vprintf(format, args);
    va_end(args);
    print_message("# reason: %s\n", reason);
}

void kit_damage(const char *path)
{
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    bytes[len / 2] ^= 0x10;
    assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

void kit_equal_text_at(struct slice bytes, const char *text, const char *file, int line)
{
    if (slice_equal(bytes, slice_of_text(text)))
        return;
    print_error("'%.*s' is not '%s'\n", (int)bytes.len, (const char *)bytes.data, text);
    _fail(file, line);
}

int kit_dir_setup(void **state)
{
    GError *error = NULL;
    *state = g_dir_make_tmp("sluice-test-XXXXXX", &error);
    if (!*state)
        print_error("%s\n", error->message);
    g_clear_error(&error);
    return *state ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *found, int kind, struct FTW *place)
{
    return remove(path);
}

void kit_dir_remove(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fail_msg("%s cannot be removed", path);
}

int kit_dir_teardown(void **state)
{
    int result = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    g_free(*state);
    return result;
}
