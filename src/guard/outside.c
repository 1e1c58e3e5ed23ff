#include "guard/outside.h"

#include <jansson.h>
#include <math.h>

#include "base/file.h"
#include "base/http.h"
#include "base/process.h"
#include "record/path.h"

enum { NOT_THERE = 127, NOT_TO_RUN = 126 }; /* as a shell says it */
enum { ANSWER_BYTES = 256 << 10, NUMBER_BYTES = 256, SHOWN_BYTES = 60, SWITCH_US = 2000 * 1000, MEM_BYTES = 1 << 20 };

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* An address, and what belongs to it. */
struct address {
    const char *url, *path; /* path: what is added behind the url, NULL: nothing */
    const char *ca, *token;
    int64_t timeout_us;
};

static bool header_of(const struct outside *outside, const struct address *address, char **ret, GError **error)
{
    g_autofree char *token = NULL;
    if (!address->token)
        return true;
    if (!spec_secret_expand(outside->world, outside->base_dir, address->token, &token, error))
        return false;
    *ret = g_strconcat("Authorization: Bearer ", token, NULL);
    return true;
}

/* Without the blanks around it, and of a length that fits into a message. */
static char *shown(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_strstrip(valid);
    char *end = g_utf8_strlen(valid, -1) > SHOWN_BYTES ? g_utf8_offset_to_pointer(valid, SHOWN_BYTES) : NULL;
    return end ? g_strdup_printf("%.*s…", (int)(end - valid), valid) : g_strdup(valid);
}

static bool get(const struct outside *outside, const struct address *address, char **ret, GError **error)
{
    g_autofree char *url = NULL;
    g_auto(GStrv) headers = g_new0(char *, 2);
    struct http_answer answer;
    if (!spec_secret_expand(outside->world, outside->base_dir, address->url, &url, error) ||
        !header_of(outside, address, headers, error))
        return false;
    if (!http_url_is(url))
        return error_set(error, SLUICE_ERROR_SPEC, "not an http or https address with a host");
    g_autofree char *whole = g_strconcat(url, address->path, NULL);
    struct http_call call = {.url = whole,
                             .headers = (const char *const *)headers,
                             .ca = address->ca,
                             .timeout_us = address->timeout_us,
                             .cancel = outside->cancel,
                             .keep_bytes = ANSWER_BYTES};
    if (!http_get(&call, &answer, error))
        return false;
    g_autofree char *text = answer.text;
    g_autofree char *said = shown(text);
    if (answer.status < 200 || answer.status > 299)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "it answered %ld%s%s", answer.status, *said ? ": " : "",
                         said);
    if (strlen(text) !=
        answer.came) /* what is behind a byte of zero, or beyond what is kept, might say another thing */
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "it answered %zu bytes: %s", answer.came,
                         answer.came > ANSWER_BYTES ? "more than 256 KiB" : "no text");
    *ret = g_steal_pointer(&text);
    return true;
}

static bool number_of(const char *text, double *ret, GError **error)
{
    g_autofree char *stripped = g_strstrip(g_strdup(text));
    g_autofree char *said = shown(text);
    return guard_limit_read(GUARD_UNIT_NUMBER, false, stripped, ret) ||
           error_set(error, SLUICE_ERROR_UNREACHABLE, "a number was expected, not '%s'", said);
}

/* --- Prometheus --------------------------------------------------------------------------------------------------- */

/* `[TIME, "NUMBER"]` */
static bool take_sample(const json_t *sample, bool below, double *io)
{
    const char *text = json_string_value(json_array_get(sample, 1));
    char *end = NULL;
    double value = text ? g_ascii_strtod(text, &end) : NAN;
    if (!text || end == text || *end || !isfinite(value))
        return false;
    *io = isnan(*io) || (below ? value < *io : value > *io) ? value : *io;
    return true;
}

static bool take_results(const json_t *data, bool below, double *ret, GError **error)
{
    const char *type = json_string_value(json_object_get(data, "resultType"));
    const json_t *result = json_object_get(data, "result");
    bool vector = g_strcmp0(type, "vector") == 0, kind = vector || g_strcmp0(type, "scalar") == 0, fine = kind;
    double worst = NAN;
    if (fine && !vector)
        fine = take_sample(result, below, &worst);
    for (size_t i = 0; vector && i < json_array_size(result); i++)
        fine &= take_sample(json_object_get(json_array_get(result, i), "value"), below, &worst);
    if (!fine)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "the query gives %s, not %s",
                         kind   ? "a value that is no number"
                         : type ? type
                                : "nothing",
                         kind ? "one" : "a scalar or a vector");
    if (isnan(worst))
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "the query has no result");
    *ret = worst;
    return true;
}

static bool read_prometheus(const struct outside *outside, const struct spec_signal *signal, double *ret,
                            GError **error)
{
    g_autofree char *query = http_escape(signal->query);
    g_autofree char *path = g_strconcat("/api/v1/query?query=", query, NULL);
    g_autofree char *text = NULL;
    struct address address = {.url = signal->prometheus,
                              .path = path,
                              .ca = signal->ca,
                              .token = signal->token,
                              .timeout_us = signal->timeout_ms * 1000};
    if (!get(outside, &address, &text, error))
        return false;
    json_t *root = json_loads(text, 0, NULL);
    bool ok = root ? take_results(json_object_get(root, "data"), signal->below, ret, error)
                   : error_set(error, SLUICE_ERROR_UNREACHABLE, "what it answered is no JSON");
    json_decref(root);
    return ok;
}

/* --- an address, a program ---------------------------------------------------------------------------------------- */

static bool read_url(const struct outside *outside, const struct spec_signal *signal, double *ret, GError **error)
{
    g_autofree char *text = NULL;
    struct address address = {
        .url = signal->url, .ca = signal->ca, .token = signal->token, .timeout_us = signal->timeout_ms * 1000};
    return get(outside, &address, &text, error) && number_of(text, ret, error);
}

static bool read_program(const struct outside *outside, const struct spec_signal *signal, double *ret, GError **error)
{
    const char *shell[] = {"/bin/sh", "-c", signal->shell, NULL};
    g_auto(GStrv) envp = process_environment();
    struct process_call call = {.argv = signal->shell ? shell : (const char *const *)signal->argv,
                                .envp = (const char *const *)envp,
                                .dir = outside->base_dir,
                                .timeout_us = signal->timeout_ms * 1000,
                                .cancel = outside->cancel,
                                .keep_bytes = NUMBER_BYTES,
                                .mute = true};
    struct process_end end = {0};
    bool ended = process_run(outside->world, &call, &end, error);
    g_autofree char *printed = end.output;
    if (!ended)
        return false;
    if (end.status != 0)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "it ended with %d%s", end.status,
                         end.status == NOT_THERE    ? ": there is no such program"
                         : end.status == NOT_TO_RUN ? ": it may not be run"
                                                    : "");
    if (end.printed > NUMBER_BYTES || (printed && strlen(printed) != end.printed))
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "a number was expected, and it printed %zu bytes%s",
                         end.printed, end.printed > NUMBER_BYTES ? "" : ", which are no text");
    return number_of(printed ? printed : "", ret, error);
}

/* As the spec has it, with nothing put in for a secret. */
static const char *asked_name(const struct spec_signal *signal)
{
    return signal->prometheus ? signal->prometheus
           : signal->url      ? signal->url
           : signal->shell    ? signal->shell
                              : signal->argv[0];
}

bool outside_signal(const struct outside *outside, const struct spec_signal *signal, double *ret, GError **error)
{
    bool ok = (signal->prometheus ? read_prometheus
               : signal->url      ? read_url
                                  : read_program)(outside, signal, ret, error);
    return ok || error_add(error, "%s", asked_name(signal));
}

/* --- switches ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    bool on;
} SWITCH_WORDS[] = {{"true", true},   {"yes", true}, {"on", true},   {"1", true},
                    {"false", false}, {"no", false}, {"off", false}, {"0", false}};

static bool truth_of(const char *text, bool *ret, GError **error)
{
    g_autofree char *stripped = g_strstrip(g_strdup(text));
    g_autofree char *said = shown(text);
    for (size_t i = 0; i < G_N_ELEMENTS(SWITCH_WORDS); i++)
        if (g_ascii_strcasecmp(stripped, SWITCH_WORDS[i].word) == 0) {
            *ret = SWITCH_WORDS[i].on;
            return true;
        }
    return error_set(error, SLUICE_ERROR_UNREACHABLE, "true or false was expected, not '%s'", said);
}

/* What stands behind a byte of zero might say another thing. */
static bool whole_truth_of(const char *text, size_t len, bool *ret, GError **error)
{
    if (strlen(text) != len)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "true or false was expected, not NUL");
    return truth_of(text, ret, error);
}

static bool ask_file(const struct outside *outside, const struct outside_switch *asked, bool *ret, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    if (!file_read_all(outside->world, asked->of->file, NUMBER_BYTES, &bytes, error))
        return false;
    size_t len;
    const char *data = g_bytes_get_data(bytes, &len);
    g_autofree char *text = g_strndup(data ? data : "", len);
    return whole_truth_of(text, len, ret, error) || error_add(error, "%s", asked->of->file);
}

static bool ask_url(const struct outside *outside, const struct outside_switch *asked, bool *ret, GError **error)
{
    g_autofree char *text = NULL;
    struct address address = {
        .url = asked->of->url, .ca = asked->of->ca, .token = asked->of->token, .timeout_us = SWITCH_US};
    return get(outside, &address, &text, error) && truth_of(text, ret, error);
}

static bool field_of(struct slice document, bool *ret, GError **error)
{
    struct path *made = NULL;
    bson_iter_t at;
    if (!path_parse(&made, "enabled", error))
        return false;
    auto_(path) path = made;
    if (!path_find(path, document, &at))
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "the record has no field 'enabled'");
    if (BSON_ITER_HOLDS_UTF8(&at)) {
        uint32_t len;
        const char *text = bson_iter_utf8(&at, &len);
        return whole_truth_of(text, len, ret, error);
    }
    if (!BSON_ITER_HOLDS_BOOL(&at) && !BSON_ITER_HOLDS_INT(&at))
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "its field 'enabled' is neither true nor false");
    *ret = bson_iter_as_bool(&at);
    return true;
}

static bool ask_key(const struct outside *outside, const struct outside_switch *asked, bool *ret, GError **error)
{
    auto_(arena) mem = arena_new(MEM_BYTES);
    struct dataset ds = *asked->target_ds;
    struct record record = {.key = slice_of_text(asked->of->key)};
    struct slice document;
    ds.shadow = NULL;
    ds.name = asked->of->dataset ? asked->of->dataset : ds.name;
    struct call call = {.deadline_us = world_monotonic_us(outside->world) + SWITCH_US,
                        .cancel = outside->cancel,
                        .ds = &ds,
                        .mem = mem};
    if (!store_read(asked->target, &call, &record, 1, error))
        return false;
    if (record.presence != RECORD_PRESENT)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s",
                         record.presence == RECORD_FAULT
                             ? record.fault.text
                             : "there is no such record, whose field 'enabled' would say true or false");
    return store_decode(session_driver(asked->target), &ds, record.raw, mem, &document, error) &&
           field_of(document, ret, error);
}

bool outside_enabled(const struct outside *outside, const struct outside_switch *asked, bool *ret, GError **error)
{
    g_autofree char *name = outside_switch_name(asked->of);
    if (asked->of->file) /* its own errors name it */
        return ask_file(outside, asked, ret, error);
    return (asked->of->url ? ask_url : ask_key)(outside, asked, ret, error) || error_add(error, "%s", name);
}

char *outside_switch_name(const struct spec_switch *of)
{
    return of->file      ? g_strdup_printf("file %s", of->file)
           : of->url     ? g_strdup_printf("url %s", of->url)
           : of->dataset ? g_strdup_printf("key %s of %s", of->key, of->dataset)
                         : g_strdup_printf("key %s of the target", of->key);
}
