/* ROW(symbol, word, per million, ends, words): the faults that `sluice gen customers` plants, one a record at most.
 * `ends`: what becomes of such a record under the starter spec: mended by the transform, converted by the contract,
 * superseded by a newer state, or refused. Those that are refused stay below the default limit of protect.rejects. */
/* clang-format off */
ROW(TIER_CUT,      "tier-cut",      20000, "mended",     "the name of the tier lost its end: `plat`")
ROW(ZIP_SHORT,     "zip-short",      5000, "mended",     "the zip code lost its leading zero: `4217`")
ROW(TIER_MISSING,  "tier-missing",   5000, "converted",  "there is no tier; the contract has a default")
ROW(BALANCE_TEXT,  "balance-text",   5000, "converted",  "the balance is a text: `\"12.50\"`")
ROW(OLDER_STATE,   "older-state",    1000, "superseded", "an older state of a customer who stands in another line too")
ROW(BALANCE_BELOW, "balance-below",   100, "refused",    "the balance is below zero")
ROW(GOLD_WITHOUT,  "gold-without",    100, "refused",    "a gold customer has no balance")
ROW(TIME_MISSING,  "time-missing",    100, "refused",    "there is no updated_at")
ROW(NAME_SPACED,   "name-spaced",     100, "refused",    "the username has blanks and capitals")
ROW(LINE_CUT,      "line-cut",        100, "refused",    "the line ends in the middle")
/* clang-format on */
