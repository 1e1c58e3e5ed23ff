/* The hooks of a spec: who is told of what. */
#include "base/http.h"
#include "spec/schema_forms.h"
#include "spec/spec_rows.h"

#define ANY "any"

static bool event_of(const char *word, uint32_t *io_events)
{
    for (int i = 0; i < SPEC_EVENT_COUNT; i++)
        if (strcmp(spec_event_word((enum spec_event)i), word) == 0) {
            *io_events |= UINT32_C(1) << i;
            return true;
        }
    return false;
}

static bool add_event(struct rows_reader *reader, const struct yaml_node *node, uint32_t *io_events)
{
    const char *words[SPEC_EVENT_COUNT + 1] = {ANY};
    if (node->kind == YAML_LIST || node->kind == YAML_MAP)
        return yaml_expected(reader->yaml, node, "an event such as stage.passed");
    if (node->kind == YAML_TEXT && strcmp(node->text, ANY) == 0) {
        *io_events = (UINT32_C(1) << SPEC_EVENT_COUNT) - 1;
        return true;
    }
    if (node->kind == YAML_TEXT && event_of(node->text, io_events))
        return true;
    for (int i = 0; i < SPEC_EVENT_COUNT; i++)
        words[i + 1] = spec_event_word((enum spec_event)i);
    return yaml_unknown(reader->yaml, node, "event", words, G_N_ELEMENTS(words));
}

static bool read_events(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    uint32_t *events = row_field(row, into);
    bool ok = true;
    *events = 0;
    if (node->kind != YAML_LIST)
        return add_event(reader, node, events);
    if (node->n == 0)
        return yaml_expected(reader->yaml, node, "an event such as stage.passed, or a list of events");
    for (size_t i = 0; i < node->n; i++)
        ok &= add_event(reader, node->items[i], events);
    return ok;
}

static bool read_command(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                         void *into)
{
    const char **shell = row_field(row, into);
    const char ***field = (const char ***)(void *)(shell + 1), **argv;
    if (node->kind != YAML_LIST)
        return form_words.read(reader, row, node, into);
    if (node->n == 0)
        return yaml_expected(reader->yaml, node, "a command, or a list of its words");
    *field = argv = arena_alloc0(reader->mem, (node->n + 1) * sizeof *argv);
    g_assert(argv);
    bool ok = true;
    for (size_t i = 0; i < node->n; i++) {
        const struct spec_row word = {.key = row->key, .kind = &form_words};
        ok &= form_words.read(reader, &word, node->items[i], &argv[i]);
    }
    return ok;
}

static bool checked(struct rows_reader *reader, const struct yaml_node *node, const char **ret)
{
    const char *why;
    if (!yaml_get_text(reader->yaml, node, ret))
        return false;
    return spec_secret_check(*ret, &why) || yaml_fail(reader->yaml, node, "%s", why);
}

static bool read_url(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    const char *text;
    if (!checked(reader, node, &text))
        return false;
    bool hidden = strncmp(text, "${", 2) == 0;
    if (!hidden && !g_str_has_prefix(text, "http://") && !g_str_has_prefix(text, "https://"))
        return yaml_expected(reader->yaml, node, "an address that begins with http:// or https://");
    return form_words.read(reader, row, node, into);
}

/* A spec is kept, copied and shown: a secret never stands in it. */
static bool read_secret(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    const char *text;
    if (!checked(reader, node, &text))
        return false;
    const char *end = strchr(text, '}');
    if (strncmp(text, "${", 2) != 0 || !end || end[1])
        return yaml_fail(reader->yaml, node,
                         "a secret never stands in a spec: write ${env:NAME}, ${file:PATH} or "
                         "${command:WORDS}");
    return form_words.read(reader, row, node, into);
}

/* What one hook's keys say together. */
static bool check_hook(struct rows_reader *reader, const struct yaml_node *node)
{
    const struct yaml_node *run = yaml_find(node, "run"), *url = yaml_find(node, "url");
    const struct yaml_node *secret = yaml_find(node, "secret"), *ca = yaml_find(node, "ca");
    if (run && url)
        return yaml_fail(reader->yaml, url, "a hook is a program (run) or an address (url), not both");
    if (!run && !url)
        return yaml_fail(reader->yaml, node, "a hook needs a program (run) or an address (url)");
    if (url && !secret)
        return yaml_fail(reader->yaml, url,
                         "a hook with a url needs a secret, by which its receiver knows that it comes from here");
    if (run && (secret || ca))
        return yaml_fail(reader->yaml, secret ? secret : ca, "'%s' is for a hook with a url", secret ? "secret" : "ca");
    return true;
}

static bool read_hooks(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    struct spec *spec = into;
    if (node->kind != YAML_LIST || node->n == 0)
        return yaml_expected(reader->yaml, node, "a list of hooks such as [{ on: stage.passed, run: ./notify.sh }]");
    if (node->n > SPEC_HOOKS_MOST)
        return yaml_fail(reader->yaml, node, "more than %u hooks", SPEC_HOOKS_MOST);
    spec->hooks = arena_alloc0(reader->mem, node->n * sizeof *spec->hooks);
    g_assert(spec->hooks);
    spec->n_hooks = node->n;
    bool ok = true;
    for (size_t i = 0; i < node->n; i++)
        ok &= rows_read_map(reader, "hooks[]", node->items[i], &spec->hooks[i]) && check_hook(reader, node->items[i]);
    return ok;
}

#define EVENT(symbol, word, words) ", \"" word "\""
static const char EVENTS_SCHEMA[] = "{\"anyOf\": [{\"enum\": [\"" ANY "\""
#include "spec/hook_rows.h"
                                    "]}, {\"type\": \"array\", \"minItems\": 1, \"items\": {\"enum\": [\"" ANY "\""
#include "spec/hook_rows.h"
                                    "]}}]}";
#undef EVENT

const struct row_form form_events = {.read = read_events, .schema = EVENTS_SCHEMA};
const struct row_form form_command = {
    .read = read_command,
    .schema = "{\"anyOf\": [" SCHEMA_TEXT ", {\"type\": \"array\", \"minItems\": 1, \"items\": " SCHEMA_TEXT "}]}",
};
const struct row_form form_url = {.read = read_url, .schema = SCHEMA_PATTERN("(https?://|[$][{]).*")};
const struct row_form form_secret = {.read = read_secret,
                                     .schema = SCHEMA_PATTERN("[$][{](env|file|command):[^}]+[}]")};
const struct row_form form_hooks = {.read = read_hooks};
