/* Rules over all records of the target (`expect:`): no value stands twice, each value is the key of a record in another
 * dataset, the contract takes each record, each will expire or none, each may be evicted or none. Exact; memory is
 * bounded by a batch, the disk takes 64 bytes a record for `unique`. One thread. */
#pragma once

#include "verify/verify.h"

struct rule;
/* `folder`: where `unique` sorts. */
bool rule_new(struct rule **ret, const struct verify_input *input, const struct spec_expect *of, const char *folder,
              GError **error);
void rule_free(struct rule *rule);
AUTO_DEFINE(rule, rule_free)

/* Document empty: it cannot be read. What is borrowed lives until rule_settle(). */
bool rule_record(struct rule *rule, const struct record *record, struct slice document, struct arena *mem,
                 GError **error);
/* Behind each batch, before its memory goes. */
bool rule_settle(struct rule *rule, struct session *session, struct arena *mem, GError **error);
/* When all records have come. ret_found: what does not hold, with the first keys; the caller frees. */
bool rule_end(struct rule *rule, bool *ret_holds, char **ret_found, GError **error);
const struct spec_expect *rule_of(const struct rule *rule);

/* A key in words, as messages of rules have it: valid UTF-8, at most 80 bytes of it. The caller frees. */
char *rule_key_text(struct slice key);
