/* ROW(command, words, key, writes): a right that a run needs. `words` are the arguments it is asked for with, separated
 * by blanks; a `%` is the key: of the dataset (RECORD) or sluice's own (OWN). What scripts call needs the right as
 * well. */
/* clang-format off */
ROW("hgetall",              "%",           RECORD, false)
ROW("get",                  "%",           RECORD, false)
ROW("memory|usage",         "%",           RECORD, false)
ROW("pexpiretime",          "%",           RECORD, false)
ROW("scan",                 "0",           NONE,   false)
ROW("info",                 "",            NONE,   false)
ROW("time",                 "",            NONE,   false)
ROW("dbsize",               "",            NONE,   false)
ROW("script|load",          "x",           NONE,   true)
ROW("evalsha",              "x 0",         NONE,   true)
ROW("hset",                 "% f v",       RECORD, true)
ROW("set",                  "% v",         RECORD, true)
ROW("exists",               "%",           RECORD, true)
ROW("unlink",               "%",           RECORD, true)
ROW("pexpireat",            "% 1",         RECORD, true)
ROW("hmget",                "% f",         OWN,    true)
ROW("hset",                 "% f v",       OWN,    true)
ROW("hdel",                 "% f",         OWN,    true)
ROW("hget",                 "% f",         OWN,    true)
ROW("hgetall",              "%",           OWN,    true)
ROW("unlink",               "%",           OWN,    true)
ROW("wait",                 "0 0",         NONE,   true)
/* clang-format on */
