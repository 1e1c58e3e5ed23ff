/* A stretch of time that the time buckets of a report flag, by its name: NAME, or NAME@FROM where there are several. */
#include <jansson.h>

#include "run/repair.h"
#include "spec/moment.h"

#define NAMED 10u

struct seeking {
    const char *name;
    bool by_from; /* NAME@FROM */
    int64_t from_us;
    struct arena *mem;
    GString *others; /* the stretches that there are, as they would be asked for */
    GString *names;  /* of whatever flags anything */
    struct plan_bucket found;
    guint n, n_fits; /* stretches of that name, and those of them that are meant */
};

static bool is_one(const struct seeking *seeking, const struct plan_bucket *bucket)
{
    return seeking->n_fits == 1 && seeking->found.from_us == bucket->from_us && seeking->found.to_us == bucket->to_us;
}

/* One stretch may be flagged twice, by its count and by its sum. */
static bool see(struct seeking *seeking, json_t *flag, GError **error)
{
    const char *field, *from, *to, *kind;
    struct plan_bucket bucket = {.name = seeking->name};
    if (json_unpack(flag, "{s:s, s:{s:s, s:s, s:s}}", "kind", &kind, "range", "field", &field, "from", &from, "to",
                    &to) != 0)
        return error_set(error, SLUICE_ERROR_CORRUPT, "the report's summary has a flag that is none");
    if (!moment_parse_us(from, &bucket.from_us, error) || !moment_parse_us(to, &bucket.to_us, error))
        return false;
    if (seeking->n++ < NAMED)
        g_string_append_printf(seeking->others, "%s%s@%s (a %s, to %s)", seeking->others->len ? ", " : "",
                               seeking->name, from, kind, to);
    if ((seeking->by_from && bucket.from_us != seeking->from_us) || is_one(seeking, &bucket))
        return true;
    seeking->n_fits++;
    bucket.field = arena_text(seeking->mem, slice_of_text(field));
    seeking->found = bucket;
    return bucket.field || error_set(error, SLUICE_ERROR_TOO_BIG, "a path does not fit into memory");
}

static bool see_flags(struct seeking *seeking, const json_t *flags, GError **error)
{
    for (size_t i = 0; i < json_array_size(flags); i++)
        if (!see(seeking, json_array_get(flags, i), error))
            return false;
    return true;
}

static void see_name(struct seeking *seeking, const json_t *one)
{
    const char *name = json_string_value(json_object_get(one, "name"));
    if (name && json_array_size(json_object_get(one, "flags")) > 0)
        g_string_append_printf(seeking->names, "%s%s", seeking->names->len ? ", " : "", name);
}

static bool see_all(struct seeking *seeking, const json_t *summary, GError **error)
{
    const json_t *all = json_object_get(summary, "buckets");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        see_name(seeking, one);
        if (g_strcmp0(json_string_value(json_object_get(one, "name")), seeking->name) == 0 &&
            !see_flags(seeking, json_object_get(one, "flags"), error))
            return false;
    }
    return true;
}

static bool meant(const struct seeking *seeking, const char *asked, GError **error)
{
    if (seeking->n_fits == 1)
        return true;
    if (seeking->n == 0)
        return error_set(error, SLUICE_ERROR_NOT_FOUND,
                         "--bucket %s: the report flags nothing of time buckets of that name: there is nothing to "
                         "repair%s%s",
                         asked, seeking->names->len ? "; it flags something of " : "", seeking->names->str);
    return error_set(error, SLUICE_ERROR_USAGE, "--bucket %s: name one of the stretches that the report flags: %s%s",
                     asked, seeking->others->str, seeking->n > NAMED ? ", …" : "");
}

static bool asked_for(struct seeking *seeking, const char *asked, GError **error)
{
    const char *at = strchr(asked, '@');
    seeking->by_from = at != NULL;
    seeking->name = arena_text(seeking->mem, slice_of(asked, at ? (size_t)(at - asked) : strlen(asked)));
    if (!seeking->name)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "--bucket: no memory for its name");
    return !at || moment_parse_us(at + 1, &seeking->from_us, error) || error_add(error, "--bucket %s", asked);
}

bool stretch_find(const char *asked, struct slice summary, struct arena *mem, struct plan_bucket *ret, GError **error)
{
    g_autoptr(GString) others = g_string_new(NULL), names = g_string_new(NULL);
    struct seeking seeking = {.mem = mem, .others = others, .names = names};
    if (!asked_for(&seeking, asked, error))
        return false;
    json_t *root = json_loadb((const char *)summary.data, summary.len, 0, NULL);
    bool ok = see_all(&seeking, root, error) && meant(&seeking, asked, error);
    json_decref(root);
    if (ok)
        *ret = seeking.found;
    return ok;
}
