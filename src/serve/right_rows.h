/* RIGHT(symbol, word, words): what a request may need. ROLE(symbol, word, rights, words): what a token is given. The
 * words stand in the catalog and in JSON. */
/* clang-format off */
#ifdef RIGHT
RIGHT(OPEN,    "open",    "nothing: it tells nothing of any run")
RIGHT(READ,    "read",    "how runs stand, their plans, the ledger")
RIGHT(RECORDS, "records", "what records hold: refused records, reports, differences between runs")
RIGHT(OPERATE, "operate", "pause, resume, set, promote, rollback, abort, verify, retry, repair, tell hooks again")
RIGHT(APPROVE, "approve", "approve and deny")
RIGHT(PRUNE,   "prune",   "remove for good what has expired")
#endif
#ifdef ROLE
ROLE(VIEWER,   "viewer",   RIGHT_BIT(READ), "sees how runs stand, and no record")
ROLE(OPERATOR, "operator", RIGHT_BIT(READ) | RIGHT_BIT(RECORDS) | RIGHT_BIT(OPERATE), "pauses, resumes, sets limits, promotes, takes back, ends; approves nothing")
ROLE(APPROVER, "approver", RIGHT_BIT(READ) | RIGHT_BIT(RECORDS) | RIGHT_BIT(APPROVE), "approves and denies; moves nothing else")
ROLE(ADMIN,    "admin",    RIGHT_BIT(READ) | RIGHT_BIT(RECORDS) | RIGHT_BIT(OPERATE) | RIGHT_BIT(APPROVE) | RIGHT_BIT(PRUNE), "all of it; a gate still refuses who planned the run")
#endif
/* clang-format on */
