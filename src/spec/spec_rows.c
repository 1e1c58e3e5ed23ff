#include "spec/spec_rows.h"

/* Why a key is refused. Each is a promise that the key would make and this version cannot keep. */
static const char no_windows[] = "records of one stretch of time lie anywhere in a source; use 'size' or 'count'";

static const struct row_word param_words[] = {{"string", PARAM_STRING, NULL},     {"integer", PARAM_INTEGER, NULL},
                                              {"decimal", PARAM_DECIMAL, NULL},   {"date", PARAM_DATE, NULL},
                                              {"datetime", PARAM_DATETIME, NULL}, {"duration", PARAM_DURATION, NULL},
                                              {"boolean", PARAM_BOOLEAN, NULL},   {NULL}};
static const struct row_word duplicates_words[] = {
    {"newest", DUPLICATES_NEWEST, NULL}, {"error", DUPLICATES_ERROR, NULL}, {"all", DUPLICATES_ALL, NULL}, {NULL}};
static const struct row_word as_words[] = {
    {"hash", AS_HASH, NULL}, {"json", AS_JSON, NULL}, {"raw", AS_RAW, NULL}, {NULL}};
static const struct row_word write_words[] = {
    {"in-place", WRITE_IN_PLACE, NULL}, {"fill", WRITE_FILL, NULL}, {"shadow", WRITE_SHADOW, NULL}, {NULL}};
static const struct row_word conflict_words[] = {{"newer-wins", CONFLICT_NEWER_WINS, NULL},
                                                 {"keep-live", CONFLICT_KEEP_LIVE, NULL},
                                                 {"overwrite", CONFLICT_OVERWRITE, NULL},
                                                 {NULL}};
static const struct row_word unversioned_words[] = {
    {"keep-live", UNVERSIONED_KEEP_LIVE, NULL}, {"overwrite", UNVERSIONED_OVERWRITE, NULL}, {NULL}};
static const struct row_word ties_words[] = {
    {"keep-live", TIES_KEEP_LIVE, NULL}, {"repair", TIES_REPAIR, NULL}, {NULL}};
static const struct row_word topology_words[] = {
    {"follow", TOPOLOGY_FOLLOW, NULL}, {"halt", TOPOLOGY_HALT, NULL}, {NULL}};
static const struct row_word on_failure_words[] = {{"pause", ON_FAILURE_PAUSE, NULL},
                                                   {"rollback-stage", ON_FAILURE_ROLLBACK_STAGE, NULL},
                                                   {"rollback", ON_FAILURE_ROLLBACK, NULL},
                                                   {NULL}};
static const struct row_word unit_words[] = {{"ms", UNIT_MS, NULL}, {"s", UNIT_S, NULL}, {NULL}};

static const struct row_word order_words[] = {{"riskiest", ORDER_RISKIEST, NULL},
                                              {"listed", ORDER_LISTED, NULL},
                                              {"smallest", ORDER_SMALLEST, NULL},
                                              {"newest", ORDER_NEWEST, NULL},
                                              {"oldest", ORDER_OLDEST, NULL},
                                              {"hottest", ORDER_HOTTEST, NULL},
                                              {NULL}};

#define AT(member)         .offset = offsetof(struct spec, member)
#define IN_HOOK(member)    .offset = offsetof(struct spec_hook, member)
#define IN_NEXT(member)    .offset = offsetof(struct spec_escalation, member)
#define IN_STAGE(member)   .offset = offsetof(struct spec_stage, member)
#define IN_PARAM(member)   .offset = offsetof(struct param_wish, member)
#define IN_ONLY(member)    .offset = offsetof(struct spec_only, member)
#define IN_RANGE(member)   .offset = offsetof(struct spec_range, member)
#define IN_EXPECT(member)  .offset = offsetof(struct spec_expect, member)
#define IN_MEASURE(member) .offset = offsetof(struct spec_measure, member)
#define IN_BUCKETS(member) .offset = offsetof(struct spec_buckets, member)
#define IN_SIGNAL(member)  .offset = offsetof(struct spec_signal, member)
#define IN_SWITCH(member)  .offset = offsetof(struct spec_switch, member)
#define REFUSED(why)       .acts = (why), .kind = &form_refused

G_STATIC_ASSERT(offsetof(struct spec_may, n) == offsetof(struct spec_may, names) + sizeof(void *));
G_STATIC_ASSERT(offsetof(struct spec_only, n_slots) == offsetof(struct spec_only, slots) + sizeof(void *));
G_STATIC_ASSERT(offsetof(struct spec_only, n_parts) == offsetof(struct spec_only, parts) + sizeof(void *));
G_STATIC_ASSERT(offsetof(struct spec_hook, argv) == offsetof(struct spec_hook, shell) + sizeof(void *));
G_STATIC_ASSERT(offsetof(struct spec_signal, argv) == offsetof(struct spec_signal, shell) + sizeof(void *));
G_STATIC_ASSERT(offsetof(struct spec_judge, argv) == offsetof(struct spec_judge, shell) + sizeof(void *));
G_STATIC_ASSERT(offsetof(struct spec, n_after) == offsetof(struct spec, after) + sizeof(void *));
G_STATIC_ASSERT(offsetof(struct spec, n_hours) == offsetof(struct spec, hours) + sizeof(void *));
G_STATIC_ASSERT(offsetof(struct spec, transform.n_libs) == offsetof(struct spec, transform.libs) + sizeof(void *));

/* How limits of the guards are written, by their unit. */
#define FORM_SHARE       "share, or none"
#define FORM_DURATION    "duration, or none"
#define FORM_BYTES       "bytes, or none"
#define FORM_COUNT       "count, or none"
#define FORM_RATE        "rate, or none"
#define FORM_TIMES       "number, or none"
#define FORM_WORD        "slow | pause | none"
#define FORM_OF_SHARE    &form_guard_share
#define FORM_OF_DURATION &form_guard_duration
#define FORM_OF_BYTES    &form_guard_bytes
#define FORM_OF_COUNT    &form_guard_count
#define FORM_OF_RATE     &form_guard_rate
#define FORM_OF_TIMES    &form_guard_times
#define FORM_OF_WORD     &form_guard_word

/* clang-format off */
static const struct spec_row rows[] = {
    {.key = "sluice", .form = "1", .required = true, .kind = &form_one,
     .words = "the version of the spec's own form", .example = "1"},
    {.key = "name", .form = "name", .required = true, .kind = &form_name, AT(name),
     .words = "what the backfill is called; its runs are NAME.1, NAME.2 …: small letters, digits and '-', at most 63",
     .example = "fix-customer-tiers"},
    {.key = "reason", .form = "text", .kind = &form_words, AT(reason),
     .words = "why it is done; recorded with every run", .example = "\"INC-1432: importer 4.2 truncated tier names\""},
    {.key = "environment", .form = "name", .kind = &form_name, AT(environment),
     .words = "which of the home's environments the run is in; without it the first one that fits (docs/environments.md)",
     .example = "production"},
    {.key = "owner", .form = "map", .kind = &form_map,
     .words = "who answers for it; recorded with every run", .example = "{ team: data-platform, contact: oncall@example.com }"},
    {.key = "owner.team", .form = "text", .kind = &form_words, AT(owner_team),
     .words = "the team that answers for the backfill", .example = "data-platform"},
    {.key = "owner.contact", .form = "text", .kind = &form_words, AT(owner_contact),
     .words = "how to reach it", .example = "data-oncall@example.com"},
    {.key = "owner.may", .form = "map", .fallback = "everyone may everything", .decided = true, .kind = &form_map,
     .words = "which users and groups of the operating system may do what; who is not named here may not, what is not named everyone may who can write the home",
     .example = "{ approve: [data-lead], resume: [data-platform] }"},
#define MAY(symbol, word, widens)                                                                                                \
    {.key = "owner.may." word, .form = "list of users and groups", .fallback = "everyone", .decided = true, .kind = &form_texts, \
     AT(may[SPEC_MAY_##symbol].names), .words = "who may `sluice " word "` a run", .example = "[data-lead]"},
#include "spec/may_rows.h"
#undef MAY
    {.key = "owner.escalate", .form = "list of maps", .fallback = "none", .decided = true, .kind = &form_escalate, AT(escalate),
     .words = "who is told next where a run needs a person and nobody comes; for the alerts and the runbook that `sluice export` writes", .example = "[{ after: 15m, to: data-lead@example.com }]"},
    {.key = "owner.escalate[].after", .form = "duration", .required = true, .kind = &form_length, IN_NEXT(after_ms),
     .words = "so long nobody has come; each longer than the one before it", .example = "15m"},
    {.key = "owner.escalate[].to", .form = "text", .required = true, .kind = &form_words, IN_NEXT(to),
     .words = "who is told then", .example = "data-lead@example.com"},
    {.key = "params", .form = "map of params, by name", .kind = &form_params,
     .words = "values that the command line may give (`--param NAME=VALUE`), used as ${NAME} in any value of the spec; docs/params.md",
     .example = "{ day: { type: date, default: 2026-07-10 } }"},
    {.key = "params.*", .form = "map", .kind = &form_map, .words = "one of them: what it is, and its default", .example = "{ type: date, default: 2026-07-10 }"},
    {.key = "params.*.type", .form = "string | integer | decimal | date | datetime | duration | boolean", .fallback = "string",
     .kind = &form_choice, .choices = param_words, IN_PARAM(type), .words = "what its value has to be", .example = "date"},
    {.key = "params.*.default", .form = "value", .fallback = "none: it must be given", .decided = true, .kind = &form_node, IN_PARAM(fallback),
     .words = "its value where none is given; may hold other params, and reckon with dates", .example = "2026-07-10"},

    {.key = "source", .form = "map", .required = true, .kind = &form_map,
     .words = "where the records come from", .example = "{ store: \"file:archive\", dataset: \"customers-*.ndjson\" }"},
    {.key = "source.store", .form = "store", .required = true, .kind = &form_store, AT(source.store),
     .words = "the store's URI; a secret in it is written ${env:NAME} or ${file:PATH}", .example = "\"file:archive\""},
    {.key = "source.dataset", .form = "text", .fallback = "required, except in a store that is one dataset itself (undo:RUN)",
     .decided = true, .kind = &form_text, AT(source.dataset),
     .words = "which records of the store: for files a glob, for RocksDB a name", .example = "\"customers-*.ndjson.zst\""},
    {.key = "source.key", .form = "path, or a list of paths", .fallback = "the store's own keys", .decided = true,
     .kind = &form_paths, AT(source.key),
     .words = "the path whose value is the record's key; several are joined by ':'", .example = "username"},
    {.key = "source.version", .form = "path", .kind = &form_path, AT(source.version),
     .words = "an integer or datetime that says which of two states of one key is newer", .example = "updated_at"},
    {.key = "source.duplicates", .form = "newest | error | all", .fallback = "newest where there is a version, else error",
     .decided = true, .kind = &form_choice, .choices = duplicates_words, AT(source.duplicates),
     .words = "what becomes of several states of one key in the source", .example = "error"},
    {.key = "source.as", .form = "hash | json | raw",
     .fallback = "target.as where the target's dataset has the same name, else as the store keeps documents", .decided = true,
     .kind = &form_choice, .choices = as_words, AT(source.as),
     .words = "what a document is in the store", .example = "json"},
    {.key = "source.range", .form = "map", .fallback = "all records", .decided = true, .kind = &form_range, AT(source.range),
     .words = "takes only records of a stretch of time, half-open", .example = "{ field: updated_at, from: 2026-07-10, to: 2026-07-12 }"},
    {.key = "source.range.field", .form = "path", .required = true, .kind = &form_path, IN_RANGE(field),
     .words = "the datetime that the range is about", .example = "updated_at"},
    {.key = "source.range.from", .form = "time", .fallback = "since ever", .decided = true, .kind = &form_moment, IN_RANGE(from_us),
     .words = "the first moment of the range: TIME [ZONE] [± DURATION], UTC unless an offset or a zone is given", .example = "2026-07-10"},
    {.key = "source.range.to", .form = "time", .fallback = "for ever", .decided = true, .kind = &form_moment, IN_RANGE(to_us),
     .words = "the first moment behind the range", .example = "\"2026-07-10 + 2d\""},
    {.key = "source.until", .form = "time, or duration", .fallback = "for ever", .decided = true, .kind = &form_until, AT(source.until),
     .words = "until when the source can be read (a bucket's lifecycle, keys that expire): at that time, or so long after the run was planned; the run is forecast against it, and pauses there (docs/guards.md)", .example = "2026-07-17T03:00:00Z"},
    {.key = "source.where", .form = "Lua expression", .fallback = "all records", .decided = true,
     .kind = &form_text, AT(source.where),
     .words = "takes only records for which it is true; the record is `doc`", .example = "doc.active"},
    {.key = "source.only", .form = "map", .fallback = "all of the source", .decided = true, .kind = &form_only, AT(source.only),
     .words = "takes only a part of the source: given keys, slots, a range of keys, or partitions; what matches nothing is listed (docs/scope.md)",
     .example = "{ keys: keys.txt }"},
    {.key = "source.only.keys", .form = "file", .kind = &form_file, IN_ONLY(keys),
     .words = "a file of keys, one a line; looked up where the store has keys of its own", .example = "keys.txt"},
    {.key = "source.only.slots", .form = "N, N-M, or a list of them", .kind = &form_spans, IN_ONLY(slots),
     .words = "hash slots, in a store that has them", .example = "0-99"},
    {.key = "source.only.key_range", .form = "[from, to]", .kind = &form_ends, IN_ONLY(from),
     .words = "the first key and the first behind the last, bytewise; null for an open end", .example = "[a, b]"},
    {.key = "source.only.partitions", .form = "N, N-M, or a list of them", .kind = &form_spans, IN_ONLY(parts),
     .words = "partitions by the numbers that a plan of the whole source gives them", .example = "[3, 7]"},

    {.key = "transform", .form = "map", .fallback = "records stay as they are", .decided = true, .kind = &form_map,
     .words = "what makes the wanted record of a source record", .example = "{ lua: fix_tiers.lua }"},
    {.key = "transform.lua", .form = "file", .required = true, .kind = &form_file, AT(transform.lua),
     .words = "the Lua file that has `function transform(doc, ctx)`", .example = "fix_tiers.lua"},
    {.key = "transform.libs", .form = "list of files", .fallback = "[]", .kind = &form_files, AT(transform.libs),
     .words = "Lua files loaded before it, in this order", .example = "[normalise.lua]"},
    {.key = "transform.tests", .form = "file", .kind = &form_file, AT(transform.tests),
     .words = "fixtures, a line each: record in, record out; a plan needs them green (docs/fixtures.md)", .example = "fix_tiers.tests.ndjson"},
    {.key = "transform.idempotent", .form = "true | false", .fallback = "false", .kind = &form_bool, AT(transform.idempotent),
     .words = "whether applying it twice is the same as once; only then may a store do without numbered writes", .example = "true"},
    {.key = "contract", .form = "file", .fallback = "none: records are not checked", .decided = true, .kind = &form_file, AT(contract),
     .words = "what a record must be like after the transform", .example = "customer.contract.yaml"},

    {.key = "target", .form = "map", .required = true, .kind = &form_map,
     .words = "where the records go", .example = "{ store: \"rocksdb:data\", dataset: customers }"},
    {.key = "target.store", .form = "store", .required = true, .kind = &form_store, AT(target.store),
     .words = "the store's URI; a secret in it is written ${env:NAME} or ${file:PATH}", .example = "\"rocksdb:data\""},
    {.key = "target.dataset", .form = "text", .required = true, .kind = &form_text, AT(target.dataset),
     .words = "the dataset that is written", .example = "customers"},
    {.key = "target.as", .form = "hash | json | raw", .fallback = "as the store keeps documents", .decided = true,
     .kind = &form_choice, .choices = as_words, AT(target.as),
     .words = "what a document becomes in the store", .example = "json"},
    {.key = "target.expires", .form = "keep | never | duration | { from: path }", .fallback = "keep",
     .kind = &form_expires, AT(target),
     .words = "when what is written expires: as the live record does, never, that long after the run's planned time, or as the record says",
     .example = "30d"},
    {.key = "target.expires.from", .form = "path", .kind = &form_path, AT(target.expires_from),
     .words = "the datetime in the record at which it expires", .example = "valid_until"},
    {.key = "target.write", .form = "in-place | fill | shadow",
     .fallback = "in-place where source and target are the same dataset, else fill", .decided = true,
     .kind = &form_choice, .choices = write_words, AT(target.write),
     .words = "over the live record; only where the key is absent; or beside it, unseen until `sluice promote` makes it live", .example = "fill"},
    {.key = "target.conflict", .form = "newer-wins | keep-live | overwrite",
     .fallback = "newer-wins where source.version is given, else keep-live", .decided = true,
     .kind = &form_choice, .choices = conflict_words, AT(target.conflict),
     .words = "which of two records stands where the key is live already; where source and target are the same dataset only for what changed between a shadow and its promotion",
     .example = "keep-live"},
    {.key = "target.unversioned", .form = "keep-live | overwrite", .fallback = "keep-live",
     .kind = &form_choice, .choices = unversioned_words, AT(target.unversioned),
     .words = "what newer-wins does with a live record that has no version", .example = "overwrite"},
    {.key = "target.ties", .form = "keep-live | repair", .fallback = "keep-live",
     .kind = &form_choice, .choices = ties_words, AT(target.ties),
     .words = "what newer-wins does with versions closer to each other than protect.skew", .example = "repair"},

    {.key = "partitions", .form = "map", .kind = &form_map,
     .words = "how the work is cut: the unit of lease, checkpoint and verification", .example = "{ size: 5000 }"},
    {.key = "partitions.size", .form = "count", .fallback = "5000", .kind = &form_count, AT(partition_records),
     .min = 1, .max = 100000000, .words = "records of a partition, about", .example = "20000"},
    {.key = "partitions.count", .form = "count", .fallback = "as 'size' makes them", .decided = true,
     .kind = &form_count32, AT(partition_count), .min = 1, .max = 1000000,
     .words = "the number of partitions, in place of their size", .example = "64"},
    {.key = "partitions.every", .form = "duration", REFUSED(no_windows), .words = "a partition for each stretch of a range", .example = "1h"},
    {.key = "workers", .form = "count", .fallback = "2; of a source that is a cluster one for each of its servers, 16 at most", .decided = true, .kind = &form_count32, AT(workers), .min = 1, .max = 64,
     .words = "threads that work on partitions at the same time, 1 to 64", .example = "4"},

    {.key = "priority", .form = "count", .fallback = "5", .kind = &form_count32, AT(priority), .min = 0, .max = 9,
     .words = "which of several runs goes first to the same servers: while one of a higher priority is at work there the others wait; docs/guards.md", .example = "8"},

    {.key = "stages", .form = "list of maps",
     .fallback = "canary 1%, ramp 25%, full 100%, each verified in full; those that would hold no partition are left out", .decided = true,
     .kind = &form_stages, AT(stages),
     .words = "what is written and then judged as a whole, one after the other; the last one reaches 100%",
     .example = "[{ name: canary, scope: 1% }, { name: full, scope: 100%, gate: { approve: data-lead } }]"},
    {.key = "stages[].name", .form = "name", .required = true, .kind = &form_name, IN_STAGE(name),
     .words = "what the stage is called", .example = "full"},
    {.key = "stages[].scope", .form = "share | N partitions | N records | { keys: file }", .required = true,
     .kind = &form_scope, .words = "how much has been written when the stage ends, those before it included; rounded up to whole partitions", .example = "100%"},
    {.key = "stages[].scope.keys", .form = "file", .required = true, .kind = &form_file, IN_STAGE(scope_keys),
     .words = "a file of keys, one a line: the stage has the partitions that hold them", .example = "keys.txt"},
    {.key = "stages[].order", .form = "riskiest | listed | smallest | newest | oldest | hottest", .fallback = "riskiest in the first stage, listed in the others", .decided = true,
     .kind = &form_choice, .choices = order_words, IN_STAGE(order),
     .words = "which of the partitions that are left the stage takes first: by risk, as they stand in the source, by their records, by the version of their records, or by how often the store says that they are used; docs/stages.md", .example = "newest"},
    {.key = "stages[].gate", .form = "map", .kind = &form_map, .words = "what stands between this stage and the next", .example = "{ verify: full, soak: 10m }"},
    {.key = "stages[].gate.verify", .form = "full | { confidence: share, below: share, each: share }", .fallback = "full",
     .kind = &form_verify,
     .words = "how much of the stage is compared with its source: every key, or a sample that proves so much (docs/samples.md)", .example = "{ confidence: 99.9%, below: 0.01% }"},
    {.key = "stages[].gate.verify.confidence", .form = "share", .required = true, .kind = &form_sure, IN_STAGE(sure.confidence), .words = "how sure a sample must be", .example = "99.9%"},
    {.key = "stages[].gate.verify.below", .form = "share", .required = true, .kind = &form_sure, IN_STAGE(sure.below), .words = "that fewer than this share differ", .example = "0.01%"},
    {.key = "stages[].gate.verify.each", .form = "share", .kind = &form_sure, IN_STAGE(sure.each),
     .words = "that of the records of each size, age and shard by themselves fewer than this share differ; the sample goes on until it is known of each that makes up `below` or more of all (docs/samples.md)", .example = "5%"},
    {.key = "stages[].gate.soak", .form = "duration", .kind = &form_duration, IN_STAGE(soak_ms),
     .words = "how long to wait, after the stage was verified, before the next one", .example = "10m"},
    {.key = "stages[].gate.approve", .form = "user or group", .kind = &form_text, IN_STAGE(approve),
     .words = "who must approve (`sluice approve`) before the run goes on: a user of that name or anyone of that group, but not who began the run", .example = "data-lead"},

    {.key = "protect", .form = "map", .kind = &form_map, .words = "what a run may not do to the cluster or to itself", .example = "{ rejects: 1% }"},
    {.key = "protect.live", .form = "map", .kind = &form_map, .words = "how much slower live requests may become", .example = "{ p99: \"+10% or +0.5ms\" }"},
    {.key = "protect.live.p99", .form = "time above what it is, or at most", .fallback = "none", .decided = true, .kind = &form_live, AT(protect.live),
     .words = "for the slowest hundredth of them: the larger of the two, against what is measured while sluice does not write; or a time that is not to be passed; docs/pace.md", .example = "\"+10% or +0.5ms\""},
    {.key = "protect.errors", .form = "share", .fallback = "0.1%", .kind = &form_share, AT(protect.errors),
     .words = "the share of calls to the stores that may fail before the run pauses; every try is a call, and steps of sluice's own are none", .example = "1%"},
    {.key = "protect.rejects", .form = "share", .fallback = "0.1%", .kind = &form_share, AT(protect.rejects),
     .words = "the share of records that contract and transform may refuse before the run pauses", .example = "1%"},
    {.key = "protect.kept_live", .form = "share", .fallback = "50%", .kind = &form_share, AT(protect.kept_live),
     .words = "the share of records that may be kept live before the run pauses", .example = "100%"},
    {.key = "protect.skew", .form = "duration", .fallback = "500ms", .kind = &form_duration, AT(protect.skew_ms),
     .words = "versions closer to each other than this are a tie: clocks differ", .example = "2s"},
    {.key = "protect.topology", .form = "follow | halt", .fallback = "follow", .kind = &form_choice, .choices = topology_words,
     AT(protect.topology), .words = "what a run does when servers of the target take over each other's data: goes on with the new owner, or halts",
     .example = "halt"},
    {.key = "protect.rate", .form = "map", .kind = &form_map, .words = "how fast a run may write", .example = "{ max: 20000/s }"},
    {.key = "protect.rate.max", .form = "rate", .fallback = "no limit", .decided = true, .kind = &form_rate, AT(protect.rate_max_per_s),
     .words = "records written at most, by all workers together", .example = "20000/s"},
#define GUARD(symbol, word, unit, other, below, text, sample)                                                                  \
    {.key = "protect." word, .form = FORM_##unit, .fallback = other, .kind = FORM_OF_##unit, AT(protect.guards[GUARD_##symbol]), \
     .words = text, .example = sample},
#include "spec/guard_rows.h"
#undef GUARD
    {.key = "protect.hold", .form = "duration", .fallback = "10s", .kind = &form_length, AT(protect.hold_ms),
     .words = "how long a reading must stay beyond its limit, or out of reach, before the run pauses, and how long within it before the run goes on", .example = "30s"},
    {.key = "protect.signals", .form = "list of maps", .fallback = "none", .decided = true, .kind = &form_signals,
     .words = "signals of your own: a query of Prometheus, an address or a program that gives a number; docs/guards.md",
     .example = "[{ name: db-cpu, prometheus: \"http://prometheus:9090\", query: max(cpu), above: 0.8 }]"},
    {.key = "protect.signals[].name", .form = "name", .required = true, .kind = &form_name, IN_SIGNAL(name),
     .words = "what it is called where a run says what slows or pauses it", .example = "db-cpu"},
    {.key = "protect.signals[].prometheus", .form = "URL", .kind = &form_url, IN_SIGNAL(prometheus),
     .words = "the address of a Prometheus (or of what has its API) that 'query' is asked of", .example = "http://prometheus:9090"},
    {.key = "protect.signals[].query", .form = "PromQL", .kind = &form_words, IN_SIGNAL(query),
     .words = "what it is asked: of several results the worst counts, no result cannot be read", .example = "\"max(rate(errors[1m]))\""},
    {.key = "protect.signals[].url", .form = "URL", .kind = &form_url, IN_SIGNAL(url),
     .words = "an address (http or https) that answers with a number and nothing else", .example = "https://status.example.com/queue"},
    {.key = "protect.signals[].run", .form = "command, or a list of its words", .kind = &form_command, IN_SIGNAL(shell),
     .words = "a program that prints a number and ends with 0; it runs in the spec's folder", .example = "./queue-depth.sh"},
    {.key = "protect.signals[].above", .form = "number", .kind = &form_number, IN_SIGNAL(limit),
     .words = "the limit: a reading above it slows the run, and pauses it once it has stayed there for 'hold'", .example = "0.8"},
    {.key = "protect.signals[].below", .form = "number", .kind = &form_number, IN_SIGNAL(limit),
     .words = "the same of a reading that must not fall under it", .example = "100"},
    {.key = "protect.signals[].slow", .form = "number", .fallback = "the limit", .decided = true, .kind = &form_number, IN_SIGNAL(slow),
     .words = "the run is slowed from there on already", .example = "0.6"},
    {.key = "protect.signals[].hard", .form = "true | false", .fallback = "false", .kind = &form_bool, IN_SIGNAL(hard),
     .words = "whether it halts the run, which then needs a person, in place of pausing it", .example = "true"},
    {.key = "protect.signals[].hold", .form = "duration", .fallback = "protect.hold", .decided = true, .kind = &form_length, IN_SIGNAL(hold_ms),
     .words = "in place of protect.hold", .example = "30s"},
    {.key = "protect.signals[].every", .form = "duration", .fallback = "5s", .kind = &form_length, IN_SIGNAL(every_ms),
     .words = "how often it is read", .example = "15s"},
    {.key = "protect.signals[].timeout", .form = "duration", .fallback = "5s", .kind = &form_length, IN_SIGNAL(timeout_ms),
     .words = "how long one reading may take", .example = "2s"},
    {.key = "protect.signals[].token", .form = "secret", .kind = &form_secret, IN_SIGNAL(token),
     .words = "what is sent as `Authorization: Bearer …`, as ${env:NAME}, ${file:PATH} or ${command:WORDS}", .example = "\"${env:PROM_TOKEN}\""},
    {.key = "protect.signals[].ca", .form = "file", .kind = &form_file, IN_SIGNAL(ca),
     .words = "certificates to trust in place of the system's, as PEM", .example = "ca.pem"},
    {.key = "protect.enabled", .form = "map", .fallback = "nobody is asked", .decided = true, .kind = &form_switch, AT(protect.enabled),
     .words = "a switch outside of sluice, asked every second: while it says false, or cannot be read, the run pauses", .example = "{ file: /etc/sluice/go }"},
    {.key = "protect.enabled.file", .form = "file", .kind = &form_file, IN_SWITCH(file),
     .words = "a file that holds true or false", .example = "/etc/sluice/go"},
    {.key = "protect.enabled.key", .form = "key", .kind = &form_text, IN_SWITCH(key),
     .words = "a record of the target's store whose field 'enabled' is true or false", .example = "backfills"},
    {.key = "protect.enabled.dataset", .form = "text", .fallback = "target.dataset", .decided = true, .kind = &form_text, IN_SWITCH(dataset),
     .words = "the dataset that the key is of", .example = "\"ops:{switch}\""},
    {.key = "protect.enabled.url", .form = "URL", .kind = &form_url, IN_SWITCH(url),
     .words = "an address (http or https) that answers with true or false", .example = "https://flags.example.com/backfills"},
    {.key = "protect.enabled.token", .form = "secret", .kind = &form_secret, IN_SWITCH(token),
     .words = "what is sent as `Authorization: Bearer …`, as ${env:NAME}, ${file:PATH} or ${command:WORDS}", .example = "\"${env:FLAGS_TOKEN}\""},
    {.key = "protect.enabled.ca", .form = "file", .kind = &form_file, IN_SWITCH(ca),
     .words = "certificates to trust in place of the system's, as PEM", .example = "ca.pem"},

    {.key = "hours", .form = "list of windows", .fallback = "always", .decided = true, .kind = &form_hours, AT(hours),
     .words = "when a run may write: `DAYS HH:MM-HH:MM ZONE` each; outside of them it waits. What is taken back does not wait", .example = "[\"Mon-Fri 22:00-06:00 Europe/Berlin\"]"},
    {.key = "after", .form = "list of names", .fallback = "none", .decided = true, .kind = &form_after, AT(after),
     .words = "other specs: a run waits until the newest run of each of them in this home is done; docs/stages.md", .example = "[load-customers]"},
    {.key = "budget", .form = "map", .kind = &form_map, .words = "how much a run may use before it pauses and waits for a person",
     .example = "{ records: 5000000, time: 6h }"},
    {.key = "budget.records", .form = "count", .fallback = "no limit", .decided = true, .kind = &form_count, AT(budget.records),
     .min = 1, .max = INT64_MAX, .words = "records written and deleted in the target, as `status` counts them", .example = "5000000"},
    {.key = "budget.bytes", .form = "bytes", .fallback = "no limit", .decided = true, .kind = &form_bytes, AT(budget.bytes),
     .words = "bytes of the records written to the target, as `status` counts them", .example = "20GiB"},
    {.key = "budget.time", .form = "duration", .fallback = "no limit", .decided = true, .kind = &form_length, AT(budget.time_ms),
     .words = "how long its workers may be at work on the stages; waiting, verifying and taking back do not count", .example = "6h"},
    {.key = "budget.cost", .form = "amount", .fallback = "no limit", .decided = true, .kind = &form_amount, AT(budget.cost),
     .words = "what reading and writing may cost by `prices`, in their currency, the verification of what is written and the promotion of a shadow included; docs/budgets.md", .example = "40"},
    {.key = "budget.burn", .form = "share in duration", .fallback = "no limit", .decided = true, .kind = &form_burn, AT(budget.burn),
     .words = "how much of the budget may be used in so short a time: a guard, which slows the run near it, pauses it beyond, and lets it go on by itself", .example = "50% in 1h"},
    {.key = "prices", .form = "map", .fallback = "nothing costs anything", .decided = true, .kind = &form_map, .words = "what the stores charge, so that a run can be estimated, capped and followed in money", .example = "{ currency: EUR, reads: 0.28, writes: 1.40 }"},
    {.key = "prices.currency", .form = "currency", .fallback = "none", .decided = true, .kind = &form_currency, AT(prices.currency),
     .words = "the currency of all of them, and of budget.cost", .example = "EUR"},
    {.key = "prices.reads", .form = "price", .fallback = "0", .decided = true, .kind = &form_price, AT(prices.reads),
     .words = "of a million records read", .example = "0.28"},
    {.key = "prices.writes", .form = "price", .fallback = "0", .decided = true, .kind = &form_price, AT(prices.writes),
     .words = "of a million records written or deleted", .example = "1.40"},
    {.key = "prices.written", .form = "price", .fallback = "0", .decided = true, .kind = &form_price, AT(prices.written),
     .words = "of a GiB written to the target", .example = "0.25"},
    {.key = "prices.egress", .form = "price", .fallback = "0", .decided = true, .kind = &form_price, AT(prices.egress),
     .words = "of a GiB read out of the source", .example = "0.09"},
    {.key = "slo", .form = "map", .fallback = "none", .decided = true, .kind = &form_map, .words = "by when a run is to have got how far", .example = "{ complete: 95% within 48h }"},
    {.key = "slo.complete", .form = "share within duration", .fallback = "none", .decided = true, .kind = &form_deadline, AT(complete),
     .words = "how much of the records is to be done how long after the run began: `status` forecasts it, and the run says once that it will be late", .example = "95% within 48h"},
    {.key = "hooks", .form = "list of maps", .fallback = "none", .decided = true, .kind = &form_hooks, AT(hooks),
     .words = "who is told when a run or a stage moves: a program or an address each, at least once, also across deaths", .example = "[{ on: stage.passed, run: ./notify.sh }]"},
    {.key = "hooks[].on", .form = "event, or a list of events", .required = true, .kind = &form_events, IN_HOOK(events),
     .words = "what it is called for: a word such as run.done, stage.passed or gate.waiting (docs/hooks.md lists them), needs-person or any", .example = "[stage.passed, run.paused]"},
    {.key = "hooks[].run", .form = "command, or a list of its words", .kind = &form_command, IN_HOOK(shell),
     .words = "the program: a text for /bin/sh, or a list that is the program and its arguments; it runs in the spec's folder", .example = "./notify.sh"},
    {.key = "hooks[].mail", .form = "address, or a list of addresses", .kind = &form_mail, IN_HOOK(mail),
     .words = "people who are told by mail, through the machine's sendmail; the mails of a run are one thread", .example = "data-oncall@example.com"},
    {.key = "hooks[].url", .form = "URL", .kind = &form_url, IN_HOOK(url),
     .words = "the address (http or https) that the event is POSTed to; a secret in it is written ${env:NAME}, ${file:PATH} or ${command:WORDS}", .example = "https://hooks.example.com/sluice"},
    {.key = "hooks[].secret", .form = "secret", .kind = &form_secret, IN_HOOK(secret),
     .words = "what the POST is signed with (HMAC-SHA256), as ${env:NAME}, ${file:PATH} or ${command:WORDS}", .example = "\"${env:HOOK_SECRET}\""},
    {.key = "hooks[].ca", .form = "file", .kind = &form_file, IN_HOOK(ca),
     .words = "certificates to trust in place of the system's, as PEM", .example = "ca.pem"},
    {.key = "hooks[].must", .form = "true | false", .fallback = "false", .kind = &form_bool, IN_HOOK(must),
     .words = "whether the run waits until it was heard, and pauses where all tries fail", .example = "true"},
    {.key = "hooks[].timeout", .form = "duration", .fallback = "30s", .kind = &form_length, IN_HOOK(timeout_ms),
     .words = "how long one try may take; then the program is killed, with all that it started", .example = "5s"},
    {.key = "hooks[].tries", .form = "count", .fallback = "5", .kind = &form_count32, IN_HOOK(tries), .min = 1, .max = 100,
     .words = "how often it is tried, with growing pauses between", .example = "10"},
    {.key = "verify", .form = "map", .fallback = "none", .decided = true, .kind = &form_map,
     .words = "who judges, beside sluice's own verifier, what was written (docs/judges.md); how much a gate looks at is stages[].gate.verify", .example = "{ command: ./check }"},
    {.key = "verify.command", .form = "command, or a list of its words", .required = true, .kind = &form_command, AT(judge.shell),
     .words = "a program that reads pairs of records, a line of JSON each, and prints a line with its verdict for each; it runs in the spec's folder, and the files that it names are part of the plan's digest", .example = "./check"},
    {.key = "verify.timeout", .form = "duration", .fallback = "1m", .kind = &form_length, AT(judge.timeout_ms),
     .words = "how long it may take for a batch of up to 1000 pairs; then it is killed, and the verification ends with an error", .example = "30s"},
    {.key = "measures", .form = "list of maps", .fallback = "none", .decided = true, .kind = &form_measures, AT(measures),
     .words = "named figures, taken before the run writes and at its last gate, with what they may become (docs/measures.md)", .example = "[{ name: balances, sum: balance, change: 0.1% }]"},
    {.key = "measures[].name", .form = "name", .required = true, .kind = &form_name, IN_MEASURE(name),
     .words = "what the verdict calls it", .example = "balances"},
    {.key = "measures[].count", .form = "true", .kind = &form_bool, IN_MEASURE(count),
     .words = "how many records the target's dataset holds", .example = "true"},
    {.key = "measures[].sum", .form = "path", .kind = &form_path, IN_MEASURE(sum),
     .words = "a field of numbers that are added up over the dataset, exactly; records without it are left out", .example = "balance"},
    {.key = "measures[].distinct", .form = "path", .kind = &form_path, IN_MEASURE(distinct),
     .words = "a field whose different values are counted, exactly", .example = "tier"},
    {.key = "measures[].evicted", .form = "true", .kind = &form_bool, IN_MEASURE(evicted),
     .words = "how many keys the target's servers have evicted since they were started, of whatever dataset; with `change: 0%`: none during the run", .example = "true"},
    {.key = "measures[].prometheus", .form = "URL", .kind = &form_url, IN_MEASURE(outside.prometheus),
     .words = "a figure outside: the address of a Prometheus (or of what has its API) that 'query' is asked of", .example = "http://prometheus:9090"},
    {.key = "measures[].query", .form = "PromQL", .kind = &form_words, IN_MEASURE(outside.query),
     .words = "what it is asked; one result", .example = "\"sum(orders_open)\""},
    {.key = "measures[].url", .form = "URL", .kind = &form_url, IN_MEASURE(outside.url),
     .words = "an address (http or https) that answers with a number and nothing else", .example = "https://billing.example.com/total"},
    {.key = "measures[].run", .form = "command, or a list of its words", .kind = &form_command, IN_MEASURE(outside.shell),
     .words = "a program that prints a number and ends with 0; it runs in the spec's folder", .example = "./revenue.sh"},
    {.key = "measures[].timeout", .form = "duration", .fallback = "1m", .kind = &form_length, IN_MEASURE(outside.timeout_ms),
     .words = "how long a figure outside may take", .example = "5m"},
    {.key = "measures[].change", .form = "share", .kind = &form_share, IN_MEASURE(change),
     .words = "it may become so much larger or smaller than it was before the run, at most", .example = "0.1%"},
    {.key = "measures[].least", .form = "number", .kind = &form_figure, IN_MEASURE(least),
     .words = "it must be that much at least, when the run has written", .example = "1000"},
    {.key = "measures[].most", .form = "number", .kind = &form_figure, IN_MEASURE(most),
     .words = "it may be that much at most, when the run has written", .example = "48211.50"},
    {.key = "buckets", .form = "list of maps", .fallback = "none", .decided = true, .kind = &form_buckets, AT(buckets),
     .words = "records of the target by the time that they bear, at the last gate: a spike or a trough is told with its range (docs/buckets.md)", .example = "[{ name: hours, field: updated_at, width: 1h }]"},
    {.key = "buckets[].name", .form = "name", .required = true, .kind = &form_name, IN_BUCKETS(name),
     .words = "what the verdict calls them", .example = "hours"},
    {.key = "buckets[].field", .form = "path", .required = true, .kind = &form_path, IN_BUCKETS(field),
     .words = "the datetime of a record by which it is of a bucket", .example = "updated_at"},
    {.key = "buckets[].width", .form = "duration", .fallback = "1h", .kind = &form_length, IN_BUCKETS(width_ms),
     .words = "how much time a bucket takes, counted from 1970 UTC; where it divides a week, a bucket is held against the same one of other weeks", .example = "1d"},
    {.key = "buckets[].sum", .form = "path", .fallback = "counts alone", .decided = true, .kind = &form_path, IN_BUCKETS(sum),
     .words = "a field of numbers that are added up bucket by bucket, exactly; records without it are left out", .example = "amount"},
    {.key = "baseline", .form = "latest | none | run | file:PATH", .fallback = "latest", .kind = &form_baseline, AT(baseline),
     .words = "what the values that a stage leaves are held against, beside the source's: the profile of the newest run of the spec that is done, of a run by its name, or one that was put aside (docs/verification.md)", .example = "nightly.3"},
    {.key = "cause", .form = "map", .fallback = "none", .decided = true, .kind = &form_map,
     .words = "what made the records wrong; while fresh ones still break the contract, old ones are not repaired: the run halts (docs/cause.md)", .example = "{ id: INC-1432, probe: { field: updated_at } }"},
    {.key = "cause.id", .form = "text", .required = true, .kind = &form_words, AT(cause.id),
     .words = "by what name people know it: an incident, a ticket", .example = "INC-1432"},
    {.key = "cause.probe", .form = "map", .required = true, .kind = &form_map,
     .words = "which records of the target are fresh; looked for before each stage, and with each verification", .example = "{ field: updated_at }"},
    {.key = "cause.probe.field", .form = "path", .required = true, .kind = &form_path, AT(cause.field),
     .words = "the datetime of a record at which it was written", .example = "updated_at"},
    {.key = "cause.probe.after", .form = "time", .fallback = "when the run was planned", .decided = true, .kind = &form_moment, AT(cause.after_us),
     .words = "records newer than this are fresh: when whoever wrote the wrong ones was mended", .example = "2026-07-12T09:30:00Z"},
    {.key = "cause.probe.where", .form = "Lua expression", .fallback = "all of them", .decided = true, .kind = &form_text, AT(cause.where),
     .words = "which of them: those for which it is true; the record is `doc`", .example = "\"doc.importer == '4.2'\""},
    {.key = "expect", .form = "list of maps", .fallback = "none", .decided = true, .kind = &form_expect, AT(expects),
     .words = "golden data: records and aggregates of the target that must come out exactly so; judged at the last gate, which fails where one does not", .example = "[{ name: all, count: 1000 }]"},
    {.key = "expect[].name", .form = "name", .required = true, .kind = &form_name, IN_EXPECT(name),
     .words = "what the verdict calls it", .example = "all-loaded"},
    {.key = "expect[].count", .form = "count", .kind = &form_count, IN_EXPECT(count), .max = INT64_MAX,
     .words = "how many records the target's dataset holds", .example = "1000"},
    {.key = "expect[].sum", .form = "path", .kind = &form_path, IN_EXPECT(sum),
     .words = "a field of numbers whose sum over the dataset, exact to 34 digits, is what `is` says; records without it are left out", .example = "balance"},
    {.key = "expect[].min", .form = "path", .kind = &form_path, IN_EXPECT(min),
     .words = "a field whose least value is what `is` says: of numbers if that is one, else of texts by their bytes", .example = "updated_at"},
    {.key = "expect[].max", .form = "path", .kind = &form_path, IN_EXPECT(max),
     .words = "a field whose greatest value is what `is` says", .example = "updated_at"},
    {.key = "expect[].distinct", .form = "path", .kind = &form_path, IN_EXPECT(distinct),
     .words = "a field with as many different values as `is` says, null and absent not among them", .example = "tier"},
    {.key = "expect[].is", .form = "number or text", .kind = &form_value, IN_EXPECT(is),
     .words = "what the aggregate must be", .example = "4"},
    {.key = "expect[].unique", .form = "path", .kind = &form_path, IN_EXPECT(unique),
     .words = "a field of which no value stands in two records; null and absent are nobody's", .example = "mail"},
    {.key = "expect[].refers", .form = "path", .kind = &form_path, IN_EXPECT(refers),
     .words = "a field each value of which is the key of a record in the dataset that `to` names; null and absent refer to nothing", .example = "customer"},
    {.key = "expect[].to", .form = "dataset", .kind = &form_text, IN_EXPECT(to),
     .words = "a dataset of the target's store", .example = "customers"},
    {.key = "expect[].valid", .form = "true", .kind = &form_bool, IN_EXPECT(valid),
     .words = "that the contract refuses no record of the dataset, whoever wrote it", .example = "true"},
    {.key = "expect[].expires", .form = "true | false", .kind = &form_bool, IN_EXPECT(expires),
     .words = "that each record has an expiry, or that none has", .example = "true"},
    {.key = "expect[].evicts", .form = "true | false", .kind = &form_bool, IN_EXPECT(evicts),
     .words = "that each record may be dropped by its server when that is full (`maxmemory-policy`), or that none may", .example = "false"},
    {.key = "expect[].index", .form = "place", .kind = &form_text, IN_EXPECT(index),
     .words = "a secondary index in the target's store of which each entry has its record and each record its entries: in Valkey the keys of its sets or sorted sets, by the fields of which there is one for each value; elsewhere the dataset whose keys are its entries", .example = "\"idx:status:{status}\""},
    {.key = "expect[].entry", .form = "entry", .fallback = "the record's key, in a set", .decided = true, .kind = &form_text, IN_EXPECT(entry),
     .words = "what an entry of that index looks like: {key} is the record's key, {FIELD} what stands in the field", .example = "\"{status}:{key}\""},
    {.key = "expect[].score", .form = "path", .kind = &form_path, IN_EXPECT(score),
     .words = "of an index that is a sorted set: the number or time that is an entry's score", .example = "created_at"},
    {.key = "expect[].unit", .form = "ms | s", .fallback = "ms", .kind = &form_choice, .choices = unit_words, IN_EXPECT(unit),
     .words = "in what a time is counted as a score, since 1970 UTC: in seconds, what is left of one is not looked at", .example = "s"},
    {.key = "expect[].revived", .form = "false", .kind = &form_bool, IN_EXPECT(revived),
     .words = "that no record that the run deleted stands in the target again, with whatever; judged at every gate", .example = "false"},
    {.key = "expect[].key", .form = "key", .kind = &form_text, IN_EXPECT(key),
     .words = "a record of the target, which holds `fields` as they stand here, or is `absent`; judged at the gate of the stage that holds it, and at the last", .example = "ann"},
    {.key = "expect[].fields", .form = "map", .kind = &form_document, IN_EXPECT(fields),
     .words = "fields of that record, by name or path, each with its value; others may stand beside them", .example = "{ tier: gold }"},
    {.key = "expect[].absent", .form = "true | false", .fallback = "false", .kind = &form_bool, IN_EXPECT(absent),
     .words = "that the record must not be there", .example = "true"},
    {.key = "retain", .form = "map", .kind = &form_map, .words = "how long what a run leaves is kept after its end; `sluice prune` removes what has expired (docs/retain.md)", .example = "{ undo: 7d, quarantine: 30d, reports: 90d }"},
    {.key = "retain.undo", .form = "duration", .fallback = "for ever", .decided = true, .kind = &form_length, AT(retain.undo_ms),
     .words = "the undo log: a rollback is possible until then", .example = "7d"},
    {.key = "retain.quarantine", .form = "duration", .fallback = "for ever", .decided = true, .kind = &form_length, AT(retain.quarantine_ms),
     .words = "the records that it refused", .example = "30d"},
    {.key = "retain.reports", .form = "duration", .fallback = "for ever", .decided = true, .kind = &form_length, AT(retain.reports_ms),
     .words = "reports, notes, samples and the listing of the keys; never before undo log and quarantine", .example = "90d"},
    {.key = "retain.key", .form = "secret", .fallback = "none: not encrypted", .decided = true, .kind = &form_secret, AT(retain.key),
     .words = "the key, 32 bytes as base64 or hex, by which what a run leaves of records is encrypted in the home, as ${env:NAME}, ${file:PATH} or ${command:WORDS}", .example = "\"${file:/etc/sluice/home.key}\""},
    {.key = "on_failure", .form = "pause | rollback-stage | rollback", .fallback = "pause",
     .kind = &form_choice, .choices = on_failure_words, AT(on_failure),
     .words = "what happens when a gate fails", .example = "rollback"},
};
/* clang-format on */

const char *spec_order_word(enum spec_order order)
{
    const struct row_word *word = order_words;
    while (word->value != (int)order)
        word++;
    return word->word;
}

struct rows spec_table(void)
{
    return (struct rows){.row = rows, .n = G_N_ELEMENTS(rows), .params = true};
}

const struct spec_row *spec_rows(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(rows);
    return rows;
}

const struct spec_row *spec_row_find(const char *key)
{
    return rows_find(spec_table(), key);
}

const char *spec_row_nearest(const char *key)
{
    return rows_nearest(spec_table(), key);
}

char *spec_schema_json(void)
{
    return rows_schema_json(spec_table(), "sluice spec");
}
