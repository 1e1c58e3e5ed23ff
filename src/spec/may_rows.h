/* MAY(symbol, word, widens): what `owner.may` can grant: the commands that change a run, and the one that judges it
 * anew. `widens`: more may be written for it; what stops a run or takes it back does not. */
/* clang-format off */
MAY(APPROVE,  "approve",  true)
MAY(DENY,     "deny",     false)
MAY(PAUSE,    "pause",    false)
MAY(RESUME,   "resume",   true)
MAY(SET,      "set",      true)
MAY(PROMOTE,  "promote",  true)
MAY(ABORT,    "abort",    false)
MAY(ROLLBACK, "rollback", false)
MAY(VERIFY,   "verify",   false)
/* clang-format on */
