/* The hooks of a run in its plan's text, and so in the plan's digest: who is told is part of what was agreed to. What a
 * program or an address does with it is not. */
#include "plan/plan_parts.h"

#define KEY "hooks"

static json_t *text_json(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *events_json(uint32_t events)
{
    json_t *list = json_array();
    for (int i = 0; i < SPEC_EVENT_COUNT; i++)
        if (events & (UINT32_C(1) << i))
            json_array_append_new(list, json_string(spec_event_word((enum spec_event)i)));
    return list;
}

static json_t *argv_json(const char *const *argv)
{
    json_t *list = argv ? json_array() : json_null();
    for (size_t i = 0; argv && argv[i]; i++)
        json_array_append_new(list, json_string(argv[i]));
    return list;
}

static char *absolute(const char *path)
{
    return path ? g_canonicalize_filename(path, NULL) : NULL;
}

static json_t *hook_json(const struct spec_hook *hook)
{
    g_autofree char *ca = absolute(hook->ca);
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:i}", "on", events_json(hook->events), "shell",
                  text_json(hook->shell), "argv", argv_json((const char *const *)hook->argv), "url",
                  text_json(hook->url), "secret", text_json(hook->secret), "ca", text_json(ca), "must", hook->must,
                  "timeout_ms", (json_int_t)hook->timeout_ms, "tries", (int)hook->tries);
    if (hook->mail) /* one without is the text that it always was */
        json_object_set_new(object, "mail", json_string(hook->mail));
    return object;
}

/* A plan without hooks is the text that it always was. */
void plan_hooks_put(const struct plan *plan, json_t *root)
{
    const struct spec *spec = plan->spec;
    if (spec->n_hooks == 0)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < spec->n_hooks; i++)
        json_array_append_new(list, hook_json(&spec->hooks[i]));
    json_object_set_new(root, KEY, list);
}

static const char *copy(struct arena *mem, const char *text)
{
    const char *kept = text ? arena_text(mem, slice_of_text(text)) : NULL;
    g_assert(kept || !text); /* the arena holds more than the plan's text */
    return kept;
}

/* NULL where it is null. */
static const char *text_of(const json_t *item, const char *key, struct arena *mem)
{
    return copy(mem, json_string_value(json_object_get(item, key)));
}

static uint32_t events_of(const json_t *list)
{
    uint32_t events = 0;
    size_t i;
    json_t *word;
    json_array_foreach(list, i,
                       word) for (int k = 0; k < SPEC_EVENT_COUNT;
                                  k++) if (g_strcmp0(json_string_value(word), spec_event_word((enum spec_event)k)) == 0)
        events |= UINT32_C(1) << k;
    return events;
}

static const char **argv_of(const json_t *list, struct arena *mem)
{
    size_t n = json_array_size(list);
    const char **argv = n ? arena_alloc0(mem, (n + 1) * sizeof *argv) : NULL;
    for (size_t i = 0; i < n && argv; i++)
        argv[i] = copy(mem, json_string_value(json_array_get(list, i)));
    return argv;
}

static bool take_hook(json_t *item, struct arena *mem, struct spec_hook *ret)
{
    int must, tries;
    json_int_t timeout_ms;
    if (json_unpack(item, "{s:b, s:I, s:i}", "must", &must, "timeout_ms", &timeout_ms, "tries", &tries) != 0)
        return false;
    *ret = (struct spec_hook){.events = events_of(json_object_get(item, "on")),
                              .shell = text_of(item, "shell", mem),
                              .argv = argv_of(json_object_get(item, "argv"), mem),
                              .mail = text_of(item, "mail", mem),
                              .url = text_of(item, "url", mem),
                              .secret = text_of(item, "secret", mem),
                              .ca = text_of(item, "ca", mem),
                              .must = must,
                              .timeout_ms = timeout_ms,
                              .tries = (uint32_t)MAX(tries, 1)};
    return ret->shell || ret->argv || ret->mail || (ret->url && ret->secret);
}

static bool take(json_t *root, struct arena *mem, struct plan_hooks *ret)
{
    json_t *list = json_object_get(root, KEY);
    const char *dir = NULL;
    size_t n = json_array_size(list);
    if (json_unpack(root, "{s:{s:s}}", "target", "base_dir", &dir) != 0)
        return false;
    struct spec_hook *hooks = arena_alloc0(mem, (n + 1) * sizeof *hooks);
    g_assert(hooks);
    for (size_t i = 0; i < n; i++)
        if (!take_hook(json_array_get(list, i), mem, &hooks[i]))
            return false;
    *ret = (struct plan_hooks){.hooks = hooks, .n = n, .base_dir = copy(mem, dir)};
    return true;
}

bool plan_hooks_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_hooks *ret,
                     GError **error)
{
    struct slice text;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    bool ok = root && take(root, mem, ret);
    json_decref(root);
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}
