/* CHECK(name, function, words): what `sluice doctor` looks at, in this order. A check may rely on those before it. */
/* clang-format off */
CHECK(spec,      look_spec,      "the spec is read, and says nothing that this version refuses")
CHECK(contract,  look_contract,  "the contract is read")
CHECK(transform, look_transform, "transform, libs and `where` load")
CHECK(tests,     look_tests,     "the fixtures of the transform are green")
CHECK(source,    look_source,    "the source is reached, and the dataset is there")
CHECK(target,    look_target,    "the target is reached, and may be written: by this user, and by no other process alone")
CHECK(servers,   look_servers,   "what the servers of source and target allow, and whether they keep what they are given")
CHECK(lock,      look_lock,      "nobody holds the target's lock")
CHECK(plan,      look_plan,      "source and target fit together; what would be written where")
CHECK(clock,     look_clock,     "the clocks of the stores agree with this machine's within protect.skew")
CHECK(home,      look_home,      "the home may be written")
CHECK(runs,      look_runs,      "no other run's writes stand on the target")
CHECK(records,   look_records,   "what contract, transform and policy make of a sample")
CHECK(space,     look_space,     "the home's disk holds the undo log")
CHECK(approvals, look_approvals, "users or groups of this machine are called as `owner.may` and the gates call them")
CHECK(protect,   look_protect,   "what nothing in this version measures")
/* clang-format on */
