/* ROW(name, words): the places in src/quarantine at which the crash suite dies. */
/* clang-format off */
ROW("quarantine.appended", "rows are written, not durable")
ROW("quarantine.durable",  "rows are durable, no checkpoint counts them")
ROW("quarantine.cut",      "rows of a dead holder are gone")
/* clang-format on */
