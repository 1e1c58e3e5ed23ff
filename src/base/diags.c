#include "base/diags.h"

#include <inttypes.h>
#include <string.h>

struct diags {
    GArray *rows; /* of struct diag, in the order added */
    GStringChunk *texts;
};

struct diags *diags_new(void)
{
    struct diags *diags = g_new0(struct diags, 1);
    diags->rows = g_array_new(FALSE, FALSE, sizeof(struct diag));
    diags->texts = g_string_chunk_new(1024);
    return diags;
}

void diags_free(struct diags *diags)
{
    if (!diags)
        return;
    g_array_free(diags->rows, TRUE);
    g_string_chunk_free(diags->texts);
    g_free(diags);
}

void diags_add(struct diags *diags, const char *file, uint32_t line, uint32_t column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    struct diag row = {
        .file = g_string_chunk_insert_const(diags->texts, file),
        .line = line,
        .column = column,
        .text = g_string_chunk_insert(diags->texts, text),
    };
    g_array_append_val(diags->rows, row);
}

size_t diags_count(const struct diags *diags)
{
    return diags->rows->len;
}

const struct diag *diags_at(const struct diags *diags, size_t i)
{
    g_assert(i < diags->rows->len);
    return &((const struct diag *)(const void *)diags->rows->data)[i];
}

static int by_place(const void *left, const void *right)
{
    const struct diag *a = left, *b = right;
    int order = strcmp(a->file, b->file);
    if (order == 0)
        order = (a->line > b->line) - (a->line < b->line);
    if (order == 0)
        order = (a->column > b->column) - (a->column < b->column);
    return order;
}

static void append_line(GString *text, const struct diag *row)
{
    if (text->len)
        g_string_append_c(text, '\n');
    g_string_append(text, row->file);
    if (row->line)
        g_string_append_printf(text, ":%" PRIu32, row->line);
    if (row->line && row->column)
        g_string_append_printf(text, ":%" PRIu32, row->column);
    g_string_append_printf(text, ": %s", row->text);
}

char *diags_text(const struct diags *diags)
{
    g_autoptr(GArray) sorted = g_array_copy(diags->rows);
    g_array_sort(sorted, by_place); /* stable: rows of one place stay in the order added */
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < sorted->len; i++)
        append_line(text, &g_array_index(sorted, struct diag, i));
    return g_string_free(text, FALSE);
}

bool diags_settle(const struct diags *diags, enum error_code code, GError **error)
{
    if (diags_count(diags) == 0)
        return true;
    g_autofree char *text = diags_text(diags);
    return error_set(error, code, "%s", text);
}
