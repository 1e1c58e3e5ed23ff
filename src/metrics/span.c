#include "metrics/span.h"

#include <glib.h>
#include <string.h>

#include "base/hex.h"

#define NS_PER_MS 1000000

static json_t *hex_json(const uint8_t *bytes, size_t n)
{
    char text[HEX_TEXT(TRACE_ID_BYTES)];
    return json_string(hex_text(bytes, n, text));
}

static json_t *text_of_i64(int64_t value)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
    return json_string(text);
}

static json_t *value_json(json_t *value)
{
    if (json_is_integer(value))
        return json_pack("{s:o}", "intValue", text_of_i64(json_integer_value(value)));
    if (json_is_boolean(value))
        return json_pack("{s:O}", "boolValue", value);
    return json_pack("{s:O}", json_is_real(value) ? "doubleValue" : "stringValue", value);
}

static json_t *attributes_json(json_t *object)
{
    json_t *list = json_array(), *value;
    const char *name;
    json_object_foreach(object, name, value)
    {
        if (!json_is_null(value))
            json_array_append_new(list, json_pack("{s:s, s:o}", "key", name, "value", value_json(value)));
    }
    return list;
}

json_t *span_json(const struct span *span)
{
    enum { INTERNAL = 1 };
    json_t *object = json_pack("{s:o, s:o, s:s, s:i, s:o, s:o, s:o, s:{s:i}}", "traceId",
                               hex_json(span->place.trace, TRACE_ID_BYTES), "spanId",
                               hex_json(span->place.id, SPAN_ID_BYTES), "name", span->name, "kind", (int)INTERNAL,
                               "startTimeUnixNano", text_of_i64(span->from_ms * NS_PER_MS), "endTimeUnixNano",
                               text_of_i64(MAX(span->from_ms, span->to_ms) * NS_PER_MS), "attributes",
                               attributes_json(span->attributes), "status", "code", (int)span->end);
    if (span->place.has_parent)
        json_object_set_new(object, "parentSpanId", hex_json(span->place.parent, SPAN_ID_BYTES));
    json_decref(span->attributes);
    return object;
}

json_t *span_request(json_t *spans)
{
    return json_pack("{s:[{s:{s:[{s:s, s:{s:s}}, {s:s, s:{s:s}}]}, s:[{s:{s:s, s:s}, s:O}]}]}", "resourceSpans",
                     "resource", "attributes", "key", "service.name", "value", "stringValue", "sluice", "key",
                     "service.version", "value", "stringValue", SLUICE_VERSION, "scopeSpans", "scope", "name", "sluice",
                     "version", SLUICE_VERSION, "spans", spans);
}

void span_id(const uint8_t of[TRACE_ID_BYTES], const char *words, uint8_t ret[SPAN_ID_BYTES])
{
    uint8_t digest[32];
    gsize len = sizeof digest;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, of, TRACE_ID_BYTES);
    g_checksum_update(sum, (const guchar *)words, (gssize)strlen(words));
    g_checksum_get_digest(sum, digest, &len);
    memcpy(ret, digest, SPAN_ID_BYTES);
    ret[0] |= 1; /* all zero is none */
}

bool span_taken(const uint8_t run[TRACE_ID_BYTES], uint32_t part, double share)
{
    uint8_t id[SPAN_ID_BYTES];
    uint64_t place = 0;
    g_autofree char *words = g_strdup_printf("taken %u", part);
    span_id(run, words, id);
    for (size_t i = 0; i < sizeof id; i++)
        place = place << 8 | id[sizeof id - 1 - i]; /* the first byte is never even */
    return share >= 1 || (double)place < share * 0x1p64;
}

enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, LENGTH = 55 };

bool span_is_sampled(const char *traceparent)
{
    uint8_t flags;
    return !traceparent || strlen(traceparent) != LENGTH ||
           !hex_parse(slice_of(traceparent + FLAGS_AT, 2), &flags, 1) || (flags & 1);
}

bool span_place_of(const char *traceparent, struct span_place *io)
{
    struct span_place place = *io;
    if (!traceparent || strlen(traceparent) != LENGTH ||
        !hex_parse(slice_of(traceparent + TRACE_AT, 2 * TRACE_ID_BYTES), place.trace, TRACE_ID_BYTES) ||
        !hex_parse(slice_of(traceparent + PARENT_AT, 2 * SPAN_ID_BYTES), place.parent, SPAN_ID_BYTES))
        return false;
    place.has_parent = true;
    *io = place;
    return true;
}
