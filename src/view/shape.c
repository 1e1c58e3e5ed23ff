#include "view/shape.h"

#include "base/hex.h"
#include "base/units.h"
#include "run/outlook.h"

json_t *shape_text(const char *text)
{
    if (!text)
        return json_null();
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return json_string(valid);
}

json_t *shape_key(struct slice key)
{
    if (g_utf8_validate((const char *)key.data, (gssize)key.len, NULL))
        return json_stringn((const char *)key.data, key.len);
    g_autofree char *base64 = g_base64_encode(key.data, key.len);
    return json_pack("{s:s}", "base64", base64);
}

json_t *shape_time(int64_t wall_ms)
{
    char text[UNITS_TEXT];
    return json_string(units_time(wall_ms, text));
}

json_t *shape_digest(const uint8_t digest[32])
{
    char text[HEX_TEXT(32)];
    return json_string(hex_text(digest, 32, text));
}

static json_t *tally_json(const struct tally *tally)
{
    json_t *object = json_object();
    for (int i = 0; i < OUTCOME_COUNT; i++)
        json_object_set_new(object, outcome_row((enum outcome)i)->word, json_integer((json_int_t)tally->of[i]));
    return object;
}

/* `written` counts the verified ones too: a partition that is verified has been written. */
static json_t *parts_json(const uint64_t *parts)
{
    uint64_t total = 0;
    json_t *object = json_object();
    for (int i = 0; i < PART_STATE_COUNT; i++)
        total += parts[i];
    json_object_set_new(object, "total", json_integer((json_int_t)total));
    for (int i = 0; i < PART_STATE_COUNT; i++)
        json_object_set_new(object, part_state_word((enum part_state)i), json_integer((json_int_t)parts[i]));
    json_object_set_new(object, "written", json_integer((json_int_t)(parts[PART_WRITTEN] + parts[PART_VERIFIED])));
    return object;
}

/* Of what was judged; what never was has none. */
static json_t *report_json(const uint8_t digest[32])
{
    static const uint8_t NONE[32];
    return memcmp(digest, NONE, 32) == 0 ? json_null() : shape_digest(digest);
}

void shape_put(GString *object, const char *name, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    g_string_append_printf(object, "%s\"%s\":%s", g_str_has_suffix(object->str, "{") ? "" : ",", name, text);
    free(text);
    json_decref(value);
}

static json_t *shape_bucket(const struct plan_bucket *bucket)
{
    char from[UNITS_TEXT], to[UNITS_TEXT];
    if (!bucket->name)
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:s}", "name", bucket->name, "field", bucket->field, "from",
                     units_time(bucket->from_us / 1000, from), "to", units_time(bucket->to_us / 1000, to));
}

json_t *shape_retries(const struct plan_retries *retries)
{
    if (!retries)
        return json_null();
    json_t *gone = json_array();
    for (size_t i = 0; i < retries->n_gone_named; i++)
        json_array_append_new(gone, shape_text(retries->gone_named[i]));
    return json_pack("{s:s, s:o, s:b, s:o, s:I, s:I, s:I, s:o}", "run", retries->run, "report",
                     shape_text(retries->report), "extra", retries->extra, "bucket", shape_bucket(&retries->bucket),
                     "rows", (json_int_t)retries->rows, "asked", (json_int_t)retries->asked, "gone",
                     (json_int_t)retries->gone, "gone_named", gone);
}

json_t *shape_stages(const struct stage_row *stages, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "name", stages[i].name, "state",
                            stage_state_word(stages[i].state), "attempt", (json_int_t)stages[i].attempt, "soaks_until",
                            stages[i].until_ms ? shape_time(stages[i].until_ms) : json_null(), "report",
                            report_json(stages[i].report), "partitions", parts_json(stages[i].parts)));
    return list;
}

json_t *shape_stragglers(const struct straggler *stragglers, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            list,
            json_pack("{s:I, s:I, s:f, s:f, s:f, s:o, s:s, s:o}", "partition", (json_int_t)stragglers[i].part,
                      "records_left", (json_int_t)stragglers[i].left, "records_per_s",
                      (double)stragglers[i].per_ks / 1000, "others_per_s", (double)stragglers[i].others_per_ks / 1000,
                      "still_s", (double)stragglers[i].still_ms / 1000, "since", shape_time(stragglers[i].since_ms),
                      "cause", stragglers[i].cause, "why", shape_text(stragglers[i].words)));
    return list;
}

char *shape_straggler_text(const struct straggler *straggler)
{
    char left[UNITS_TEXT];
    return g_strdup_printf("partition %u, %s records left, %.1f/s (the others %.1f/s): %s", straggler->part,
                           units_count(straggler->left, left), (double)straggler->per_ks / 1000,
                           (double)straggler->others_per_ks / 1000, straggler->words);
}

/* --- pace
 * ------------------------------------------------------------------------------------------------------------- */

static void add_pace(json_t *status, const struct run_row *run)
{
    struct run_outlook pace = run_outlook(run);
    json_object_set_new(
        status, "rate",
        json_pack("{s:f, s:n, s:n}", "records_per_s", pace.records_per_s, "limit_records_per_s", "limited_by"));
    json_object_set_new(status, "eta_s", pace.eta_s < 0 ? json_null() : json_integer(pace.eta_s));
}

static double money(uint64_t amount)
{
    return (double)amount / (double)MONEY_UNIT;
}

json_t *shape_cost(const struct money_rates *rates, uint64_t used, bool known, uint64_t in_all)
{
    if (!money_given(rates))
        return json_null();
    return json_pack("{s:o, s:f, s:o}", "currency", shape_text(*rates->currency ? rates->currency : NULL), "used",
                     money(used), "forecast", known ? json_real(money(in_all)) : json_null());
}

static json_t *slo_json(const struct outlay *outlook, const struct money_within *complete)
{
    if (!outlook->due_ms)
        return json_null();
    return json_pack("{s:f, s:o, s:o, s:b, s:o}", "complete", complete->share, "due_at", shape_time(outlook->due_ms),
                     "there_at", outlook->known ? shape_time(outlook->there_ms) : json_null(), "there", outlook->there,
                     "late", outlook->known ? json_boolean(outlook->late) : json_null());
}

json_t *shape_readable(const struct readable *readable)
{
    if (!readable->until_ms)
        return json_null();
    bool known = readable->known;
    return json_pack("{s:o, s:o, s:o, s:o, s:b}", "at", shape_time(readable->until_ms), "there_at",
                     known ? shape_time(readable->there_ms) : json_null(), "go_on_by",
                     known && readable->stands ? shape_time(readable->go_on_ms) : json_null(), "late",
                     known || readable->passed ? json_boolean(readable->late) : json_null(), "passed",
                     readable->passed);
}

void shape_outlook(json_t *status, const struct outlay *outlook, const struct run_limit *limit)
{
    json_object_set_new(status, "cost", shape_cost(&limit->rates, outlook->cost, outlook->known, outlook->in_all));
    json_object_set_new(status, "slo", slo_json(outlook, &limit->complete));
}

static json_t *budget_key(double limit, const char *name, double value, bool whole)
{
    if (limit <= 0)
        return json_null();
    return whole ? json_pack("{s:I, s:I}", "limit", (json_int_t)limit, name, (json_int_t)value)
                 : json_pack("{s:f, s:f}", "limit", limit, name, value);
}

json_t *shape_budget(const struct spec_budget *limit, const char *name, const struct spec_budget *value)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "records",
                     budget_key((double)limit->records, name, (double)value->records, true), "bytes",
                     budget_key((double)limit->bytes, name, (double)value->bytes, true), "time_s",
                     budget_key((double)limit->time_ms / 1000, name, (double)value->time_ms / 1000, false), "cost",
                     budget_key(money(limit->cost), name, money(value->cost), false));
}

void shape_limit(json_t *status, const struct run_limit *limit)
{
    json_t *rate = json_object_get(status, "rate");
    json_object_set_new(rate, "limit_records_per_s",
                        limit->rate_max_per_s > 0 ? json_real(limit->rate_max_per_s) : json_null());
    json_object_set_new(rate, "limited_by", shape_text(limit->by));
    json_t *live = limit->live ? json_loads(limit->live, 0, NULL) : NULL;
    json_object_set_new(status, "live", live ? live : json_array());
    json_object_set_new(status, "budget", shape_budget(&limit->budget, "used", &limit->used));
}

/* --- a run
 * ------------------------------------------------------------------------------------------------------------ */

json_t *shape_status(const struct run_row *run)
{
    json_t *status = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:n, s:o, s:o, s:o, s:n, s:s}", "type", "status", "run",
                               run->name, "spec", run->spec_name, "state", run_state_word(run->state), "reason",
                               shape_text(run->reason), "actor", shape_text(run->actor), "stage", "plan_digest",
                               shape_digest(run->digests.plan), "started_at", shape_time(run->started_ms), "updated_at",
                               shape_time(run->updated_ms), "undo_until", "target", run->target);
    json_object_set_new(status, "stages", json_array());
    json_object_set_new(status, "partitions", parts_json(run->parts));
    json_object_set_new(status, "back_partitions", parts_json(run->back_parts));
    json_object_set_new(status, "promotion_partitions", parts_json(run->promotion_parts));
    json_object_set_new(status, "records", tally_json(&run->tally));
    json_object_set_new(
        status, "bytes",
        json_pack("{s:I, s:I}", "read", (json_int_t)run->bytes_read, "written", (json_int_t)run->bytes_written));
    add_pace(status, run);
    return status;
}
