/* COMMAND(name, arguments, min, max, words, more, json, options…): in the order of the help. `json`: what --json makes
 * of it, DOCUMENT (one, on one line) or LINES (an object a line; where the command drives a run, the last says how it
 * ended). */
/* clang-format off */
COMMAND(init,       "[DIR]",         0, 1, "write a commented starter spec, its contract, its transform and fixtures of it",
        "Replaces nothing: where one of the files is there, none is written. It prints what to do next, on made-up records\n"
        "first and then on your own.",
        DOCUMENT, OPTION_TEMPLATE, OPTION_SCHEMA)
COMMAND(doctor,     "SPEC",          1, 1, "look at everything that a run needs, before it; writes nothing",
        "A line a check: ok, warn or fail, and what to do. Ends with 0 where nothing fails, else with the first failure's code:\n"
        "2 the spec, the contract or the transform is wrong, 6 a store is not reached, 7 a run would be refused.",
        DOCUMENT, OPTION_PARAM)
COMMAND(try,        "SPEC",          1, 1, "what would become of a few records: before, after, the decision; writes nothing",
        "Records go the whole way by the code of the run: transform, contract, the look at the live target, the policy.\n"
        "`--key K` takes one record, `--sample N` some, `--keys-from RUN` those that a run refused or got wrong. -o FILE makes\n"
        "fixtures of them, for `sluice test`; --mask hides what must not leave. Ends with 8 where some would be refused, with 9\n"
        "where there is no K.",
        LINES, OPTION_KEY, OPTION_SAMPLE, OPTION_KEYS_FROM, OPTION_OUT, OPTION_MASK, OPTION_PARAM)
COMMAND(test,       "SPEC",          1, 1, "run the fixtures of the transform: record in, record out; opens no store",
        "By the code of a run, in the sandbox, contract included. What fails is shown field by field and ends with 4;\n"
        "`--update` writes what came as what is expected, after asking. docs/fixtures.md has the format.",
        LINES, OPTION_UPDATE, OPTION_YES, OPTION_PARAM)
COMMAND(plan,       "SPEC",          1, 1, "what a run would do: stages, a forecast of every outcome, risk, defaults; nothing is written",
        "The forecast goes by a sample that takes the whole way of a run. With -o FILE the plan is kept; `sluice run --plan\n"
        "FILE` then runs exactly that. The listing of its keys stays in the home.",
        DOCUMENT, OPTION_PARAM, OPTION_OUT, OPTION_DETAILED_EXITCODE, OPTION_SHOW_SPEC)
COMMAND(run,        "[SPEC|RUN]",    0, 1, "plan the spec, ask, and run; an unfinished run of the same plan is resumed",
        "With --plan FILE it runs the plan in the file, without asking, or refuses (7) and names what has moved.\n"
        "The first Ctrl-C finishes what is in flight, without waiting for its pace, and checkpoints; the second stops at\n"
        "once. Both are safe: the same command goes on. A run that a person has paused is only taken up by `sluice resume`.\n"
        "While the writes of another run stand on the target it refuses with 7; `--supersede RUN` takes over from that run\n"
        "(docs/mending.md). NAME.N in place of a spec goes on with exactly that run, and plans nothing. --detach leaves it\n"
        "running when the terminal closes; `sluice watch` shows it.",
        LINES, OPTION_PARAM, OPTION_DETACH, OPTION_PLAN, OPTION_YES, OPTION_AGAIN, OPTION_SUPERSEDE, OPTION_REASON, OPTION_FORCE_UNLOCK, OPTION_EXIT_ON_PAUSE, OPTION_METRICS_FILE, OPTION_PUSH, OPTION_STATSD, OPTION_DOGSTATSD, OPTION_OTLP, OPTION_OTLP_HEADER, OPTION_OTLP_SAMPLE, OPTION_SERVE, OPTION_LISTEN, OPTION_TLS_CERT, OPTION_TLS_KEY, OPTION_TLS_CA, OPTION_TLS_CRL, OPTION_ANONYMOUS)
COMMAND(status,     "[RUN…]",        0, 1000, "how a run stands",
        "RUN is NAME.N; NAME alone is its newest run; without it the newest run of all. Of several, --json prints an object a\n"
        "line.",
        DOCUMENT, OPTION_COUNT)
COMMAND(watch,      "[RUN…]",        0, 1000, "a run, live: a bar per stage, until it ends or waits for a person",
        "Reads only; it can be left and taken up again at any time. With --json a status object a line.",
        LINES, OPTION_COUNT)
COMMAND(wait,       "RUN",           1, 1, "block until the run is in a state",
        "Exits 0 in that state (`done` also with quarantined records: 8), 124 on a time-out, 3 when the run has ended in\n"
        "another state, or waits for a person, so that the one waited for cannot come by itself.",
        DOCUMENT, OPTION_FOR, OPTION_TIMEOUT)
COMMAND(list,       "",              0, 0, "the runs, newest first", "", DOCUMENT, OPTION_COUNT)
COMMAND(diff,       "RUN RUN",       2, 2, "what lies between two runs: what they were made from, what was planned, what came of it",
        "Texts line by line, the frozen plan figure by figure, stages, outcomes; and where both have listed their keys, which\n"
        "of them ended otherwise, with examples (--limit, 10).",
        DOCUMENT, OPTION_LIMIT)
COMMAND(pause,      "RUN…",          0, 1000, "pause runs, from any terminal",
        "It holds against everything until `sluice resume`. --all pauses every run of the home that is not at its end.\n"
        "--all --hold sets a flag instead, which all of them heed within a second or two, those too that begin later: until\n"
        "`sluice resume --all` lifts it, and they go on by themselves.",
        LINES, OPTION_ALL, OPTION_HOLD, OPTION_REASON)
COMMAND(resume,     "RUN…",          0, 1000, "go on with a run that was paused, interrupted, halted or failed",
        "A run that was halted needs a --reason. Of several each goes to its end before the next one; with --detach all go on\n"
        "at the same time. --all lifts the flag of `sluice pause --all --hold`.",
        LINES, OPTION_ALL, OPTION_DETACH, OPTION_REASON, OPTION_FORCE_UNLOCK, OPTION_EXIT_ON_PAUSE, OPTION_METRICS_FILE, OPTION_PUSH, OPTION_STATSD, OPTION_DOGSTATSD, OPTION_OTLP, OPTION_OTLP_HEADER, OPTION_OTLP_SAMPLE)
COMMAND(approve,    "RUN",           1, 1, "give the approval that a gate of the run waits for",
        "It names gate, attempt, plan and report by digest, and counts for these alone; with --report it is refused where\n"
        "the stage was judged again since somebody looked. Who may is said by the gate's `approve` and by\n"
        "`owner.may.approve`; who planned the run may not.",
        DOCUMENT, OPTION_REPORT, OPTION_REASON)
COMMAND(deny,       "RUN",           1, 1, "refuse the approval that a gate of the run waits for: the run pauses", "",
        DOCUMENT, OPTION_REPORT, OPTION_REASON)
COMMAND(set,        "RUN KEY=VALUE…", 2, 100, "change limits of a run, all or none, also while it is at work; KEY=? reads it",
        "protect.rate.max, protect.errors, protect.rejects, protect.kept_live, the limits of the guards (docs/guards.md),\n"
        "protect.hold, protect.signals.NAME; workers (from the next stage on). `protect.` may be\n"
        "left out. Recorded; the plan stays as it is.",
        DOCUMENT, OPTION_REASON)
COMMAND(promote,    "RUN",           1, 1, "make the shadow of a run live, once its gates have passed",
        "Key by key, paced and journalled like any write: it can be killed, resumed and repeated, and `sluice rollback` takes\n"
        "it back. What the application has written, deleted or let expire since is left to the policy of the spec, and listed\n"
        "where that keeps it. Until it ends readers see old and new records side by side.",
        LINES, OPTION_REASON, OPTION_YES, OPTION_DRY_RUN, OPTION_FORCE_UNLOCK)
COMMAND(abort,      "RUN…",          1, 1000, "end a run; what it wrote stands",
        "It can still be taken back afterwards, with `sluice rollback`.", LINES, OPTION_REASON, OPTION_FORCE_UNLOCK)
COMMAND(rollback,   "RUN",           1, 1, "take a run back, exactly",
        "Every key that the application has not written since is restored byte for byte, its expiry included; every key it\n"
        "has is left alone and listed. It can be killed, resumed and repeated. It goes at the pace of any work, and waits for\n"
        "the guards; with --pace urgent nothing holds it back, which is recorded.",
        LINES, OPTION_STAGE, OPTION_PACE, OPTION_DRY_RUN, OPTION_REASON, OPTION_YES, OPTION_FORCE_UNLOCK)
COMMAND(verify,     "SPEC|RUN",      1, 1, "compare source and target now",
        "Prints a verdict and saves a report: a line of JSON per difference. What holds a `/` or ends in .yaml is a spec.\n"
        "Of a run the target alone is read first: partitions whose sums are still those of their gate are as they were then;\n"
        "the others are compared with the source, key by key. The verdict says which was done. --full compares every key with\n"
        "the source; `--sample 99.9%,0.01%` as many as make one 99.9% sure that fewer than 0.01% differ,\n"
        "`99.9%,0.01%,5%` also that fewer than 5% of each size, age and shard do (docs/samples.md).\n"
        "--extra also names what the target has beyond the source, where its dataset is to hold nothing else. --baseline NAME.N\n"
        "holds the values against those that another run left (of a run with --full or --sample: only then all are read).\n"
        "--follow goes round and round at a low rate, with --json an object a line, and keeps a report where something is new.",
        DOCUMENT, OPTION_FULL, OPTION_EXTRA, OPTION_SAMPLE, OPTION_BASELINE, OPTION_FOLLOW, OPTION_EVERY, OPTION_RATE, OPTION_PARAM)
COMMAND(repair,     "RUN|REPORT [SPEC]", 1, 2, "a run for what a verification found differing or missing",
        "RUN: by its newest report of `sluice verify RUN`; REPORT: by this one. The records are read anew from the source, in a\n"
        "run with a plan, gates and an undo log of its own, and written only where the target still holds what the\n"
        "verification saw: what was written since is kept live and listed. The same command goes on with it; with --dry-run or\n"
        "-o FILE it is only planned. With --extra it is a run that takes out of the target what a report of `sluice verify RUN\n"
        "--extra` names as beyond the source; a rollback puts it back. With --bucket it is a run of all records of the stretch\n"
        "of time that the report flags (docs/commands/repair.md).",
        LINES, OPTION_EXTRA, OPTION_BUCKET, OPTION_DRY_RUN, OPTION_DETACH, OPTION_OUT, OPTION_YES, OPTION_PARAM, OPTION_AGAIN, OPTION_REASON, OPTION_FORCE_UNLOCK, OPTION_EXIT_ON_PAUSE)
COMMAND(quarantine, "list|show|retry RUN [SPEC]", 2, 3, "the refused records: `list RUN`, `show RUN NUMBER`, `retry RUN`",
        "`retry` makes a new run of what RUN refused, with a plan, gates and an undo log of its own: the records are read anew\n"
        "from the source, by the spec, contract and transform as they stand now. The same command goes on with it, as `sluice\n"
        "run NAME.N` does; with -o FILE it is only planned, and `sluice run --plan FILE` runs it (docs/commands/quarantine.md).",
        LINES, OPTION_LIMIT, OPTION_DETACH, OPTION_OUT, OPTION_YES, OPTION_PARAM, OPTION_AGAIN, OPTION_REASON, OPTION_FORCE_UNLOCK, OPTION_EXIT_ON_PAUSE, OPTION_METRICS_FILE, OPTION_PUSH, OPTION_STATSD, OPTION_DOGSTATSD, OPTION_OTLP, OPTION_OTLP_HEADER, OPTION_OTLP_SAMPLE)
COMMAND(prune,      "",              0, 0, "remove what runs have left and `retain` has no more time for",
        "Undo logs, refused records, reports and listings of runs that are at their end, each after its time (docs/retain.md).\n"
        "It can be killed and repeated. What an unfinished run needs is kept. What is removed is gone: afterwards such a run\n"
        "cannot be taken back.",
        DOCUMENT, OPTION_DRY_RUN, OPTION_REASON)
COMMAND(cat,        "STORE DATASET", 2, 2, "a dataset as NDJSON",
        "A relative path in STORE is relative to the folder that you are in. With --p99 the store is read at the pace that\n"
        "its live requests leave; three seconds go by first, in which nothing is read and their latency is measured.", LINES,
        OPTION_LIMIT, OPTION_WHERE, OPTION_KEYS, OPTION_KEY, OPTION_P99, OPTION_FENCES)
COMMAND(dump,       "FILE",          1, 1, "a file of the home as lines of JSON, whatever it is",
        "Segments of undo logs, chains, listings, skip lists, samples, owners, sketches, quarantines, reports: the file says\n"
        "which it is. What does not verify is named by its place, the rest is printed all the same; it then ends with 6.\n"
        "docs/formats/ says what the lines mean.",
        LINES, OPTION_COUNT)
COMMAND(explain,    "[KEY]",         0, 2, "what a word means: a key of spec, contract or fixture, an exit code, an error, a state, a command",
        "`sluice explain target.conflict`, or `conflict` alone; `explain exit 8`, `explain kept_live`. The kind may stand before\n"
        "the name: `explain contract version`. Without a name all of the kind are listed, without a kind all.\n"
        "`explain --schema spec`, `contract` and `fixture` print the JSON Schema that an editor wants;\n"
        "`explain hours SPEC --next 5` says when the hours of a spec begin and end, from now on.",
        DOCUMENT, OPTION_SCHEMA, OPTION_NEXT, OPTION_PARAM)
COMMAND(gen,        "NAME",          1, 1, "synthetic data with known faults in it: `gen customers`, `gen events`",
        "NDJSON, the same on every machine for the same number and seed. With --faults, every fault that was planted is\n"
        "listed: line, key, fault, what the field should be and what it is, and how such a record ends. `sluice explain fault`\n"
        "has the faults of each. With --index the events get a secondary index, whose entries are at fault too.",
        LINES, OPTION_RECORDS, OPTION_SEED, OPTION_OUT, OPTION_FAULTS, OPTION_INDEX)
COMMAND(demo,       "[DIR]",         0, 1, "the whole story on made-up customers in the embedded store, in about a minute",
        "A bug, the gate that finds it, a death in the middle, the way back: each command is printed and run, in a new folder\n"
        "(./sluice-demo), which is left to look at. --records N of them, 100,000 if not given.",
        LINES, OPTION_RECORDS)
COMMAND(stores,     "",              0, 0, "the drivers and what each can do", "", DOCUMENT, OPTION_COUNT)
COMMAND(hooks,      "RUN",           1, 1, "what the hooks of a run were told, and what not yet",
        "A line a delivery: event, hook, how it stands, the last words. --retry tells those again that have failed\n"
        "(docs/hooks.md).",
        DOCUMENT, OPTION_RETRY)
COMMAND(export,     "metrics|alerts|grafana|runbook [SPEC|RUN|overview|on-call|debug]", 1, 2, "what other tools need to watch runs",
        "`metrics [RUN]` prints what Prometheus scrapes, of the runs of the home or of one; `alerts [SPEC|RUN]` alert rules, of\n"
        "all runs or of those of a spec; `grafana overview`, `on-call` or `debug` a dashboard, and with -o DIR all three into a\n"
        "folder; `runbook SPEC|RUN` what to do with a run of it, as Markdown (docs/metrics.md).",
        DOCUMENT, OPTION_OUT, OPTION_RUNBOOK, OPTION_PARAM)
COMMAND(audit,      "log|verify|export|bundle [RUN]", 1, 2, "the ledger: print it, check its chain, or take it, or the record of a run, out of it",
        "`log --limit N` prints the newest N entries. `verify --head HEX` also looks for a head that is known from elsewhere:\n"
        "each run prints the one it leaves. `bundle RUN -o DIR` writes everything that is on record of a run into a new folder:\n"
        "spec, plan, approvals and their reasons, reports, its part of the ledger; `export -o FILE` the whole ledger into a file;\n"
        "`verify --bundle DIR|FILE` checks such a folder or file,\n"
        "on any machine (docs/formats/bundle.md).",
        LINES, OPTION_HEAD, OPTION_LIMIT, OPTION_OUT, OPTION_BUNDLE, OPTION_REASON)
COMMAND(serve,      "",              0, 0, "answer over HTTP what the command line answers, with a live page; until Ctrl-C",
        "On this machine alone, unless --listen says otherwise: then only with TLS, and for tokens alone (`sluice token`).\n"
        "docs/api.md has the addresses. What it starts outlives it.",
        DOCUMENT, OPTION_LISTEN, OPTION_TLS_CERT, OPTION_TLS_KEY, OPTION_TLS_CA, OPTION_TLS_CRL, OPTION_ANONYMOUS)
COMMAND(token,      "create|list|revoke [WHO]", 1, 2, "who may ask `sluice serve`: make a token, list them, end one",
        "`create WHO --role ROLE` prints a token, once; the catalog keeps its digest. What is done with it stands in the ledger\n"
        "as WHO@token, and counts as done by WHO for `owner.may` and for approvals. Roles: viewer, operator, approver, admin.\n"
        "With --certificate NAME it is no text, but the client certificate of that name (`serve --tls-ca`).",
        DOCUMENT, OPTION_ROLE, OPTION_EXPIRES, OPTION_ONLY, OPTION_GROUPS, OPTION_CERTIFICATE, OPTION_REASON)
COMMAND(completion, "bash|zsh|words [WORD…]", 1, 1000, "tab completion: a script for the shell, or what may stand next",
        "`source <(sluice completion bash)` in ~/.bashrc; for zsh `sluice completion zsh > _sluice` in a folder of its fpath.\n"
        "The scripts ask `sluice completion words -- WORD…`: a line for each word that may stand in place of the last one;\n"
        "runs are those of the home. A line with a colon before it asks the shell for names: :files, :dirs, :specs.",
        DOCUMENT, OPTION_COUNT)
COMMAND(version,    "",              0, 0, "the version of sluice", "", DOCUMENT, OPTION_COUNT)
COMMAND(help,       "[COMMAND]",     0, 1, "this, or what a command takes", "", DOCUMENT, OPTION_MAN)
/* clang-format on */
