/* ROW(code, name, test on `driver`, words): what a driver can do, told from its table alone. `sluice stores` prints the
 * rows; the conformance suite holds the list that each driver is expected to have. */
/* clang-format off */
ROW(SCAN,     "scan",     driver->scan_open && driver->scan_next && driver->scan_close, "read from beginning to end, and go on from a cursor")
ROW(READ,     "read",     driver->read,                                                 "read records by key")
ROW(SPLIT,    "split",    driver->split,                                                "divide a dataset into partitions")
ROW(LIST,     "list",     driver->list,                                                 "list its keys, so that a partition is a fixed list of them")
ROW(IDENTITY, "identity", driver->frozen,                                               "freeze what it holds by a digest")
ROW(CAS,      "cas",      driver->write && driver->write->cas,                          "write by key, numbered, where nothing has changed")
ROW(FENCE,    "fence",    driver->write && driver->write->lane_open && driver->write->fence_read && driver->write->fence_drop,
                                                                                        "tell which numbered writes were applied")
ROW(SETTLE,   "settle",   driver->write && driver->write->settle,                       "make writes durable on request")
ROW(LOCK,     "lock",     driver->write && driver->write->lock && driver->write->unlock, "keep other runs from the same dataset")
ROW(SINK,     "sink",     driver->sink && driver->sink->write_durable && driver->sink->publish_durable && driver->sink->published && driver->sink->bounds && driver->sink->drop,
                                                                                        "be written as new files")
ROW(BIG,      "big",      driver->big && driver->big->stands_for && driver->big->copies, "copy values too big to be held whole, from one such store to another")
ROW(HEALTH,   "health",   driver->health,                                               "say how each of its servers feels: round trip, load, memory, replicas")
ROW(SLOTS,    "slots",    driver->slots && driver->slots->of,                        "say in which numbered slot a record lies, so that a run may take some slots alone")
ROW(HEAT,     "heat",     driver->heat,                                                 "say how often its records are used, so that a stage may take the hottest first")
ROW(SHADOW,   "shadow",   driver->shadow && driver->shadow->drop,                       "be written beside what is live, and promoted later")
ROW(PROBE,    "probe",    driver->probe && driver->probe->set_pace && driver->probe->open && driver->probe->run && driver->probe->close,
                                                                                        "be written at a pace that live requests do not feel")
ROW(MEMBERS,  "members",  driver->members && driver->members->open && driver->members->next && driver->members->close && driver->members->ask &&
                                                                                            driver->members->examine,
                                                                                        "list the members of a set or sorted set, and say whether one is among them")
/* clang-format on */
