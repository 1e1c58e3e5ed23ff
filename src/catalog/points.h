/* The places in src/catalog at which the crash suites die.
 *
 * ROW(name, words): of every transaction. MOVE_POINT(name, words): around those that move a state; a run with gates
 * dies at each passage of them (tests/crash/crash.py reads the list here). LOST_POINT(name, words): around what takes
 * checkpoints back after a server was replaced. */
/* clang-format off */
#ifdef ROW
ROW("catalog.begun",     "a transaction holds the write lock and has written nothing")
ROW("catalog.commit",    "all statements of a transaction are done, nothing of it is durable")
ROW("catalog.committed", "a transaction is durable, its caller does not know it yet")
#endif
#ifdef LOST_POINT
LOST_POINT("parts.lost",     "checkpoints that a server may have lost are about to be taken back")
LOST_POINT("parts.are_lost", "they count no longer, and their partitions are pending")
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
