/* ROW(symbol, word, kind, words): how a record ends, and what else is counted. One table gives enum, JSON, docs.
 * LISTED: every listed key ends in exactly one of these, and their sum is `listed`. BESIDE: counted apart. BACK: how a
 * key ends in a rollback; their sum is the number of keys the rollback found. PROMOTED: how a key of a shadow ends in
 * its promotion, likewise. The order is durable (four bits of a checkpoint; those beside need none): append only. */
/* clang-format off */
ROW(WRITTEN,   "written",   LISTED, "written by this run, or what it wanted was written by this very run before a crash")
ROW(UNCHANGED, "unchanged", LISTED, "the target already held exactly what was wanted")
ROW(KEPT_LIVE, "kept_live", LISTED, "the live record stands by the policy: newer, unversioned, present, or deleted by the application")
ROW(REJECTED,  "rejected",  LISTED, "refused by its form, the contract, the transform or the store; it is in the quarantine")
ROW(FILTERED,  "filtered",  LISTED, "`where` or the transform left it out")
ROW(DELETED,   "deleted",   LISTED, "removed from the target, as the transform or a tombstone asked")
ROW(GONE,      "gone",      LISTED, "listed, but no longer in the source when it was read: deleted or expired, told apart where it had been read before")
ROW(IN_DOUBT,  "in_doubt",  LISTED, "a lost fence leaves open whether it was written; listed by name, never guessed")
ROW(LISTED_,   "listed",    BESIDE, "keys the run has to account for")
ROW(READ,      "read",      BESIDE, "records read from the source")
ROW(EMITTED,   "emitted",   BESIDE, "records put out by a transform that makes several of one")
ROW(RETRIED,   "retried",   BESIDE, "writes decided again because the live record changed meanwhile")
ROW(DUPLICATES,"duplicates",BESIDE, "states of a key that another state of the source supersedes")
ROW(APPEARED,  "appeared",  BESIDE, "keys that came up after the listing; not of this run")
ROW(RESTORED,  "restored",  BACK,   "taken back byte for byte, its expiry included")
ROW(LEFT,      "left",      BACK,   "written by the application since, or not to be read or written any more: left alone and listed")
ROW(EXPIRED,   "expired",   BESIDE, "of those gone or kept live: read with an expiry, and it has passed since")
ROW(REMOVED,   "removed",   BESIDE, "of those gone or kept live: read, and deleted by the application since, not by an expiry")
ROW(PROMOTED,  "promoted",  PROMOTED, "of a shadow: made live by promotion, or the live record was it already")
ROW(PASSED_OVER,"passed_over",PROMOTED,"of a shadow: not made live, for the application wrote, deleted or let expire the record since and the policy keeps that; listed")
/* clang-format on */
