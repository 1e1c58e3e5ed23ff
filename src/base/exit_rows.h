/* ROW(status, words): what a command ends with. Other programs depend on these numbers: append only. */
/* clang-format off */
ROW(0,   "done as asked, every record accounted for and nothing refused")
ROW(1,   "a fault of sluice itself")
ROW(2,   "the command line, the spec, the contract or the transform is wrong; the message names file, line and column")
ROW(3,   "paused, and a person is needed, or interrupted")
ROW(4,   "verification found differences, a gate failed, or a fixture of `test`")
ROW(5,   "a hard guard halted the run")
ROW(6,   "a store or the catalog could not be reached or refused; trying again may help")
ROW(7,   "not permitted, or refused for safety")
ROW(8,   "done, but some records were quarantined or kept live; the summary counts them")
ROW(9,   "there is no such run, stage or key")
ROW(10,  "`plan --detailed-exitcode`: something to do")
ROW(124, "`wait` timed out")
/* clang-format on */
