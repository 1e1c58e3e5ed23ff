/* ROW(symbol, word, per million, ends, words): the faults that `sluice gen events` plants, one a record at most.
 * BY_RULE: not by chance, but wherever the words say. `ends`: what becomes of such a record under the spec that
 * docs/commands/gen.md gives. Those that are refused stay below the default limit of protect.rejects. The last ones,
 * from ENTRY_MISSING on, are of the index alone: the record is right. */
/* clang-format off */
ROW(LATE,         "late",         5000,    "written",    "it came an hour to seven days late, and stands among those of that time")
ROW(CLOCK_AHEAD,  "clock-ahead",  2000,    "mended",     "occurred_at by a clock that was a minute to a day ahead: later than received_at")
ROW(CLOCK_BEHIND, "clock-behind", 2000,    "written",    "occurred_at by a clock that was a minute to a day behind: nothing in the record tells")
ROW(DUPLICATE,    "duplicate",    5000,    "superseded", "the bytes of another line, up to 511 lines above, again")
ROW(AGAIN,        "again",        2000,    "supersedes", "an event up to 511 lines above, delivered again with another received_at")
ROW(TOMBSTONE,    "tombstone",    1000,    "deleted",    "an event up to 511 lines above is deleted: of kind `deleted`, without an amount")
ROW(LINE_CUT,     "line-cut",     100,     "refused",    "the line ends in the middle")
ROW(JSON_BROKEN,  "json-broken",  100,     "refused",    "not JSON: the kind has lost its quotes")
ROW(UTF8_BROKEN,  "utf8-broken",  100,     "refused",    "not UTF-8: the channel is in Latin-1")
ROW(AMOUNT_TEXT,  "amount-text",  100,     "refused",    "the amount is `\"n/a\"`")
ROW(ID_MISSING,   "id-missing",   100,     "refused",    "there is no event, hence no key")
ROW(CURRENCY,     "currency",     BY_RULE, "mended",     "yen a hundredfold, as if they had cents: all that were received from 2026-06-20T06:00Z to before 2026-06-21T18:00Z")
ROW(SCHEMA,       "schema",       BY_RULE, "mended",     "the first line of another shape, in which amount and currency lie in money; all that were received from 2026-06-25 on have it")
ROW(ERASURE,      "erasure",      BY_RULE, "filtered",   "a person is to be erased: one in 200, none of the hundred busiest")
ROW(ERASED,       "erased",       BY_RULE, "filtered",   "an event of a person who is erased in another line, above or below: all there are")
ROW(ENTRY_MISSING,   "entry-missing",   1000, "written", "of the index: an event stands without its entry")
ROW(ENTRY_DANGLING,  "entry-dangling",  1000, "written", "of the index: beside the event's own stands an entry of an event that there is not")
ROW(ENTRY_MISPLACED, "entry-misplaced", 1000, "written", "of the index: the event's entry stands under another account")
/* clang-format on */
