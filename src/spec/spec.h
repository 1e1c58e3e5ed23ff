/* The spec: the YAML file in which a user describes a backfill, read into one struct.
 *
 * Everything about its keys (form, default, words, example, whether this version acts on it) is a row of
 * spec/spec_rows.c: the parser, the "did you mean", the JSON Schema, `explain` and docs/spec.md's test come from there.
 * All errors of a file are reported at once, with file:line:column. A key that this version knows but does not act on
 * yet is refused by name, never ignored. docs/spec.md is the user's page. */
#pragma once

#include "base/diags.h"
#include "base/world.h"
#include "record/key.h"
#include "spec/events.h"
#include "spec/guard.h"
#include "spec/live.h"
#include "spec/money.h"
#include "spec/rows.h"

enum spec_duplicates { DUPLICATES_NEWEST, DUPLICATES_ERROR, DUPLICATES_ALL };
enum spec_as { AS_DEFAULT, AS_HASH, AS_JSON, AS_RAW };
enum spec_expires { EXPIRES_KEEP, EXPIRES_NONE /* never */, EXPIRES_AFTER, EXPIRES_FROM };
enum spec_write { WRITE_IN_PLACE, WRITE_FILL, WRITE_SHADOW };
enum spec_conflict { CONFLICT_NEWER_WINS, CONFLICT_KEEP_LIVE, CONFLICT_OVERWRITE };
enum spec_unversioned { UNVERSIONED_KEEP_LIVE, UNVERSIONED_OVERWRITE };
enum spec_ties { TIES_KEEP_LIVE, TIES_REPAIR };
enum spec_on_failure { ON_FAILURE_PAUSE, ON_FAILURE_ROLLBACK_STAGE, ON_FAILURE_ROLLBACK };

/* Whether the user wrote it, or it is the default; for defaults that depend on other things (`write`, `conflict`) the
 * plan decides when it knows whether source and target are the same dataset. */
enum spec_given { SPEC_DEFAULT, SPEC_GIVEN };

enum spec_param_type {
    PARAM_STRING,
    PARAM_INTEGER,
    PARAM_DECIMAL,
    PARAM_DATE,
    PARAM_DATETIME,
    PARAM_DURATION,
    PARAM_BOOLEAN
};

/* A parameter and its value. */
struct spec_param {
    const char *name;
    enum spec_param_type type;
    const char *value; /* in its one form */
    bool given;        /* by NAME=VALUE; else it is the default */
    uint32_t line;     /* of the default; 0: it has none */
};

/* `source.only`: one of four. */
struct spec_span {
    uint32_t from, to; /* both within */
};
struct spec_only {
    const char *keys;              /* path of a file; NULL: not given */
    const struct spec_span *slots; /* n_slots == 0: not given */
    size_t n_slots;
    bool ranged;
    const char *from, *to; /* of keys; NULL: open */
    const struct spec_span *parts;
    size_t n_parts;
};

/* Until when a source can be read: at a time, or so long after the run was planned. */
struct spec_until {
    int64_t at_ms, after_ms; /* 0: not given */
};

/* A stretch of time, half-open. */
struct spec_range {
    struct path *field;     /* NULL: there is no range */
    int64_t from_us, to_us; /* INT64_MIN, INT64_MAX: open */
};

struct spec_source {
    const char *store, *dataset; /* secrets not replaced; dataset "" where the store is itself one (undo:RUN) */
    struct key_paths key;        /* n == 0: not given: the store's own keys */
    struct path *version;        /* NULL: none */
    enum spec_duplicates duplicates;
    enum spec_as
        as; /* AS_DEFAULT: as the target where the dataset has the same name, else as the store keeps documents */
    const char *where; /* Lua expression over `doc`; NULL: all */
    struct spec_range range;
    struct spec_only only;
    struct spec_until until;
};

struct spec_transform {
    const char *lua; /* path, resolved against the spec's folder; NULL: none */
    const char **libs;
    size_t n_libs;
    const char *tests; /* NULL: none */
    bool idempotent;
};

struct spec_target {
    const char *store, *dataset;
    enum spec_as as;
    enum spec_expires expires;
    int64_t expires_after_ms;
    struct path *expires_from;
    enum spec_write write;
    enum spec_given write_given;
    enum spec_conflict conflict;
    enum spec_given conflict_given;
    enum spec_unversioned unversioned;
    enum spec_ties ties;
};

/* Which partitions of those that are left a stage takes first. */
enum spec_order {
    ORDER_RISKIEST,
    ORDER_LISTED,
    ORDER_SMALLEST,
    ORDER_NEWEST,
    ORDER_OLDEST,
    ORDER_HOTTEST,
    ORDER_COUNT
};
const char *spec_order_word(enum spec_order order);

/* So sure must one be that a smaller share than this differs; each != 0: and than that, of each kind of records. */
struct spec_sure {
    double confidence, below, each;
};

struct spec_stage {
    const char *name;
    double scope_share;                       /* cumulative, 0..1; 1 where partitions, records or keys are given */
    const char *scope_keys;                   /* path of a file; NULL: not given */
    uint64_t scope_partitions, scope_records; /* 0: not given */
    enum spec_order order;
    struct spec_sure sure; /* what a sample of it must prove; confidence 0: it is verified in full */
    int64_t soak_ms;       /* 0: none */
    const char *approve;   /* a user or a group of the operating system; NULL: no one is asked */
};

/* What `owner.may` speaks of. */
enum spec_may_what {
#define MAY(symbol, word, widens) SPEC_MAY_##symbol,
#include "spec/may_rows.h"
#undef MAY
    SPEC_MAY_COUNT
};
const char *spec_may_word(enum spec_may_what what);
/* Whether more may be written for it. */
bool spec_may_widens(enum spec_may_what what);

/* Who may do what: users and groups of the operating system; n == 0: whoever may write the home. */
struct spec_may {
    const char **names;
    size_t n;
};

enum spec_topology { TOPOLOGY_FOLLOW, TOPOLOGY_HALT };

/* A signal of the user's own: a query of Prometheus, an address, or a program that prints a number. */
struct spec_signal {
    const char *name;
    const char *prometheus, *query;        /* secrets not replaced; both or none */
    const char *url;                       /* secrets not replaced; NULL: another kind */
    const char *ca, *token;                /* of prometheus and url; token: not replaced; NULL: none */
    const char *shell;                     /* a command for /bin/sh; NULL: argv, or another kind */
    const char **argv;                     /* ends with NULL; right behind `shell` */
    bool below;                            /* a reading under the limit is what breaches it */
    double limit, slow;                    /* slow: the run is slowed from there on, too; its limit where not given */
    int64_t every_ms, hold_ms, timeout_ms; /* hold_ms 0: that of all guards */
    bool hard;                             /* halts in place of pausing */
};
#define SPEC_SIGNALS_MOST 16u
#define SPEC_PRIORITY     5u

/* Who says whether the run may write: asked every second. */
struct spec_switch {
    const char *file;          /* resolved */
    const char *key, *dataset; /* of the target's store; dataset NULL: the target's */
    const char *url;           /* secrets not replaced */
    const char *ca, *token;    /* of the url */
};

struct spec_protect {
    enum spec_topology topology;
    int64_t skew_ms;
    double errors, rejects, kept_live; /* shares; 1: no limit */
    double rate_max_per_s;             /* 0: none */
    struct spec_live live;
    double guards[GUARD_COUNT]; /* limits, in the units of the table */
    uint32_t guards_given;      /* a set: those that the file says */
    int64_t hold_ms;
    struct spec_signal *signals;
    size_t n_signals;
    struct spec_switch enabled; /* all NULL: nobody is asked */
};

/* How much a run may use; 0: no limit. */
struct spec_budget {
    uint64_t records, bytes;
    int64_t time_ms;
    uint64_t cost;            /* spec/money.h: millionths */
    struct money_within burn; /* how much of it in which time, before a run is paused until less is */
    uint64_t cost_step;       /* of a limit, by the prices: what one more record may cost; the spec does not say it */
    char currency[MONEY_CURRENCY]; /* likewise */
};

/* Who is told next, where a run has needed a person for so long and nobody has come. */
struct spec_escalation {
    int64_t after_ms;
    const char *to;
};
#define SPEC_ESCALATIONS_MOST 8u

/* What is called when one of the events happens: a program, an address, or people by mail. */
struct spec_hook {
    uint32_t events;      /* a set */
    const char *shell;    /* a command for /bin/sh; NULL: argv, url or mail */
    const char **argv;    /* ends with NULL; NULL: shell, url or mail */
    const char *mail;     /* addresses with `, ` between them; NULL: shell, argv or url */
    const char *url, *ca; /* secrets not replaced; ca: resolved */
    const char *secret;   /* that signs, not replaced */
    bool must;            /* the run does not go on before it was heard */
    int64_t timeout_ms;
    uint32_t tries;
};
#define SPEC_HOOKS_MOST 16u

/* How long what a run leaves is kept after its end; 0: for ever. */
struct spec_retain {
    int64_t undo_ms, quarantine_ms, reports_ms;
    const char *key; /* ${…}, not replaced; NULL: nothing is sealed */
};

/* What the target has to hold when the run has written. */
#define SPEC_EXPECT_MOST 100u
#define SPEC_ENTRY       "{key}" /* an entry of an index, where nothing is said */
enum spec_expect_what {
    SPEC_EXPECT_RECORD,
    SPEC_EXPECT_COUNT, /* of records; what follows is of a field's values */
    SPEC_EXPECT_SUM,
    SPEC_EXPECT_MIN,
    SPEC_EXPECT_MAX,
    SPEC_EXPECT_DISTINCT,
    SPEC_EXPECT_UNIQUE,  /* rules over all records: no value stands twice, */
    SPEC_EXPECT_REFERS,  /* each is the key of a record elsewhere, */
    SPEC_EXPECT_VALID,   /* the contract takes each record, */
    SPEC_EXPECT_EXPIRES, /* each will expire, or none, */
    SPEC_EXPECT_EVICTS,  /* each may be dropped by its server when that is full, or none, */
    SPEC_EXPECT_INDEX,   /* each has its entries in an index, and each entry its record, */
    SPEC_EXPECT_REVIVED  /* none that the run deleted stands there again */
};
/* In what a time is counted where it is a score. */
enum spec_unit { UNIT_MS, UNIT_S };
struct spec_expect {
    const char *name;
    enum spec_expect_what what;
    const char *key;                                           /* RECORD, */
    bool absent;                                               /* which is not there, or of which */
    struct slice fields;                                       /* these stand so: a document */
    uint64_t count;                                            /* COUNT */
    struct path *sum, *min, *max, *distinct, *unique, *refers; /* the one that is asked for */
    const char *to;                                            /* REFERS: the dataset, in the target's store */
    bool valid;                                                /* VALID: true */
    bool expires;                                              /* EXPIRES */
    bool evicts;                                               /* EVICTS */
    const char *index, *entry;                                 /* INDEX: its place, and an entry in it; NULL: the key */
    struct path *score;                                        /* INDEX: of a sorted set, what its scores are; NULL */
    enum spec_unit unit;                                       /* of times among them */
    bool revived;                                              /* REVIVED: false */
    struct slice is;                                           /* a document whose one field `is` is the value */
};

/* A named figure, taken before a run and after it. */
#define SPEC_MEASURES_MOST 50u
struct spec_measure {
    const char *name;
    bool count; /* of the records of the target; or of their values: */
    struct path *sum, *distinct;
    bool evicted;               /* keys that the target's servers have evicted since they were started */
    struct spec_signal outside; /* or what its prometheus, url or command says; its limits are none */
    double change;              /* it may become so much larger or smaller, as a share; INFINITY: no limit */
    struct slice least, most;   /* documents whose one field is the number; empty: no limit */
};
static inline bool spec_measure_is_of_records(const struct spec_measure *measure)
{
    return measure->count || measure->sum || measure->distinct;
}
static inline bool spec_measure_is_outside(const struct spec_measure *measure)
{
    return !spec_measure_is_of_records(measure) && !measure->evicted;
}

/* Records by the time that they bear. */
#define SPEC_BUCKETS_MOST 4u
struct spec_buckets {
    const char *name;
    struct path *field;
    int64_t width_ms;
    struct path *sum; /* NULL: counts alone */
};

/* What the values that a stage has written are held against, beside the source's. */
enum spec_baseline_of {
    BASELINE_LATEST, /* the newest done run of the spec before this one */
    BASELINE_NONE,
    BASELINE_RUN,
    BASELINE_FILE
};
struct spec_baseline {
    enum spec_baseline_of of;
    const char *name; /* RUN: NAME.N, or NAME for its newest that is done; FILE: its path, resolved; else as written */
};

#define SPEC_BASELINE_EXPECTED                                                                                         \
    "latest, none, the name of a run such as nightly.3 or nightly, or a profile that was put aside such as "           \
    "file:july.profile"
/* As it is written in a spec; the name is part of the text, and a path as it stands there. false: it is none. */
bool spec_baseline_parse(const char *text, struct spec_baseline *ret);

/* What made the records wrong that a run repairs, and how to see whether it still does. */
struct spec_cause {
    const char *id;     /* NULL: nothing is said of it */
    struct path *field; /* a record's time: what is newer than … */
    int64_t after_us;   /* … this is fresh; INT64_MIN: than the plan */
    const char *where;  /* Lua; NULL: all of them */
};

/* Who judges beside the verifier what was written. */
struct spec_judge {
    const char *shell; /* a command for /bin/sh; NULL: argv, or nobody does */
    const char **argv; /* ends with NULL; right behind `shell` */
    int64_t timeout_ms;
};

struct spec {
    const char *path, *dir;                 /* as given; the folder that relative paths are relative to */
    const char *name, *reason;              /* reason: NULL where not given */
    const char *owner_team, *owner_contact; /* recorded; NULL where not given */
    const char *environment;                /* of the home's; NULL where not given */
    struct spec_may may[SPEC_MAY_COUNT];
    struct spec_escalation *escalate; /* in the order of their times */
    size_t n_escalate;
    const struct spec_param *params; /* in the order of the file */
    size_t n_params;
    struct spec_source source;
    struct spec_transform transform;
    const char *contract; /* path, resolved; NULL: none */
    struct spec_target target;
    uint64_t partition_records; /* about */
    uint32_t partition_count;   /* 0: not given */
    uint32_t workers;
    uint32_t priority; /* 0 … 9; SPEC_PRIORITY where it is silent */
    struct spec_stage *stages;
    size_t n_stages;
    bool stages_given; /* else the default ones, of which those that would hold nothing are left out */
    struct spec_protect protect;
    struct spec_budget budget;
    struct money_prices prices;
    struct money_within complete; /* how much of the records is to be done how long after the run began */
    const char **after;           /* names of specs: a run begins when the newest run of each is done */
    size_t n_after;
    const char **hours; /* windows of base/hours.h, checked */
    size_t n_hours;     /* 0: always */
    struct spec_hook *hooks;
    size_t n_hooks;
    struct spec_expect *expects;
    size_t n_expects;
    struct spec_measure *measures;
    size_t n_measures;
    struct spec_buckets *buckets;
    size_t n_buckets;
    struct spec_baseline baseline;
    struct spec_judge judge;
    struct spec_cause cause;
    struct spec_retain retain;
    enum spec_on_failure on_failure;
    struct slice source_text; /* the file's bytes: what is digested */
    const bool *given;        /* by row of spec_rows(): the file says it */
    struct arena *mem;        /* owns the texts above */
};

/* Reads and checks the file. On errors *error (SPEC) holds all of them, one a line, in the order of the file. */
bool spec_read(struct spec **ret, const struct world *world, const char *path, GError **error);
/* The same with values of its parameters: NAME=VALUE each, ends with NULL; NULL: none. */
bool spec_read_with(struct spec **ret, const struct world *world, const char *path, const char *const *params,
                    GError **error);
/* The same from memory: `path` is what it was read from. */
bool spec_parse(struct spec **ret, const char *path, struct slice text, GError **error);
bool spec_parse_with(struct spec **ret, const char *path, struct slice text, const char *const *params, GError **error);
void spec_free(struct spec *spec);
AUTO_DEFINE(spec, spec_free)

/* Its command in words; NULL: there is none. The caller frees. */
char *spec_judge_words(const struct spec_judge *judge);
/* BLAKE2b-256 of the files that its command names: another file is another judge. Zero where there is none. SPEC with
 * the place where the command names no file, or a program that is not there. */
bool spec_judge_digest(const struct spec *spec, const struct world *world, uint8_t ret[32], GError **error);

/* `fix.yaml:7:12`, where the value of the key stands, or else of what it belongs to: for messages about what only
 * others can find wrong with it. The caller frees. Cost: reads the text again. */
char *spec_place(const struct spec *spec, const char *key);

/* A value that a spec may say, and what it says. */
struct spec_value {
    const struct spec_row *row;
    char *key;     /* with its place in a list: stages[1].gate.soak */
    char *text;    /* as the file writes it, with the values of its params, on one line, secrets not replaced; NULL: the
                    * file does not say it */
    uint32_t line; /* of the file; 0 */
    bool given;    /* a param whose value is not the file's */
};
/* All of them, in the order of the table; what this version refuses is not among them. Of a map that is there, what
 * stands in it. Cost: reads the text again. */
GArray *spec_values(const struct spec *spec);

/* Replaces ${env:NAME}, ${file:PATH} (relative to base_dir; without the newline that ends it) and ${command:WORDS}
 * (what
 * `/bin/sh -c WORDS` prints, in base_dir, likewise) in a store's URI or a hook's.
 * Asked when the store is opened, and again when it refuses the credentials. The caller frees *ret and neither logs nor
 * keeps it; no message holds a secret. What is put in must be fit for a URI. */
bool spec_secret_expand(const struct world *world, const char *base_dir, const char *text, char **ret, GError **error);

/* --- rows: for explain, schema, help ------------------------------------------------------------------------------ */

const struct spec_row *spec_rows(size_t *ret_n);
const struct spec_row *spec_row_find(const char *key); /* `target.conflict`; NULL: no such key */
const char *spec_row_nearest(const char *key);         /* for "did you mean"; NULL: none is near */
char *spec_schema_json(void);                          /* JSON Schema of a spec; the caller frees */
