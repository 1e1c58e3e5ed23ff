/* The JSON shapes of the command line: what other programs read. Fields may be added, never renamed. */
#pragma once

#include <jansson.h>

#include "run/run.h"

json_t *
shape_text(const char *text); /* NULL: null; bytes that are not UTF-8 are replaced: JSON can hold nothing else */
json_t *shape_time(int64_t wall_ms);
json_t *shape_digest(const uint8_t digest[32]);
json_t *shape_key(struct slice key); /* a string, or {"base64": …} where it is not UTF-8 */
json_t *shape_stages(const struct stage_row *stages, size_t n);
/* A run without its stages: `status` adds them. */
json_t *shape_status(const struct run_row *run);

#define SHAPE_HEX (64 + 1)
const char *shape_hex(const uint8_t digest[32], char into[SHAPE_HEX]);

/* Records accounted for, on the way that the run is going: forwards or back. */
uint64_t shape_done(const struct run_row *run);
