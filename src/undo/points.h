/* ROW(name, words): the places in src/undo at which the crash suite dies. */
/* clang-format off */
ROW("undo.segment.made",     "a new segment stands in the directory, no manifest names it")
ROW("undo.segment.named",    "the manifest names a new segment, nothing is written into it")
ROW("undo.segment.closed",   "the manifest says how long the segment before is")
ROW("undo.intents.appended", "intents are written, not durable")
ROW("undo.intents.durable",  "intents are durable, nothing is sent")
ROW("undo.outcomes.appended", "outcomes are written, not durable")
ROW("undo.chains.draft",     "the chains are written under a name that nobody reads")
ROW("undo.chains.made",      "the chains stand, nothing is taken back")
/* clang-format on */
