/* The contract: what a record must be like after its transform. Converts to the field's type, without loss or not at
 * all.
 *
 * Read from YAML with all errors at once. A struct contract is immutable and shared; a struct contract_check holds the
 * compiled rules (a sandbox) and scratch of one thread. docs/contracts.md is the user's page. */
#pragma once

#include "base/diags.h"
#include "base/world.h"
#include "record/document.h"
#include "spec/rows.h"

struct contract;
struct contract_check;

/* `world` must outlive the contract: by its clock rules are given up that run far too long.
 * On errors *error (CONTRACT) holds all of them, one a line, in the order of the file. */
bool contract_read(struct contract **ret, const struct world *world, const char *path, GError **error);
/* The same from memory, for a text that was frozen: `path` is what it was read from. */
bool contract_parse(struct contract **ret, const struct world *world, const char *path, struct slice text,
                    GError **error);
void contract_free(struct contract *contract);
AUTO_DEFINE(contract, contract_free)

struct slice contract_source_text(const struct contract *contract); /* the file's bytes: what is digested */
const char *contract_name(const struct contract *contract);
uint64_t contract_version(const struct contract *contract);
/* The fields named by `unique`, as dotted paths. */
const char *const *contract_unique(const struct contract *contract, size_t *ret_n);

bool contract_check_new(struct contract_check **ret, const struct contract *contract, GError **error);
void contract_check_free(struct contract_check *check);
AUTO_DEFINE(contract_check, contract_check_free)

/* Applies the contract: conversions, defaults, `unknown: drop`, then rules. *ret is the very slice that came in where
 * nothing had to change, else it lives in `mem`. A refusal is CONTRACT_SAYS with a line for every failing field and
 * rule: what was found and what was expected: `tier: 'golld' is not one of bronze, silver, gold, platinum; did you mean
 * 'gold'?`. TOO_BIG where `mem` is full or the record grows above DOCUMENT_BYTES. Of class fatal only where a rule
 * passed a limit of its sandbox: then only contract_check_free() may follow. Cost: one walk, no heap but for a refusal.
 */
bool contract_apply(struct contract_check *check, struct slice document, struct arena *mem, struct slice *ret,
                    GError **error);

/* --- rows: for explain, schema, help ------------------------------------------------------------------------------ */

const struct spec_row *contract_rows(size_t *ret_n);
char *contract_schema_json(void); /* JSON Schema of a contract; the caller frees */
