/* ROW(name, words): the places in src/catalog at which the crash suite dies. */
/* clang-format off */
ROW("catalog.begun",     "a transaction holds the write lock and has written nothing")
ROW("catalog.commit",    "all statements of a transaction are done, nothing of it is durable")
ROW("catalog.committed", "a transaction is durable, its caller does not know it yet")
/* clang-format on */
