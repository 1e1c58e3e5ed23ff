/* EXPIRY(symbol, word, words): what a run leaves and `retain` has a time for. */
/* clang-format off */
EXPIRY(UNDO,       "undo",       "its undo log: pre-images of what it wrote")
EXPIRY(QUARANTINE, "quarantine", "the records it refused")
EXPIRY(REPORTS,    "reports",    "its reports, notes, samples and what it told, and the listing of its keys")
/* clang-format on */
