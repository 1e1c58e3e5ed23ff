/* MAY(symbol, word): what `owner.may` can grant: the commands that change a run. */
/* clang-format off */
MAY(APPROVE,  "approve")
MAY(DENY,     "deny")
MAY(PAUSE,    "pause")
MAY(RESUME,   "resume")
MAY(SET,      "set")
MAY(PROMOTE,  "promote")
MAY(ABORT,    "abort")
MAY(ROLLBACK, "rollback")
/* clang-format on */
