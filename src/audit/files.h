/* The files of a bundle, written and read with their digests. Internal to audit/. */
#pragma once

#include <jansson.h>

#include "audit/bundle.h"

#define BUNDLE_VERSION  1
#define BUNDLE_MANIFEST "manifest.json"
#define BUNDLE_RUN      "run.json"
#define BUNDLE_PLAN     "plan.json"
#define BUNDLE_LEDGER   "ledger.ndjson"
#define BUNDLE_TIMELINE "timeline.txt"
#define BUNDLE_CAP      (size_t)(1u << 30) /* of one file */

void bundle_digest(struct slice bytes, uint8_t ret[32]);
json_t *bundle_hex(const uint8_t digest[32]);
bool bundle_unhex(const json_t *value, uint8_t ret[32]);

/* Writes DIR/PATH, into the folder or the archive. */
bool bundle_write(const struct audit_bundle *wish, const char *path, struct slice bytes, GError **error);
/* The same, and notes it in `files`, a list of the manifest. */
bool bundle_put(const struct audit_bundle *wish, json_t *files, const char *path, struct slice bytes, GError **error);

/* A line of the ledger, and back; `mem` holds its texts. */
bool bundle_entry_put(GString *into, const struct ledger_entry *entry, GError **error);
bool bundle_entry_read(const json_t *line, struct arena *mem, struct ledger_entry *ret);
