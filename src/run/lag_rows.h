/* ROW(symbol, word, words): why a partition lags behind the others; the first that can be shown is said, in this order.
 * docs/partitions.md */
/* clang-format off */
ROW(ERRORS,    "errors",    "calls that fail and are tried again take a fifth of its time or more")
ROW(CONTENDED, "contended", "a tenth of its writes or more met a record that had changed since it was read")
ROW(REFUSED,   "refused",   "a tenth of its records or more are refused, and that is twice what the others have")
ROW(LARGE,     "large",     "its records are twice as large as the others', or larger")
ROW(SOURCE,    "source",    "its source takes most of what it needs more than the others for a record")
ROW(TARGET,    "target",    "its target does")
ROW(TRANSFORM, "transform", "the transform does, or the processor")
ROW(HOME,      "home",      "the home does: undo log, catalog, quarantine")
ROW(WAITING,   "waiting",   "waiting for the rate or for the budget does")
ROW(UNKNOWN,   "unknown",   "none of these")
/* clang-format on */
