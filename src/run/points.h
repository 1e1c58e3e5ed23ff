/* ROW(name, words): the places in src/run, beside the steps of run/op.h, at which the crash suites die. */
/* clang-format off */
ROW("hook.send",     "a delivery is about to be performed")
ROW("hook.sent",     "it is performed, nobody has recorded it")
ROW("hook.recorded", "it is recorded, with its ledger entry")
ROW("part.split",    "a checkpoint is about to split its partition")
ROW("part.is_split", "the new partition is durable with its ledger entry, nobody waits for it yet")
ROW("prune.expire",  "a run is held, something of it is about to expire")
ROW("prune.expired", "its expiry is durable with its ledger entry, nothing is removed")
ROW("prune.file",    "some of its files are removed, others stand")
ROW("prune.files",   "all of its files are removed")
ROW("prune.rows",    "what its rows said of keys is deleted, and may still stand in the catalog's files")
ROW("prune.wiped",   "the catalog's files are written anew, no row says that all is gone")
/* clang-format on */
