/* The places in src/catalog at which the crash suites die.
 *
 * ROW(name, words): of every transaction. MOVE_POINT(name, words): around those that move a state; a run with gates
 * dies at each passage of them (tests/crash/crash.py reads the list here). */
/* clang-format off */
#ifdef ROW
ROW("catalog.begun",     "a transaction holds the write lock and has written nothing")
ROW("catalog.commit",    "all statements of a transaction are done, nothing of it is durable")
ROW("catalog.committed", "a transaction is durable, its caller does not know it yet")
#endif
#ifdef MOVE_POINT
MOVE_POINT("run.move",    "a run is about to move")
MOVE_POINT("run.moved",   "the move is durable with its ledger entry")
MOVE_POINT("stage.move",  "a stage is about to move, with its run where that moves by it")
MOVE_POINT("stage.moved", "the move is durable with its ledger entry")
MOVE_POINT("parts.move",  "partitions are about to be verified, written again or taken back")
MOVE_POINT("parts.moved", "all of them have moved")
#endif
/* clang-format on */
