/* Another judge of the same pairs (`verify.command`): a program that reads a line of JSON for each pair and prints a
 * line with its verdict for each (docs/judges.md). It is started for a batch of pairs at a time, and has to end with
 * it: what it knows of one batch it does not know in the next, and one that hangs is killed after its time.
 *
 * It is asked of what the verifier itself calls equal, differing or missing; what the application has written since is
 * not the run's. A pair passes where both call it equal: it can find more, and hides nothing.
 *
 * Any thread; a lock of its own, a leaf. */
#pragma once

#include <jansson.h>

#include "verify/verify_parts.h"

#define THEIRS_WORDS 32 /* different ones, at most */

/* *ret NULL: nobody else judges. JUDGE where the files of the command are not those that were planned. */
bool theirs_new(struct theirs **ret, const struct verify_input *input, GError **error);
void theirs_free(struct theirs *theirs);

/* What it calls each (subject->word). JUDGE, by name, where it died, hung, or gave no verdict on each: then nothing is
 * equal because of it. */
bool theirs_judge(struct pass *pass, GArray *subjects, GError **error);

/* "; ./check judged 1 000 pairs: 3 rounded"; nothing where nobody else judges. */
void theirs_words(struct theirs *theirs, GString *into);
/* {"command", "digest", "pairs", "words": {WORD: N}}. */
json_t *theirs_json(struct theirs *theirs);
