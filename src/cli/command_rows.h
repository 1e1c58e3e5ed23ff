/* COMMAND(name, arguments, min, max, words, more, options…): in the order of the help. */
/* clang-format off */
COMMAND(run,        "SPEC",          1, 1, "plan the spec, ask, and run; an unfinished run of the same plan is resumed",
        "The first Ctrl-C finishes the batches in flight and checkpoints; the second stops at once. Both are safe: the same\n"
        "command goes on. A run that a person has paused is only taken up by `sluice resume`.",
        OPTION_YES, OPTION_AGAIN, OPTION_REASON, OPTION_FORCE_UNLOCK)
COMMAND(status,     "[RUN]",         0, 1, "how a run stands",
        "RUN is NAME.N; NAME alone is its newest run; without it the newest run of all.", OPTION_COUNT)
COMMAND(list,       "",              0, 0, "the runs, newest first", "", OPTION_COUNT)
COMMAND(pause,      "RUN",           1, 1, "pause a run, from any terminal", "It holds against everything until `sluice resume`.", OPTION_REASON)
COMMAND(resume,     "RUN",           1, 1, "go on with a run that was paused, interrupted, halted or failed", "", OPTION_REASON, OPTION_FORCE_UNLOCK)
COMMAND(abort,      "RUN",           1, 1, "end a run; what it wrote stands", "", OPTION_REASON, OPTION_FORCE_UNLOCK)
COMMAND(rollback,   "RUN",           1, 1, "take a run back, exactly",
        "Every key that the application has not written since is restored byte for byte, its expiry included; every key it\n"
        "has is left alone and listed. It can be killed, resumed and repeated.",
        OPTION_STAGE, OPTION_DRY_RUN, OPTION_REASON, OPTION_YES, OPTION_FORCE_UNLOCK)
COMMAND(verify,     "SPEC|RUN",      1, 1, "compare source and target now", "Prints and saves a report.", OPTION_FULL)
COMMAND(quarantine, "list|show RUN", 2, 3, "the refused records: `list RUN`, `show RUN NUMBER`", "", OPTION_LIMIT)
COMMAND(cat,        "STORE DATASET", 2, 2, "a dataset as NDJSON", "", OPTION_LIMIT, OPTION_WHERE, OPTION_KEYS, OPTION_KEY)
COMMAND(stores,     "",              0, 0, "the drivers and what each can do", "", OPTION_COUNT)
COMMAND(audit,      "log|verify",    1, 1, "the ledger: print it, or check its chain", "", OPTION_HEAD, OPTION_LIMIT)
COMMAND(version,    "",              0, 0, "the version of sluice", "", OPTION_COUNT)
COMMAND(help,       "[COMMAND]",     0, 1, "this, or what a command takes", "", OPTION_COUNT)
/* clang-format on */
