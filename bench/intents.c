/* The blocks of intents in the undo log of a run, a line each: what a dead process had begun to write.
 *
 *     intents DIR RUN_UID_IN_HEX
 *
 * prints `part lane first_number count`, in the order of the log. */
#include <stdio.h>
#include <string.h>

#include "record/document.h"
#include "undo/undo.h"

static int64_t number_of(const bson_t *line, const char *name)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, line, name) ? bson_iter_as_int64(&at) : 0;
}

static bool is_intents(const bson_t *line)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, line, "type") && strcmp(bson_iter_utf8(&at, NULL), "intents") == 0;
}

static bool take_line(void *self, const char *text, GError **error)
{
    struct arena *mem = self;
    struct slice document;
    bson_t line;
    arena_reset(mem);
    if (!g_str_has_prefix(text, "{\"type\":\"intents\""))
        return true;
    if (!document_from_json(slice_of_text(text), mem, &document, NULL, error))
        return false;
    if (document_view(document, &line) && is_intents(&line))
        printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", number_of(&line, "part"), number_of(&line, "lane"),
               number_of(&line, "first_number"), number_of(&line, "count"));
    return true;
}

static bool uid_of(const char *hex, uint8_t uid[16])
{
    if (strlen(hex) != 32)
        return false;
    for (size_t i = 0; i < 16; i++) {
        int high = g_ascii_xdigit_value(hex[2 * i]), low = g_ascii_xdigit_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        uid[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct undo_config config = {.world = world_real(), .dir = argc == 3 ? argv[1] : NULL};
    g_autoptr(GError) error = NULL;
    if (argc != 3 || !uid_of(argv[2], config.run_uid)) {
        fprintf(stderr, "usage: intents DIR RUN_UID_IN_HEX\n");
        return 2;
    }
    struct arena *mem = arena_new(1 << 20);
    struct document_lines lines = {.line = take_line, .self = mem};
    bool ok = undo_dump(&config, &lines, &error);
    arena_free(mem);
    if (!ok)
        fprintf(stderr, "intents: %s\n", error->message);
    return ok ? 0 : 1;
}
