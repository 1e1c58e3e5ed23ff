/* ROW(symbol, word, words): every key that a verification looks at is counted under exactly one word. */
/* clang-format off */
ROW(EQUAL,         "equal",         "the target holds what is wanted")
ROW(DIFFERING,     "differing",     "the target holds what the run wrote, but that is not what is wanted")
ROW(MISSING,       "missing",       "the target holds the pre-image, or nothing, where something is wanted")
ROW(EXTRA,         "extra",         "in the target, wanted by nothing in the source")
ROW(SUPERSEDED,    "superseded",    "the live record is newer than what this one gives: the application's, or another state of the key that the run wrote")
ROW(CHANGED_SINCE, "changed_since", "the live record is neither the pre-image nor what the run wrote: the application wrote it since")
ROW(KEPT,          "kept",          "kept live by the policy; its presence was checked")
ROW(UNVISITED,     "unvisited",     "never listed, though the run would have changed something for it")
ROW(REFUSED,       "refused",       "in the quarantine, and the verifier's own pass refuses it too")
ROW(FILTERED,      "filtered",      "left out by `where` or the transform, and the verifier's own pass leaves it out too")
ROW(GONE,          "gone",          "listed, then deleted in the source before it was read")
ROW(EXPIRED,       "expired",       "expired between the reads")
ROW(APPEARED,      "appeared",      "came up after the listing, and the run would have changed nothing for it")
ROW(IN_FLIGHT,     "in_flight",     "never still from one look to the next, and not in every reading the application's own. Counts against the gate")
ROW(NOT_COMPARABLE, "not_comparable", "the live record cannot be read, and no record of the run tells what it is; the report says why. Counts against the gate")
ROW(IN_DOUBT,      "in_doubt",      "the run itself does not know what became of it. Counts against the gate")
/* clang-format on */
