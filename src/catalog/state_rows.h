/* The states of a run, a stage and a partition, and every move that is allowed: no more than the engine takes. A move
 * that is not a row is refused by name. The words stand in the catalog and in JSON: they are durable, the order is not.
 */
/* clang-format off */
#ifdef STATE
STATE(PLANNED,      "planned",      false)  /* symbol, word, whether the run is over */
STATE(WAITING,      "waiting",      false)
STATE(RUNNING,      "running",      false)
STATE(VERIFYING,    "verifying",    false)
STATE(PAUSED,       "paused",       false)
STATE(INTERRUPTED,  "interrupted",  false)
STATE(HALTED,       "halted",       false)
STATE(PROMOTING,    "promoting",    false)
STATE(ROLLING_BACK, "rolling-back", false)
STATE(DONE,         "done",         true)
STATE(ROLLED_BACK,  "rolled-back",  true)
STATE(ABORTED,      "aborted",      true)
STATE(FAILED,       "failed",       false)
#endif
#ifdef MOVE
MOVE(PLANNED,      RUNNING)
MOVE(PLANNED,      WAITING)     /* for its hours, as below */
MOVE(PLANNED,      ABORTED)
MOVE(PLANNED,      PAUSED)
MOVE(PLANNED,      HALTED)      /* by a hard guard, before it begins, or goes on; as those below */
MOVE(WAITING,      RUNNING)
MOVE(WAITING,      DONE)       /* the last gate is passed */
MOVE(WAITING,      PROMOTING)   /* … and its shadow is made live */
MOVE(WAITING,      PAUSED)
MOVE(WAITING,      INTERRUPTED)
MOVE(WAITING,      HALTED)
MOVE(WAITING,      FAILED)      /* its last gate is passed, but keys are not accounted for */
MOVE(WAITING,      ROLLING_BACK)
MOVE(WAITING,      ABORTED)
MOVE(RUNNING,      VERIFYING)
MOVE(RUNNING,      WAITING)
MOVE(RUNNING,      PAUSED)
MOVE(RUNNING,      INTERRUPTED)
MOVE(RUNNING,      HALTED)
MOVE(RUNNING,      FAILED)
MOVE(RUNNING,      ROLLING_BACK)
MOVE(RUNNING,      ABORTED)
MOVE(VERIFYING,    RUNNING)
MOVE(VERIFYING,    WAITING)
MOVE(VERIFYING,    PAUSED)
MOVE(VERIFYING,    INTERRUPTED)
MOVE(VERIFYING,    HALTED)
MOVE(VERIFYING,    FAILED)
MOVE(VERIFYING,    DONE)
MOVE(VERIFYING,    PROMOTING)
MOVE(VERIFYING,    ROLLING_BACK)
MOVE(VERIFYING,    ABORTED)
MOVE(PAUSED,       RUNNING)
MOVE(PAUSED,       VERIFYING)
MOVE(PAUSED,       WAITING)     /* a stage that soaks, or waits for an approval, goes on waiting */
MOVE(PAUSED,       PROMOTING)
MOVE(PAUSED,       PAUSED)      /* a guard that has paused it gives way to another one, or to what needs a person */
MOVE(PAUSED,       INTERRUPTED) /* while a guard has it: by a signal, */
MOVE(PAUSED,       HALTED)      /* … or by a hard guard */
MOVE(PAUSED,       ROLLING_BACK)
MOVE(PAUSED,       ABORTED)
MOVE(INTERRUPTED,  RUNNING)
MOVE(INTERRUPTED,  VERIFYING)
MOVE(INTERRUPTED,  WAITING)
MOVE(INTERRUPTED,  PAUSED)
MOVE(INTERRUPTED,  HALTED)
MOVE(INTERRUPTED,  PROMOTING)
MOVE(INTERRUPTED,  ROLLING_BACK)
MOVE(INTERRUPTED,  ABORTED)
MOVE(HALTED,       RUNNING)
MOVE(HALTED,       WAITING)
MOVE(HALTED,       PAUSED)      /* a person has let it go on, and a guard does not */
MOVE(HALTED,       PROMOTING)
MOVE(HALTED,       ROLLING_BACK)
MOVE(HALTED,       ABORTED)
MOVE(FAILED,       RUNNING)
MOVE(FAILED,       WAITING)
MOVE(FAILED,       PAUSED)      /* a person: `run` would take it up again */
MOVE(FAILED,       HALTED)
MOVE(FAILED,       VERIFYING)   /* of these: accounted for after all */
MOVE(FAILED,       PROMOTING)
MOVE(FAILED,       ROLLING_BACK)
MOVE(FAILED,       ABORTED)
MOVE(PROMOTING,    PAUSED)
MOVE(PROMOTING,    INTERRUPTED)
MOVE(PROMOTING,    HALTED)
MOVE(PROMOTING,    FAILED)
MOVE(PROMOTING,    DONE)
MOVE(PROMOTING,    ROLLING_BACK)
MOVE(PROMOTING,    ABORTED)
MOVE(DONE,         ROLLING_BACK)
MOVE(ABORTED,      ROLLING_BACK)
MOVE(ROLLING_BACK, ROLLED_BACK)
MOVE(ROLLING_BACK, PAUSED)      /* by a person, or with earlier stages that stand */
MOVE(ROLLING_BACK, INTERRUPTED)
MOVE(ROLLING_BACK, FAILED)
MOVE(ROLLING_BACK, HALTED)
#endif
#ifdef STAGE
STAGE(PENDING,     "pending")  /* symbol, word */
STAGE(RUNNING,     "running")
STAGE(VERIFYING,   "verifying")
STAGE(WAITING,     "waiting")
STAGE(PASSED,      "passed")
STAGE(FAILED,      "failed")
STAGE(ROLLED_BACK, "rolled-back")
#endif
#ifdef STAGE_MOVE
STAGE_MOVE(PENDING,   RUNNING)
STAGE_MOVE(PENDING,   ROLLED_BACK)
STAGE_MOVE(RUNNING,   VERIFYING)
STAGE_MOVE(RUNNING,   ROLLED_BACK)
STAGE_MOVE(VERIFYING, RUNNING)     /* its process died, or was stopped: what it lacks is written, then it is judged */
STAGE_MOVE(VERIFYING, WAITING)     /* soak, approval */
STAGE_MOVE(VERIFYING, PASSED)
STAGE_MOVE(VERIFYING, FAILED)
STAGE_MOVE(VERIFYING, ROLLED_BACK)
STAGE_MOVE(WAITING,   PASSED)
STAGE_MOVE(WAITING,   FAILED)      /* denied */
STAGE_MOVE(WAITING,   ROLLED_BACK)
STAGE_MOVE(PASSED,    ROLLED_BACK)
STAGE_MOVE(FAILED,    RUNNING)     /* judged again, after a resume */
STAGE_MOVE(FAILED,    ROLLED_BACK)
#endif
#ifdef PART
PART(PENDING,     "pending")  /* symbol, word */
PART(RUNNING,     "running")
PART(WRITTEN,     "written")
PART(VERIFIED,    "verified")
PART(FAILED,      "failed")       /* JSON has its count; nothing makes a partition fail by itself yet */
PART(ROLLED_BACK, "rolled-back")
#endif
#ifdef PART_MOVE  /* by catalog_parts_move(); a grant (pending to running), a last checkpoint (running to written) and what a server lost (any to pending) are not */
PART_MOVE(PENDING,  ROLLED_BACK)
PART_MOVE(RUNNING,  ROLLED_BACK)
PART_MOVE(WRITTEN,  VERIFIED)
PART_MOVE(WRITTEN,  ROLLED_BACK)
PART_MOVE(VERIFIED, WRITTEN)       /* its stage was denied: all of it is judged again */
PART_MOVE(VERIFIED, ROLLED_BACK)
#endif
/* clang-format on */
