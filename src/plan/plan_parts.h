/* Internal to plan/: how the files of this folder share the work. */
#pragma once

#include "plan/plan.h"

void plan_digest_text(struct plan *plan);

/* text.c: the frozen plan as JSON, and back. */
bool plan_text_write(struct plan *plan, GError **error);
bool plan_text_read(struct plan *plan, struct slice text, GError **error);

/* cut.c: listing or duplicates pass, and the partitions. */
bool plan_cut(struct plan *plan, const struct plan_config *config, GError **error);

/* unique.c: adds to the skip list who loses by the contract's `unique`. */
bool plan_unique(struct plan *plan, const struct plan_config *config, struct session *session, GError **error);

/* An empty plan with its arena. */
struct plan *plan_new(const struct plan_config *config);
/* Opens source and target of the spec, decides same_dataset, sink, write and conflict. */
bool plan_open_stores(struct plan *plan, const struct plan_config *config, GError **error);
const char *plan_copy(struct plan *plan, const char *text);
