/* What lies between two runs, in words: from the document that --json prints. */
#include "base/units.h"
#include "cli/cli.h"

static const char *text_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "none";
}

static char *value_text(const json_t *value)
{
    if (json_is_string(value))
        return g_strdup(json_string_value(value));
    char *dumped = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    char *text = g_strdup(dumped && !json_is_null(value) ? dumped : "none");
    free(dumped);
    return text;
}

static void put_change(FILE *out, const char *name, const json_t *change)
{
    g_autofree char *a = value_text(json_object_get(change, "a")), *b = value_text(json_object_get(change, "b"));
    fprintf(out, "    %-26s %s -> %s\n", name, a, b);
}

static void put_texts(FILE *out, const json_t *texts)
{
    size_t i, k, n;
    json_t *text, *file, *line;
    json_array_foreach((json_t *)texts, i, text)
    {
        bool same = json_is_true(json_object_get(text, "same")), kept = json_is_array(json_object_get(text, "files"));
        fprintf(out, "  %-10s %s\n", text_in(text, "what"),
                same   ? "the same"
                : kept ? "differs"
                       : "differs; its text was not kept");
        json_array_foreach(json_object_get(text, "files"), k, file)
        {
            fprintf(out, "    %s -> %s\n", text_in(file, "a"), text_in(file, "b"));
            json_array_foreach(json_object_get(file, "lines"), n, line)
                fprintf(out, "    %s %4" JSON_INTEGER_FORMAT "  %s\n", text_in(line, "op"),
                        json_integer_value(json_object_get(line, "line")), text_in(line, "text"));
        }
    }
}

/* `name`: which member of a change names it. */
static void put_changes(FILE *out, const char *head, const json_t *changes, const char *name)
{
    size_t i;
    json_t *change;
    fprintf(out, "  %-10s %s\n", head, json_array_size(changes) ? "differs" : "the same");
    json_array_foreach((json_t *)changes, i, change) put_change(out, text_in(change, name), change);
}

static void put_stage(FILE *out, const char *run, const json_t *stage)
{
    if (json_is_null(stage))
        fprintf(out, "    %s: none\n", run);
    else
        fprintf(out,
                "    %s: %s %s, judged %" JSON_INTEGER_FORMAT " times, %" JSON_INTEGER_FORMAT
                " of %" JSON_INTEGER_FORMAT " partitions verified\n",
                run, text_in(stage, "name"), text_in(stage, "state"),
                json_integer_value(json_object_get(stage, "attempts")),
                json_integer_value(json_object_get(stage, "verified")),
                json_integer_value(json_object_get(stage, "partitions")));
}

static void put_stages(FILE *out, const json_t *diff, const char *const runs[2])
{
    size_t i;
    json_t *stage, *stages = json_object_get(diff, "stages");
    fprintf(out, "  %-10s %s\n", "stages", json_array_size(stages) ? "differ" : "the same");
    json_array_foreach(stages, i, stage)
    {
        put_stage(out, runs[0], json_object_get(stage, "a"));
        put_stage(out, runs[1], json_object_get(stage, "b"));
    }
}

static const char *count_in(const json_t *object, const char *name, char into[UNITS_TEXT])
{
    return units_count((uint64_t)json_integer_value(json_object_get(object, name)), into);
}

static void put_keys(FILE *out, const json_t *keys, const char *const runs[2])
{
    char both[UNITS_TEXT], other[UNITS_TEXT], only[2][UNITS_TEXT];
    size_t i;
    json_t *one;
    if (json_is_null(keys)) {
        fprintf(out, "  %-10s not compared: not both runs have a listing of theirs, in the same order\n", "keys");
        return;
    }
    fprintf(out, "  %-10s %s in both, %s of them ended otherwise; %s only in %s, %s only in %s\n", "keys",
            count_in(keys, "both", both), count_in(keys, "other_outcome", other), count_in(keys, "only_a", only[0]),
            runs[0], count_in(keys, "only_b", only[1]), runs[1]);
    json_array_foreach(json_object_get(keys, "moves"), i, one)
        fprintf(out, "    %s -> %s: %s\n", text_in(one, "a"), text_in(one, "b"), count_in(one, "keys", both));
    json_array_foreach(json_object_get(keys, "examples"), i, one)
    {
        g_autofree char *key = value_text(json_object_get(one, "key"));
        put_change(out, key, one);
    }
}

void print_diff(FILE *out, const json_t *diff)
{
    const json_t *a = json_object_get(diff, "a"), *b = json_object_get(diff, "b");
    const char *const runs[] = {text_in(a, "run"), text_in(b, "run")};
    fprintf(out, "%s (%s, %s) and %s (%s, %s)\n", runs[0], text_in(a, "state"), text_in(a, "started_at"), runs[1],
            text_in(b, "state"), text_in(b, "started_at"));
    put_texts(out, json_object_get(diff, "texts"));
    put_changes(out, "plan", json_object_get(diff, "plan"), "key");
    put_stages(out, diff, runs);
    put_changes(out, "records", json_object_get(diff, "records"), "outcome");
    put_keys(out, json_object_get(diff, "keys"), runs);
}
