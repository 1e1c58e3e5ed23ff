/* The hooks of a spec: who is told of what; and who is told next. */
#include "base/http.h"
#include "spec/schema_forms.h"
#include "spec/spec_rows.h"

#define ANY    "any"
#define PERSON "needs-person"

/* Words for sets of events. */
static const struct {
    const char *word;
    uint32_t events;
} SETS[] = {{ANY, (UINT32_C(1) << SPEC_EVENT_COUNT) - 1}, {PERSON, SPEC_EVENTS_PERSON}};

static bool event_of(const char *word, uint32_t *io_events)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SETS); i++)
        if (strcmp(SETS[i].word, word) == 0) {
            *io_events |= SETS[i].events;
            return true;
        }
    for (int i = 0; i < SPEC_EVENT_COUNT; i++)
        if (strcmp(spec_event_word((enum spec_event)i), word) == 0) {
            *io_events |= UINT32_C(1) << i;
            return true;
        }
    return false;
}

static bool add_event(struct rows_reader *reader, const struct yaml_node *node, uint32_t *io_events)
{
    const char *words[SPEC_EVENT_COUNT + G_N_ELEMENTS(SETS)];
    if (node->kind == YAML_LIST || node->kind == YAML_MAP)
        return yaml_expected(reader->yaml, node, "an event such as stage.passed");
    if (node->kind == YAML_TEXT && event_of(node->text, io_events))
        return true;
    for (int i = 0; i < SPEC_EVENT_COUNT; i++)
        words[i] = spec_event_word((enum spec_event)i);
    for (size_t i = 0; i < G_N_ELEMENTS(SETS); i++)
        words[SPEC_EVENT_COUNT + i] = SETS[i].word;
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

/* --- mail --------------------------------------------------------------------------------------------------------- */

/* One that stands in the head of a mail as it is: nothing in it ends a line, and no second address hides in it. */
static bool is_address(const char *text)
{
    static const char *const FIT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-";
    size_t name = strspn(text, FIT), host = text[name] == '@' ? strspn(text + name + 1, FIT) : 0;
    return name > 0 && host > 0 && !text[name + 1 + host] && text[0] != '-';
}

static bool add_address(struct rows_reader *reader, const struct yaml_node *node, GString *into)
{
    const char *text;
    if (node->kind != YAML_TEXT || !yaml_get_text(reader->yaml, node, &text) || !is_address(text))
        return yaml_expected(reader->yaml, node, "an address such as data-oncall@example.com");
    g_string_append_printf(into, "%s%s", into->len ? ", " : "", text);
    return true;
}

static bool read_mail(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const char **field = row_field(row, into);
    bool ok = true;
    if (node->kind == YAML_LIST && node->n == 0)
        return yaml_expected(reader->yaml, node, "an address such as data-oncall@example.com");
    for (size_t i = 0; node->kind == YAML_LIST && i < node->n; i++)
        ok &= add_address(reader, node->items[i], text);
    if (node->kind != YAML_LIST)
        ok = add_address(reader, node, text);
    *field = arena_text(reader->mem, slice_of_text(text->str));
    g_assert(*field);
    return ok;
}

/* What one hook's keys say together. */
static bool check_hook(struct rows_reader *reader, const struct yaml_node *node)
{
    const struct yaml_node *run = yaml_find(node, "run"), *url = yaml_find(node, "url");
    const struct yaml_node *mail = yaml_find(node, "mail");
    const struct yaml_node *secret = yaml_find(node, "secret"), *ca = yaml_find(node, "ca");
    int ways = (run != NULL) + (url != NULL) + (mail != NULL);
    if (ways > 1)
        return yaml_fail(reader->yaml, mail ? mail : url,
                         "a hook is a program (run), an address (url) or people (mail), one of them");
    if (ways == 0)
        return yaml_fail(reader->yaml, node, "a hook needs a program (run), an address (url) or people (mail)");
    if (url && !secret)
        return yaml_fail(reader->yaml, url,
                         "a hook with a url needs a secret, by which its receiver knows that it comes from here");
    if (!url && (secret || ca))
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
static const char EVENTS_SCHEMA[] =
    "{\"anyOf\": [{\"enum\": [\"" ANY "\", \"" PERSON "\""
#include "spec/hook_rows.h"
    "]}, {\"type\": \"array\", \"minItems\": 1, \"items\": {\"enum\": [\"" ANY "\", \"" PERSON "\""
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
#define SCHEMA_ADDRESS SCHEMA_PATTERN("[A-Za-z0-9._%+][A-Za-z0-9._%+-]*@[A-Za-z0-9._%+-]+")
const struct row_form form_mail = {
    .read = read_mail,
    .schema =
        "{\"anyOf\": [" SCHEMA_ADDRESS ", {\"type\": \"array\", \"minItems\": 1, \"items\": " SCHEMA_ADDRESS "}]}",
};
const struct row_form form_hooks = {.read = read_hooks};

/* --- who is told next --------------------------------------------------------------------------------------------- */

static bool read_escalate(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                          void *into)
{
    struct spec *spec = into;
    if (node->kind != YAML_LIST || node->n == 0)
        return yaml_expected(reader->yaml, node, "a list such as [{ after: 15m, to: data-lead@example.com }]");
    if (node->n > SPEC_ESCALATIONS_MOST)
        return yaml_fail(reader->yaml, node, "more than %u", SPEC_ESCALATIONS_MOST);
    struct spec_escalation *steps = arena_alloc0(reader->mem, node->n * sizeof *steps);
    g_assert(steps);
    spec->escalate = steps;
    spec->n_escalate = node->n;
    for (size_t i = 0; i < node->n; i++) {
        if (!rows_read_map(reader, "owner.escalate[]", node->items[i], &steps[i]))
            return false;
        if (i > 0 && steps[i].after_ms <= steps[i - 1].after_ms)
            return yaml_fail(reader->yaml, node->items[i], "'after' is not longer than that of the one before it");
    }
    return true;
}

const struct row_form form_escalate = {.read = read_escalate};
