/* Strings into nothing that one MSETNX sets, in a transaction with the fence and without a script that would have to
 * take each byte of them (docs/drivers/valkey.md, "Strings together"). What comes to nothing is for a call of cas.lua,
 * which answers for each record. Internal to the numbered writes. */
#pragma once

#include "store/valkey/write_parts.h"

/* Whether volleys of this session may go together: where there is one place for all, the user may, and nothing stood in
 * the way lately. */
bool together_may(struct session *session);
/* Before a batch: the server is given the script. Where that is in vain, nothing goes together. */
void together_learn(struct session *session, const struct call *call);

/* What a volley becomes: the parts of a command, of cas->args. */
enum { TOGETHER_PARTS = 5 };
void together_parts(const struct cas *cas, const struct volley *volley, struct command parts[TOGETHER_PARTS]);

enum together_answer {
    TOGETHER_WRITTEN,
    TOGETHER_FENCED, /* *ret_epoch is the one that stands there */
    TOGETHER_NOTHING,
    TOGETHER_STRANGE, /* it was set, and nobody can say more */
};
enum together_answer together_answered(struct session *session, const struct reply *reply, struct slice *ret_epoch);
