/* The first differences of a verification's report, so that whoever reads the verdict sees at once what is wrong. */
#include "base/file.h"
#include "cli/cli.h"

#define SHOWN       3u
#define FIELDS      3u
#define FIRST_BYTES (256u << 10)

/* `address.zip` in a document; NULL: not there. Names that hold a dot are found as they are. */
static const json_t *value_at(const json_t *document, const char *path)
{
    const json_t *whole = json_object_get(document, path);
    g_auto(GStrv) names = g_strsplit(path, ".", -1);
    for (size_t i = 0; !whole && names[i] && document; i++)
        document = json_object_get(document, names[i]);
    return whole ? whole : document;
}

static char *value_text(const json_t *value)
{
    char *json = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    char *text = g_strdup(json ? json : "nothing");
    free(json);
    return text;
}

static void put_field(FILE *out, const json_t *line, const char *path)
{
    g_autofree char *wanted = value_text(value_at(json_object_get(line, "wanted"), path));
    g_autofree char *live = value_text(value_at(json_object_get(line, "live"), path));
    fprintf(out, "      %s: wanted %s, the target holds %s\n", path, wanted, live);
}

static void put_difference(FILE *out, const json_t *line)
{
    const json_t *fields = json_object_get(line, "fields"), *why = json_object_get(line, "why");
    g_autofree char *key = value_text(json_object_get(line, "key"));
    const char *kind = json_string_value(json_object_get(line, "kind"));
    fprintf(out, "    %s: %s%s%s\n", key, kind ? kind : "", json_is_string(why) ? ": " : "",
            json_is_string(why) ? json_string_value(why) : "");
    for (size_t i = 0; i < MIN(json_array_size(fields), FIELDS); i++)
        put_field(out, line, json_string_value(json_array_get(fields, i)));
}

/* The beginning of the report; empty where it cannot be read: the verdict names it. */
static char *beginning_of(const struct cli *cli, const char *path)
{
    auto_(file) file = NULL;
    size_t len = 0;
    char *text = g_malloc0(FIRST_BYTES + 1);
    if (file_exists(cli->world, path) && file_open(&file, cli->world, path, FILE_READ, NULL) &&
        !file_read_at(file, 0, text, FIRST_BYTES, &len, NULL))
        text[0] = '\0';
    return text;
}

void print_differences(struct cli *cli, FILE *out, const char *path)
{
    g_autofree char *text = beginning_of(cli, path);
    g_auto(GStrv) lines = g_strsplit(text, "\n", SHOWN + 1);
    for (size_t i = 0; i < SHOWN && lines[i] && lines[i][0]; i++) {
        json_t *line = json_loads(lines[i], JSON_DECODE_ANY, NULL);
        if (i == 0 && line)
            fprintf(out, "  the first of them:\n");
        if (line)
            put_difference(out, line);
        json_decref(line);
    }
}
