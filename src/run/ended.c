#include "run/ended.h"

#include <jansson.h>

#include "base/hex.h"
#include "catalog/ledger.h"
#include "record/datetime.h"

enum { DIGEST = 32 };

/* --- leaving it --------------------------------------------------------------------------------------------------- */

static bool record(struct hold *hold, GError **error)
{
    const struct act *act = &hold->config->act;
    g_autofree char *details = act->trace ? g_strdup_printf("{\"traceparent\":\"%s\"}", act->trace) : NULL;
    struct ledger_entry entry = {.actor = act->actor,
                                 .action = "ending",
                                 .run = hold->run.name,
                                 .digests = hold->run.digests,
                                 .details = details};
    return ledger_append(hold->catalog, &entry, error);
}

/* Whoever else writes into this ledger meanwhile does so behind our entry: its head is as good. */
static bool mark_text(struct hold *hold, char **ret, GError **error)
{
    uint64_t number;
    uint8_t digest[DIGEST];
    char hex[HEX_TEXT(DIGEST)];
    if (!ledger_head(hold->catalog, &number, digest, error))
        return false;
    json_t *object =
        json_pack("{s:I, s:s, s:s, s:s, s:I, s:s}", "at_ms", (json_int_t)world_wall_ms(hold->config->world), "digest",
                  hex_text(digest, DIGEST, hex), "home", catalog_home(hold->catalog), "host", g_get_host_name(),
                  "number", (json_int_t)number, "run", hold->run.name);
    *ret = object ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(object);
    return *ret || error_set(error, SLUICE_ERROR_INTERNAL, "the end of %s has no words", hold->run.name);
}

bool ended_mark(struct hold *hold, const struct call *call, GError **error)
{
    g_autofree char *text = NULL;
    if (!store_driver(hold->plan->target)->write->end_mark)
        return true;
    return record(hold, error) && mark_text(hold, &text, error) &&
           store_end_mark(hold->target, call, hold->run.uid, slice_of_text(text), error);
}

/* --- looking for it ----------------------------------------------------------------------------------------------- */

struct end {
    uint64_t number;
    uint8_t digest[DIGEST];
    int64_t at_ms;
    const char *host, *home;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* Borrows from the object. */
static bool end_parse(const json_t *object, struct end *ret)
{
    json_int_t number = json_integer_value(json_object_get(object, "number"));
    *ret = (struct end){.number = (uint64_t)MAX(number, 0),
                        .at_ms = json_integer_value(json_object_get(object, "at_ms")),
                        .host = text_of(object, "host"),
                        .home = text_of(object, "home")};
    return ret->number > 0 && hex_parse(slice_of_text(text_of(object, "digest")), ret->digest, DIGEST);
}

static bool is_in_ledger(struct hold *hold, const struct end *end, bool *ret, GError **error)
{
    struct ledger_entries entries;
    if (!ledger_read(hold->catalog, end->number, 1, hold->mem, &entries, error))
        return false;
    *ret = entries.n == 1 && entries.rows[0].number == end->number &&
           memcmp(entries.rows[0].digest, end->digest, DIGEST) == 0;
    return true;
}

static bool is_elsewhere(struct hold *hold, const struct end *end, GError **error)
{
    char at[DATETIME_TEXT];
    hold->elsewhere = true;
    return error_set(error, SLUICE_ERROR_BEHIND,
                     "%s: it was ended at %s with home %s on %s, of which this home (%s) is an older copy: it does not "
                     "know what was written since, and would write it again. Use that home; `sluice abort %s` ends the "
                     "run here, too, and changes nothing in the store",
                     hold->run.name, datetime_text(end->at_ms, at), end->home, end->host, catalog_home(hold->catalog),
                     hold->run.name);
}

static bool check(struct hold *hold, struct slice mark, GError **error)
{
    struct end end;
    bool known = false;
    json_t *object = json_loadb((const char *)mark.data, mark.len, 0, NULL);
    bool ok = end_parse(object, &end);
    if (!ok)
        error_set(error, SLUICE_ERROR_CORRUPT,
                  "%s: what the store keeps of its end is damaged, or of a newer sluice: %.*s", hold->run.name,
                  (int)MIN(mark.len, 300u), (const char *)mark.data);
    else
        ok = is_in_ledger(hold, &end, &known, error) && (known || is_elsewhere(hold, &end, error));
    json_decref(object);
    return ok;
}

bool ended_check(struct hold *hold, const struct call *call, GError **error)
{
    struct slice mark;
    if (!store_driver(hold->plan->target)->write->end_read)
        return true;
    return store_end_read(hold->target, call, hold->run.uid, &mark, error) &&
           (mark.len == 0 || check(hold, mark, error));
}
