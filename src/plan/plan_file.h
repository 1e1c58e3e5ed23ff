/* A plan in a file: `sluice plan SPEC -o FILE`, read and perhaps signed off by somebody, then `sluice run --plan FILE`
 * runs exactly that, or refuses and names what has moved.
 *
 * The file is JSON: the frozen text with its digest, and what stands in the catalog once it is a run (partitions and
 * their stages). Listing and losing states are large and stay in the home that the plan was made in. */
#pragma once

#include "plan/plan.h"

struct plan_file;

/* Durable when it returns (written aside, fsync, rename). `forecast`: a JSON object beside the plan, or NULL; it is not
 * part of what is digested. */
bool plan_file_write_durable(const struct plan *plan, const struct world *world, const char *path, const char *forecast,
                             GError **error);

/* NOT_FOUND; CORRUPT: no plan, or one whose text is not that of its digest. */
bool plan_file_open(struct plan_file **ret, const struct world *world, const char *path, GError **error);
void plan_file_free(struct plan_file *file);
AUTO_DEFINE(plan_file, plan_file_free)
const uint8_t *plan_file_digest(const struct plan_file *file);
const char *plan_file_spec_path(const struct plan_file *file);

/* The plan, its stores open. REFUSED, naming it, where anything is no longer what was planned: spec, contract,
 * transform, home, the listing, the source's contents (files) or its size by more than a tenth (a live store), where
 * the target is. */
bool plan_from_file(struct plan **ret, const struct plan_config *config, const struct plan_file *file, GError **error);
