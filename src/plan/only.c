/* `source.only` and the keys of a stage: what they name in the source, and what of it is not there. */
#include "store/only.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/int.h"
#include "listing/listing.h"
#include "plan/home.h"
#include "plan/plan_parts.h"

/* --- a file of keys ------------------------------------------------------------------------------------------------
 */

static bool bad_line(const char *path, uint64_t line, const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_SPEC, "%s:%" G_GUINT64_FORMAT ":1: %s", path, line, what);
}

/* "text", or {"base64": …}, as `sluice cat --keys` prints them. */
static bool json_key(struct plan *plan, const char *line, size_t len, struct slice *ret)
{
    const char *text = NULL, *base64 = NULL;
    size_t text_len = 0;
    gsize decoded = 0;
    json_t *value = json_loadb(line, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (json_is_string(value)) {
        text = json_string_value(value);
        text_len = json_string_length(value);
    } else if (json_is_object(value)) {
        base64 = json_string_value(json_object_get(value, "base64"));
    }
    g_autofree guchar *bytes = base64 ? g_base64_decode(base64, &decoded) : NULL;
    bool ok = (text || bytes) &&
              arena_copy(plan->mem, bytes ? slice_of(bytes, decoded) : slice_of((const void *)text, text_len), ret);
    json_decref(value);
    return ok && ret->len > 0;
}

static bool add_key(struct plan *plan, const char *path, struct slice line, uint64_t number, GArray *into,
                    GError **error)
{
    struct slice key = line;
    if (line.len && line.data[line.len - 1] == '\r')
        key.len--;
    if (key.len == 0)
        return true;
    bool json = key.data[0] == '"' || key.data[0] == '{';
    if (json && !json_key(plan, (const char *)key.data, key.len, &key))
        return bad_line(path, number,
                        "expected a key: a line that begins with a quote or a brace is JSON, as `sluice cat --keys` "
                        "prints it",
                        error);
    g_array_append_val(into, key);
    return true;
}

static int by_key(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static bool too_many(const char *path, GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: too many keys", path);
}

static bool keep_keys(GArray *keys, struct plan *plan, const char *path, struct plan_keys *ret, GError **error)
{
    size_t n = 0;
    g_array_sort(keys, by_key);
    struct slice *sorted = (struct slice *)(void *)keys->data;
    for (guint i = 0; i < keys->len; i++)
        if (n == 0 || !slice_equal(sorted[n - 1], sorted[i]))
            sorted[n++] = sorted[i];
    struct slice *kept = arena_alloc(plan->mem, n * sizeof *kept);
    if (!kept)
        return too_many(path, error);
    memcpy(kept, sorted, n * sizeof *kept);
    *ret = (struct plan_keys){.keys = kept, .n = n};
    return true;
}

static bool read_lines(struct plan *plan, const char *path, struct slice text, struct plan_keys *ret, GError **error)
{
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    const uint8_t *at = text.data, *end = text.data + text.len;
    for (uint64_t number = 1; at < end; number++) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        if (!add_key(plan, path, slice_of(at, (size_t)(stop - at)), number, keys, error))
            return false;
        at = stop + 1;
    }
    if (keys->len == 0)
        return error_set(error, SLUICE_ERROR_SPEC, "%s: it holds no key; one a line was expected", path);
    return keep_keys(keys, plan, path, ret, error);
}

bool plan_keys_read(struct plan *plan, const struct world *world, const char *path, struct plan_keys *ret,
                    GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    struct slice text;
    if (!file_read_all(world, path, KEYS_BYTES, &bytes, error))
        return false;
    const void *data = g_bytes_get_data(bytes, &len);
    if (len == 0)
        return error_set(error, SLUICE_ERROR_SPEC, "%s: it holds no key; one a line was expected", path);
    return (arena_copy(plan->mem, slice_of(data, len), &text) || too_many(path, error)) &&
           read_lines(plan, path, text, ret, error);
}

/* --- what is meant -------------------------------------------------------------------------------------------------
 */

static bool refuse(const struct plan *plan, const char *key, enum error_code code, const char *words, GError **error)
{
    g_autofree char *place = spec_place(plan->spec, key);
    return error_set(error, code, "%s: %s: %s", place, key, words);
}

static bool set_keys(struct plan *plan, const struct plan_config *config, struct store_only *only, GError **error)
{
    struct plan_keys keys;
    GError *failed = NULL;
    const char *path = plan->spec->source.only.keys;
    if (!plan_keys_read(plan, config->world, path, &keys, &failed)) {
        g_autofree char *place = spec_place(plan->spec, "source.only.keys");
        if (error_is(failed, SLUICE_ERROR_NOT_FOUND))
            failed->code = SLUICE_ERROR_SPEC;
        error_add(&failed, "%s: source.only.keys", place);
        g_propagate_error(error, failed);
        return false;
    }
    only->keys = keys.keys;
    only->n_keys = keys.n;
    return true;
}

static bool set_slots(struct plan *plan, struct store_only *only, GError **error)
{
    const struct spec_only *said = &plan->spec->source.only;
    const struct store_driver *driver = store_driver(plan->source);
    uint32_t last = said->slots[said->n_slots - 1].to;
    g_autofree char *none = g_strdup_printf("keys of a store of driver %s lie in no slots; name keys, a key_range or "
                                            "partitions",
                                            driver->name);
    if (!driver->slots)
        return refuse(plan, "source.only.slots", SLUICE_ERROR_SPEC, none, error);
    g_autofree char *beyond =
        g_strdup_printf("there is no slot %u: they are numbered from 0 to %u", last, driver->slots->count - 1);
    if (last >= driver->slots->count)
        return refuse(plan, "source.only.slots", SLUICE_ERROR_SPEC, beyond, error);
    struct only_slots *slots = arena_alloc0(plan->mem, said->n_slots * sizeof *slots);
    g_assert(slots);
    for (size_t i = 0; i < said->n_slots; i++)
        slots[i] = (struct only_slots){said->slots[i].from, said->slots[i].to};
    only->slots = slots;
    only->n_slots = said->n_slots;
    return true;
}

static void set_range(struct plan *plan, struct store_only *only)
{
    const struct spec_only *said = &plan->spec->source.only;
    struct only_range *range = arena_alloc0(plan->mem, sizeof *range);
    g_assert(range);
    range->from = said->from ? slice_of_text(said->from) : SLICE_EMPTY;
    range->has_to = said->to != NULL;
    range->to = said->to ? slice_of_text(said->to) : SLICE_EMPTY;
    only->ranges = range;
    only->n_ranges = 1;
}

static size_t places_of(const struct plan *plan, const struct store_only *only)
{
    return only->n_keys ? only->n_keys : only->n_ranges ? only->n_ranges : store_driver(plan->source)->slots->count;
}

bool plan_only_set(struct plan *plan, const struct plan_config *config, GError **error)
{
    const struct spec_only *said = &plan->spec->source.only;
    struct store_only *only = arena_alloc0(plan->mem, sizeof *only);
    g_assert(only);
    if (plan->removes)
        return true;
    if (said->n_parts || (!said->keys && !said->n_slots && !said->ranged)) {
        plan->source_ds.only = plan->only; /* partitions: as they were frozen, if they were */
        return true;
    }
    if ((said->keys && !set_keys(plan, config, only, error)) || (said->n_slots && !set_slots(plan, only, error)))
        return false;
    if (said->ranged)
        set_range(plan, only);
    only->seen = arena_alloc0(plan->mem, places_of(plan, only) + 1);
    plan->source_ds.only = plan->only = only;
    return only->seen || error_set(error, SLUICE_ERROR_TOO_BIG, "source.only: too many keys");
}

/* --- partitions ----------------------------------------------------------------------------------------------------
 */

bool plan_only_has_part(const struct plan *plan, uint32_t part)
{
    const struct spec_only *said = &plan->spec->source.only;
    bool has = said->n_parts == 0;
    for (size_t i = 0; !has && i < said->n_parts; i++)
        has = part >= said->parts[i].from && part <= said->parts[i].to;
    return has;
}

static bool first_key(struct plan *plan, struct listing_reader *all, uint32_t part, struct slice *ret, GError **error)
{
    struct slice *keys;
    size_t n = 0;
    *ret = SLICE_EMPTY;
    if (part == 0 || part >= listing_reader_totals(all)->partitions)
        return true;
    if (!listing_reader_seek(all, part, 0, error) || !listing_reader_next_ranked(all, 1, plan->mem, &keys, &n, error))
        return false;
    *ret = keys[0];
    return true;
}

/* A partition of a listing is a range of keys: from its first one to the next one's; the outermost ones are open. */
bool plan_only_of_listing(struct plan *plan, struct listing_reader *all, GError **error)
{
    uint32_t n = listing_reader_totals(all)->partitions;
    struct store_only *only = arena_alloc0(plan->mem, sizeof *only);
    struct only_range *ranges = arena_alloc0(plan->mem, ((size_t)n + 1) * sizeof *ranges);
    g_assert(only && ranges);
    for (uint32_t part = 0; part < n; part++) {
        struct only_range *range = &ranges[only->n_ranges];
        if (!plan_only_has_part(plan, part))
            continue;
        range->has_to = part + 1 < n;
        if (!first_key(plan, all, part, &range->from, error) || !first_key(plan, all, part + 1, &range->to, error))
            return false;
        only->n_ranges++;
    }
    only->ranges = ranges;
    only->ranked = listing_reader_totals(all)->ranked;
    plan->only = only->n_ranges ? only : NULL;
    plan->source_ds.only = plan->only;
    return true;
}

/* --- what matched nothing ------------------------------------------------------------------------------------------
 */

struct telling {
    struct plan *plan;
    uint64_t given, matched;
    json_t *examples;
    struct file *list; /* NULL: none is written */
};

json_t *plan_key_json(struct slice key)
{
    if (g_utf8_validate((const char *)key.data, (gssize)key.len, NULL))
        return json_stringn((const char *)key.data, key.len);
    g_autofree char *base64 = g_base64_encode(key.data, key.len);
    return json_pack("{s:s}", "base64", base64);
}

/* One that was asked for. Takes `name` over. */
static bool tell_one(struct telling *telling, bool matched, json_t *name, GError **error)
{
    bool ok = true;
    telling->given++;
    telling->matched += matched;
    if (!matched && telling->list) {
        char *line = json_dumps(name, JSON_ENCODE_ANY | JSON_COMPACT);
        ok = file_append(telling->list, slice_of_text(line), NULL, error) &&
             file_append(telling->list, slice_of_text("\n"), NULL, error);
        free(line);
    }
    if (!matched && json_array_size(telling->examples) < PLAN_EXAMPLES)
        json_array_append(telling->examples, name);
    json_decref(name);
    return ok;
}

static bool was_seen(const struct store_only *only, size_t at)
{
    return atomic_load_explicit(&only->seen[at], memory_order_relaxed) != 0;
}

static bool tell_keys(struct telling *telling, const struct store_only *only, GError **error)
{
    bool ok = true;
    for (size_t i = 0; ok && i < only->n_keys; i++)
        ok = tell_one(telling, was_seen(only, i), plan_key_json(only->keys[i]), error);
    return ok;
}

static bool tell_slots(struct telling *telling, const struct store_only *only, GError **error)
{
    bool ok = true;
    for (size_t i = 0; i < only->n_slots; i++)
        for (uint32_t slot = only->slots[i].from; ok && slot <= only->slots[i].to; slot++)
            ok = tell_one(telling, was_seen(only, slot), json_integer(slot), error);
    return ok;
}

/* Numbers of partitions that there are not may be any. */
static bool tell_parts(struct telling *telling, uint32_t n_parts)
{
    const struct spec_only *said = &telling->plan->spec->source.only;
    for (size_t i = 0; i < said->n_parts; i++) {
        const struct spec_span *span = &said->parts[i];
        uint64_t within = span->from < n_parts ? MIN(span->to, n_parts - 1) - (uint64_t)span->from + 1 : 0;
        telling->given += (uint64_t)span->to - span->from + 1;
        telling->matched += within;
        for (uint64_t at = span->from + within; at <= span->to && json_array_size(telling->examples) < PLAN_EXAMPLES;
             at++)
            json_array_append_new(telling->examples, json_integer((json_int_t)at));
    }
    return true;
}

static const char *word_of(const struct spec_only *said)
{
    return said->keys ? "keys" : said->n_slots ? "slots" : said->ranged ? "key_range" : "partitions";
}

static json_t *end_json(struct slice end, bool open)
{
    g_autofree char *base64 = open ? NULL : g_base64_encode(end.data, end.len);
    return base64 ? json_string(base64) : json_null();
}

static json_t *ranges_json(const struct store_only *only)
{
    json_t *list = json_array();
    for (size_t i = 0; only && i < only->n_ranges; i++)
        json_array_append_new(list, json_pack("[o, o]", end_json(only->ranges[i].from, false),
                                              end_json(only->ranges[i].to, !only->ranges[i].has_to)));
    return list;
}

static void freeze(struct telling *telling, const char *list)
{
    struct plan *plan = telling->plan;
    const struct spec_only *said = &plan->spec->source.only;
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:I, s:O, s:s?}", "by", word_of(said), "given", (json_int_t)telling->given,
                  "matched", (json_int_t)telling->matched, "unmatched", (json_int_t)(telling->given - telling->matched),
                  "examples", telling->examples, "list", list);
    if (said->n_parts) {
        json_object_set_new(object, "ranges", ranges_json(plan->only));
        json_object_set_new(object, "ranked", json_boolean(plan->only && plan->only->ranked));
    }
    char *text = json_dumps(object, JSON_COMPACT);
    plan->only_said = plan_copy(plan, text);
    free(text);
    json_decref(object);
}

static bool tell(struct telling *telling, uint32_t n_parts, GError **error)
{
    const struct spec_only *said = &telling->plan->spec->source.only;
    const struct store_only *only = telling->plan->only;
    if (said->n_parts)
        return tell_parts(telling, n_parts);
    if (said->ranged)
        return tell_one(telling, telling->plan->n_listed > 0, json_string("the range"), error);
    return said->keys ? tell_keys(telling, only, error) : tell_slots(telling, only, error);
}

/* The whole list stands in the home; a plan shows its beginning. */
static bool list_open(struct telling *telling, const struct world *world, char **ret, GError **error)
{
    const struct plan *plan = telling->plan;
    char uid[HEX_TEXT(sizeof plan->uid)];
    *ret = home_path(plan->home, HOME_UNMATCHED, hex_text(plan->uid, sizeof plan->uid, uid));
    return file_open(&telling->list, world, *ret, FILE_REPLACE, error);
}

static bool told(struct telling *telling, const struct world *world, const char *path, GError **error)
{
    bool any = telling->matched < telling->given;
    bool kept = any ? file_sync_durable(telling->list, error) : file_unlink(world, path, error);
    g_clear_pointer(&telling->list, file_free);
    if (kept)
        freeze(telling, any ? path : NULL);
    return kept;
}

static bool says_anything(const struct spec_only *said)
{
    return said->keys || said->n_slots || said->ranged || said->n_parts;
}

static bool matches_nothing(const struct plan *plan, GError **error)
{
    return refuse(plan, "source.only", SLUICE_ERROR_NOT_FOUND,
                  "nothing in the source is meant by it: a run would have nothing to do", error);
}

bool plan_only_tell(struct plan *plan, const struct plan_config *config, uint32_t n_parts, GError **error)
{
    const struct spec_only *said = &plan->spec->source.only;
    struct telling telling = {.plan = plan};
    g_autofree char *path = NULL;
    if (!says_anything(said))
        return true;
    if (plan->n_listed == 0)
        return matches_nothing(plan, error);
    telling.examples = json_array();
    bool lists = said->keys || said->n_slots;
    bool ok = (!lists || list_open(&telling, config->world, &path, error)) && tell(&telling, n_parts, error);
    if (ok && lists)
        ok = told(&telling, config->world, path, error);
    else if (ok)
        freeze(&telling, NULL);
    g_clear_pointer(&telling.list, file_free);
    json_decref(telling.examples);
    return ok;
}

/* --- in the plan's text --------------------------------------------------------------------------------------------
 */

void plan_only_put(const struct plan *plan, json_t *root)
{
    if (plan->only_said)
        json_object_set_new(root, "only", json_loads(plan->only_said, 0, NULL));
    if (plan->scopes_said)
        json_object_set_new(root, "scopes", json_loads(plan->scopes_said, 0, NULL));
}

static bool take_end(struct plan *plan, json_t *end, struct slice *ret, bool *ret_has)
{
    gsize len;
    g_autofree guchar *bytes = json_is_string(end) ? g_base64_decode(json_string_value(end), &len) : NULL;
    *ret_has = bytes != NULL;
    *ret = SLICE_EMPTY;
    return !bytes || arena_copy(plan->mem, slice_of(bytes, len), ret);
}

static bool take_ranges(struct plan *plan, json_t *list, bool ranked)
{
    size_t n = json_array_size(list);
    struct store_only *only = arena_alloc0(plan->mem, sizeof *only);
    struct only_range *ranges = arena_alloc0(plan->mem, (n + 1) * sizeof *ranges);
    bool has;
    if (!only || !ranges)
        return false;
    for (size_t i = 0; i < n; i++) {
        json_t *range = json_array_get(list, i);
        if (!take_end(plan, json_array_get(range, 0), &ranges[i].from, &has) ||
            !take_end(plan, json_array_get(range, 1), &ranges[i].to, &ranges[i].has_to))
            return false;
    }
    only->ranges = ranges;
    only->n_ranges = n;
    only->ranked = ranked;
    plan->only = n ? only : NULL;
    return true;
}

bool plan_only_take(struct plan *plan, const json_t *root)
{
    json_t *object = json_object_get(root, "only");
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    plan->only_said = text ? plan_copy(plan, text) : NULL;
    free(text);
    return !json_object_get(object, "ranges") ||
           take_ranges(plan, json_object_get(object, "ranges"), json_is_true(json_object_get(object, "ranked")));
}
