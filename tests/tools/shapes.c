/* The readers of spec and contract in the hand of a test.
 *
 *     shapes < LINES
 *
 * A line is {"kind": "spec" | "contract", "text": YAML}; a line of JSON comes back for each: null where it is read,
 * else the message. Of what a file names nothing is opened. */
#include <jansson.h>
#include <stdio.h>

#include "contract/contract.h"
#include "spec/spec.h"

static bool is_read(const char *kind, struct slice text, GError **error)
{
    auto_(spec) spec = NULL;
    auto_(contract) contract = NULL;
    if (strcmp(kind, "spec") == 0)
        return spec_parse(&spec, "x.yaml", text, error);
    return contract_parse(&contract, world_real(), "x.yaml", text, error);
}

static bool answer(const char *line)
{
    const char *kind, *text;
    g_autoptr(GError) error = NULL;
    json_t *asked = json_loads(line, 0, NULL);
    bool sound = asked && json_unpack(asked, "{s:s, s:s}", "kind", &kind, "text", &text) == 0;
    if (sound) {
        json_t *said = is_read(kind, slice_of_text(text), &error) ? json_null() : json_string(error->message);
        json_dumpf(said, stdout, JSON_ENCODE_ANY);
        putchar('\n');
        json_decref(said);
    }
    json_decref(asked);
    return sound;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    bool sound = true;
    while (sound && getline(&line, &room, stdin) > 0)
        sound = answer(line);
    free(line);
    return sound ? 0 : 2;
}
