/* Internal to plan/: how the files of this folder share the work. */
#pragma once

#include <jansson.h>

#include "plan/plan.h"

void plan_digest_text(struct plan *plan);
/* tests.c: where the spec names fixtures, they are green, and the plan has their digest. */
bool plan_tests_check(struct plan *plan, const struct plan_config *config, GError **error);
/* Whether the file of fixtures is the one whose digest the plan has; then the plan has its text. */
bool plan_tests_are(struct plan *plan, const struct world *world, bool *ret, GError **error);
/* Which partition is in which stage. */
void plan_digest_deal(const struct plan *plan, uint8_t ret[32]);
/* text.c: whether the partitions' stages are those that the text was written with. */
bool plan_deal_is(const struct plan *plan);

/* text.c: the frozen plan as JSON, and back. */
bool plan_text_write(struct plan *plan, GError **error);
bool plan_text_read(struct plan *plan, struct slice text, GError **error);

/* cut.c: what the source is asked for where it is cut into ranges. */
struct split_wish plan_split_wish(const struct plan *plan);
/* cut.c: counts the keys of a listed source as they are now. */
bool plan_count_keys(const struct plan *plan, const struct plan_config *config, uint64_t *ret, GError **error);
/* plan.c: where listing and skip list of the uid are. */
void plan_paths(struct plan *plan);

/* cut.c: listing or duplicates pass, and the partitions. */
bool plan_cut(struct plan *plan, const struct plan_config *config, GError **error);
/* workers.c: how many there are where nobody says, at least; and as the source's servers are. */
enum { PLAN_WORKERS = 2 };
bool plan_workers_decide(struct plan *plan, struct session *session, GError **error);

/* unique.c: adds to the skip list who loses by the contract's `unique`. */
bool plan_unique(struct plan *plan, const struct plan_config *config, struct session *session, GError **error);
/* risk.c: figures and risk of every partition; probes some of them. */
bool plan_risk(struct plan *plan, const struct plan_config *config, GError **error);

/* order.c: the figures that the stages' orders go by. SPEC, with its place, where there are none. */
bool plan_order(struct plan *plan, const struct plan_config *config, GError **error);

/* stages.c: gives every partition its stage, by the scopes of the spec. */
bool plan_deal_stages(struct plan *plan, const struct plan_config *config, GError **error);

/* rights.c: stages, gates and `owner.may` in the plan's text. */
json_t *plan_stages_json(const struct plan *plan);
json_t *plan_may_json(const struct spec *spec);
bool plan_rights_take(json_t *root, struct arena *mem, struct plan_rights *ret);

enum { KEYS_BYTES = 64 << 20 }; /* of a file of keys */

/* only.c: a file of keys, sorted and without duplicates; in plan->mem. */
struct plan_keys {
    const struct slice *keys;
    size_t n;
};
bool plan_keys_read(struct plan *plan, const struct world *world, const char *path, struct plan_keys *ret,
                    GError **error);
/* What `source.only` means, into plan->only and the source's dataset; what it means by partitions is known when they
 * are cut, or was frozen. */
bool plan_only_set(struct plan *plan, const struct plan_config *config, GError **error);
struct listing_reader;
bool plan_only_of_listing(struct plan *plan, struct listing_reader *all, GError **error);
bool plan_only_has_part(const struct plan *plan, uint32_t part);
/* What of it matched nothing, when all is cut: n_parts of the whole. NOT_FOUND where nothing matched at all. */
bool plan_only_tell(struct plan *plan, const struct plan_config *config, uint32_t n_parts, GError **error);
json_t *plan_key_json(struct slice key);
enum { PLAN_EXAMPLES = 100 }; /* of what matched nothing */
/* stage_keys.c: which partitions hold keys of a stage, into has[part]. NOT_FOUND: none does. */
bool plan_stage_keys(struct plan *plan, const struct plan_config *config, const struct spec_stage *stage, bool *has,
                     GError **error);
void plan_only_put(const struct plan *plan, json_t *root);
bool plan_only_take(struct plan *plan, const json_t *root);

/* params.c: the values of the spec's params, in the plan's text. */
json_t *plan_params_json(const struct spec *spec);
void plan_params_put(const struct plan *plan, json_t *root);
void plan_params_take(struct plan *plan, const json_t *root);

/* supersedes.c: the run that this one supersedes, in the plan's text. */
void plan_supersedes_put(const struct plan *plan, json_t *root);
void plan_supersedes_take(struct plan *plan, const json_t *root);
/* What cannot be planned before that run is taken back. */
bool plan_supersedes_check(const struct plan *plan, GError **error);

/* retries.c: the run whose refused records this one retries, in the plan's text. */
bool plan_retries_begin(struct plan *plan, const struct plan_retry *retry, GError **error);
void plan_retries_put(const struct plan *plan, json_t *root);
bool plan_retries_take(json_t *root, struct arena *mem, struct plan_retries **ret);
/* Of a stretch of time: the spec's range becomes it, for this plan. */
bool plan_retries_narrow(struct plan *plan, GError **error);
/* What cannot be decided for some records alone. */
bool plan_retries_check(const struct plan *plan, size_t n_places, GError **error);
/* What the verification saw, of a repair: written down beside the listing when it is planned, and read back. */
bool plan_retries_see_durable(struct plan *plan, const struct plan_config *config, GError **error);
bool plan_retries_saw(struct plan *plan, const struct plan_config *config, GError **error);
/* Of ranges: leaves the partitions, and of them the records, that are asked for. */
bool plan_retries_choose(struct plan *plan, const struct plan_config *config, struct session *session, GError **error);

/* removal.c: leaves of the keys those that the source does not have now; of every other plan, and of a source that is
 * not asked by key, all. NOT_FOUND: it has them all. */
bool plan_removal_left(struct plan *plan, const struct plan_config *config, struct plan_retry *io, GError **error);
/* plan.c: as the spec names it. */
struct dataset plan_source_dataset(const struct spec *spec);

/* hooks.c: the hooks in the plan's text. */
void plan_hooks_put(const struct plan *plan, json_t *root);
/* text.c: what the prices mean for the budget's limits. */
void plan_budget_price(struct plan_limits *io);
/* guards.c: the limits of the guards, as the spec says them; in the plan's text. */
void plan_guards_set(struct plan *plan);
json_t *plan_guards_json(const struct plan_limits *limits);
bool plan_guards_take(json_t *object, struct plan_limits *ret);
/* What nothing measures of the target: SPEC where it was asked for, else plan->unwatched. */
bool plan_guards_check(struct plan *plan, const struct plan_config *config, GError **error);
/* retain.c: how long what the run leaves is kept, in the plan's text. */
void plan_retain_put(const struct plan *plan, json_t *root);
void plan_retain_take(struct plan *plan, const json_t *root);

/* An empty plan with its arena. */
struct plan *plan_new(const struct plan_config *config);
/* Opens source and target of the spec, decides same_dataset, sink, write and conflict. */
bool plan_open_stores(struct plan *plan, const struct plan_config *config, GError **error);
const char *plan_copy(struct plan *plan, const char *text);
