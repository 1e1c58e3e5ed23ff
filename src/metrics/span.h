/* Spans of a trace, as OTLP has them in JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids in
 * hex, times in nanoseconds as texts. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SPAN_ID_BYTES  8
#define TRACE_ID_BYTES 16

struct span_place {
    uint8_t trace[TRACE_ID_BYTES], id[SPAN_ID_BYTES], parent[SPAN_ID_BYTES];
    bool has_parent;
};

enum span_end { SPAN_UNSET, SPAN_WELL, SPAN_FAILED };
struct span {
    struct span_place place;
    const char *name;
    int64_t from_ms, to_ms;
    json_t *attributes; /* an object of texts, numbers and booleans; taken over */
    enum span_end end;
};
json_t *span_json(const struct span *span);

/* A request with these spans (an array, borrowed) of this program. */
json_t *span_request(json_t *spans);

/* The id of what the words name below `of`: the same words, the same id. */
void span_id(const uint8_t of[TRACE_ID_BYTES], const char *words, uint8_t ret[SPAN_ID_BYTES]);

/* Whether a partition is one of that share of them: of the same run always the same, and of a larger share too. */
bool span_taken(const uint8_t run[TRACE_ID_BYTES], uint32_t part, double share);

/* What a W3C traceparent says of whether its trace is recorded; true where it is none. */
bool span_is_sampled(const char *traceparent);

/* Of a W3C traceparent: trace and parent of io. False: it is none. */
bool span_place_of(const char *traceparent, struct span_place *io);
