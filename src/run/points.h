/* ROW(name, words): the places in src/run, beside the steps of run/op.h, at which the crash suites die. */
/* clang-format off */
ROW("hook.send",     "a delivery is about to be performed")
ROW("hook.sent",     "it is performed, nobody has recorded it")
ROW("hook.recorded", "it is recorded, with its ledger entry")
/* clang-format on */
