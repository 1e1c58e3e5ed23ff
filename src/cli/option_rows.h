/* OPTION(symbol, name, value, words): value NULL is a flag. Each is also an environment variable: SLUICE_ and its name.
 * Those up to NO_COLOR are taken by every command. */
/* clang-format off */
OPTION(HOME,         "home",         "DIR",  "where runs, checkpoints and the undo log are kept (default $SLUICE_HOME, else ./.sluice)")
OPTION(JSON,         "json",         NULL,   "print JSON: one document, or an object a line")
OPTION(QUIET,        "quiet",        NULL,   "print results and errors only")
OPTION(LOG_LEVEL,    "log-level",    "LEVEL", "what is told beside the results: error, warn, or info (states and progress; the default)")
OPTION(NO_COLOR,     "no-color",     NULL,   "no colours (NO_COLOR is honoured too)")
OPTION(REASON,       "reason",       "TEXT", "why; goes into the ledger")
OPTION(YES,          "yes",          NULL,   "do not ask")
OPTION(AGAIN,        "again",        NULL,   "run it although a run of this very plan is done and its transform would be applied twice")
OPTION(FORCE_UNLOCK, "force-unlock", NULL,   "take the target's lock from a run that is known to be dead; recorded")
OPTION(STAGE,        "stage",        "NAME", "from this stage on")
OPTION(DRY_RUN,      "dry-run",      NULL,   "only say what would be done")
OPTION(FULL,         "full",         NULL,   "compare every key (the only way in this version)")
OPTION(LIMIT,        "limit",        "N",    "at most N records")
OPTION(WHERE,        "where",        "LUA",  "only records for which the expression over `doc` holds")
OPTION(KEYS,         "keys",         NULL,   "keys only")
OPTION(KEY,          "key",          "PATH", "the path of the field that makes the key, for files")
OPTION(HEAD,         "head",         "HEX",  "a ledger head known from elsewhere")
OPTION(HELP,         "help",         NULL,   "what the command does")
/* clang-format on */
