#include "kit/kit.h"
#include "spec/spec.h"

#define HEAD   "sluice: 1\nname: fix-tiers\n"
#define SOURCE "source: { store: 'file:in', dataset: '*.ndjson' }\n"
#define TARGET "target: { store: 'rocksdb:data', dataset: customers }\n"

static struct spec *read_text(const char *text, GError **error)
{
    struct spec *spec = NULL;
    return spec_parse(&spec, "dir/s.yaml", slice_of_text(text), error) ? spec : NULL;
}

static void assert_refused(const char *text, const char *expected)
{
    g_autoptr(GError) error = NULL;
    auto_(spec) spec = read_text(text, &error);
    if (spec)
        fail_msg("taken: %s", text);
    assert_int_equal(error->code, SLUICE_ERROR_SPEC);
    assert_string_equal(error->message, expected);
}

static struct spec *assert_taken(const char *text)
{
    g_autoptr(GError) error = NULL;
    struct spec *spec = read_text(text, &error);
    if (!spec)
        fail_msg("%s", error->message);
    return spec;
}

static void the_least_spec_has_all_defaults(void **state)
{
    auto_(spec) spec = assert_taken(HEAD SOURCE TARGET);
    assert_string_equal(spec->path, "dir/s.yaml");
    assert_string_equal(spec->dir, "dir");
    assert_string_equal(spec->name, "fix-tiers");
    assert_null(spec->reason);
    assert_string_equal(spec->source.store, "file:in");
    assert_string_equal(spec->source.dataset, "*.ndjson");
    assert_int_equal(spec->source.key.n, 0);
    assert_null(spec->source.version);
    assert_int_equal(spec->source.duplicates, DUPLICATES_ERROR);
    assert_null(spec->source.where);
    assert_null(spec->transform.lua);
    assert_int_equal(spec->transform.n_libs, 0);
    assert_false(spec->transform.idempotent);
    assert_null(spec->contract);
    assert_int_equal(spec->target.as, AS_DEFAULT);
    assert_int_equal(spec->target.expires, EXPIRES_KEEP);
    assert_int_equal(spec->target.write, WRITE_FILL);
    assert_int_equal(spec->target.write_given, SPEC_DEFAULT);
    assert_int_equal(spec->target.conflict, CONFLICT_KEEP_LIVE);
    assert_int_equal(spec->target.conflict_given, SPEC_DEFAULT);
    assert_int_equal(spec->target.unversioned, UNVERSIONED_KEEP_LIVE);
    assert_int_equal(spec->target.ties, TIES_KEEP_LIVE);
    assert_int_equal(spec->partition_records, 5000);
    assert_int_equal(spec->partition_count, 0);
    assert_int_equal(spec->workers, 0); /* the plan decides */
    assert_false(spec->stages_given);
    assert_int_equal(spec->n_stages, 3);
    assert_string_equal(spec->stages[0].name, "canary");
    assert_int_equal(spec->stages[0].order, ORDER_RISKIEST);
    assert_int_equal(spec->stages[1].order, ORDER_LISTED);
    assert_true(spec->stages[1].scope_share > 0.249 && spec->stages[1].scope_share < 0.251);
    assert_string_equal(spec->stages[2].name, "full");
    assert_true(spec->stages[2].scope_share >= 1);
    assert_true(spec->stages[2].sure.confidence <= 0);
    for (int what = 0; what < SPEC_MAY_COUNT; what++)
        assert_int_equal(spec->may[what].n, 0);
    assert_true(spec->protect.errors > 0.00099 && spec->protect.errors < 0.00101);
    assert_int_equal(spec->protect.skew_ms, 500);
    assert_true(spec->protect.rejects > 0.00099 && spec->protect.rejects < 0.00101);
    assert_true(spec->protect.kept_live > 0.499 && spec->protect.kept_live < 0.501);
    assert_true(spec->protect.rate_max_per_s <= 0);
    assert_int_equal(spec->on_failure, ON_FAILURE_PAUSE);
    kit_equal_text(spec->source_text, HEAD SOURCE TARGET);
}

static void assert_stages_and_rights(const struct spec *spec)
{
    assert_int_equal(spec->partition_count, 64);
    assert_int_equal(spec->workers, 64);
    assert_string_equal(spec->reason, "INC-1432: ${not a placeholder}");
    assert_string_equal(spec->owner_team, "data-platform");
    assert_string_equal(spec->owner_contact, "x@example.com");
    assert_string_equal(spec->may[SPEC_MAY_APPROVE].names[1], "dba");
    assert_int_equal(spec->may[SPEC_MAY_APPROVE].n, 2);
    assert_int_equal(spec->may[SPEC_MAY_SET].n, 1);
    assert_int_equal(spec->may[SPEC_MAY_ABORT].n, 0);
    assert_true(spec->stages_given);
    assert_int_equal(spec->stages[0].scope_partitions, 2);
    assert_int_equal(spec->stages[0].order, ORDER_LISTED);
    assert_int_equal(spec->stages[0].soak_ms, 600000);
    assert_true(spec->stages[0].sure.confidence > 0.9 && spec->stages[0].sure.below > 0);
    assert_true(spec->stages[0].sure.each > 0.049 && spec->stages[0].sure.each < 0.051);
    assert_null(spec->stages[0].approve);
    assert_string_equal(spec->stages[1].name, "all");
    assert_string_equal(spec->stages[1].approve, "dba");
    assert_true(spec->stages[1].sure.confidence <= 0);
    assert_true(spec->protect.errors > 0.0299 && spec->protect.errors < 0.0301);
}

static void every_key_that_is_acted_on_is_read(void **state)
{
    auto_(spec) spec =
        assert_taken("sluice: 1\n"
                     "name: a-1\n"
                     "reason: \"INC-1432: ${not a placeholder}\"\n"
                     "owner: { team: data-platform, contact: x@example.com, may: { approve: [lead, dba], set: [x] } "
                     "}\n"
                     "source:\n"
                     "  store: 'file:in'\n"
                     "  dataset: 'a-*.csv'\n"
                     "  key: [tenant, user.id]\n"
                     "  version: updated_at\n"
                     "  duplicates: newest\n"
                     "  where: doc.active and doc.n > 3\n"
                     "transform: { lua: t.lua, libs: [a.lua, /abs/b.lua], idempotent: true }\n"
                     "contract: sub/c.yaml\n"
                     "target:\n"
                     "  store: 'valkey://${env:USER}:${file:pw}@h:1'\n"
                     "  dataset: 'customer:{username}'\n"
                     "  as: json\n"
                     "  expires: { from: valid.until }\n"
                     "  write: in-place\n"
                     "  conflict: newer-wins\n"
                     "  unversioned: overwrite\n"
                     "  ties: repair\n"
                     "partitions: { count: 64 }\n"
                     "workers: 64\n"
                     "stages:\n"
                     "  - { name: a, scope: 2 partitions, order: listed, gate: { soak: 10m, verify: { "
                     "confidence: 99.9%, below: 0.01%, each: 5% } } }\n"
                     "  - { name: all, scope: 100%, gate: { verify: full, approve: dba } }\n"
                     "protect: { errors: 3%, rejects: 2.5%, kept_live: 100%, skew: 2s, rate: { max: 20000/s } }\n"
                     "on_failure: rollback\n");
    assert_int_equal(spec->source.key.n, 2);
    assert_string_equal(path_text(spec->source.key.paths[1]), "user.id");
    assert_string_equal(path_text(spec->source.version), "updated_at");
    assert_int_equal(spec->source.duplicates, DUPLICATES_NEWEST);
    assert_string_equal(spec->source.where, "doc.active and doc.n > 3");
    assert_string_equal(spec->transform.lua, "dir/t.lua");
    assert_int_equal(spec->transform.n_libs, 2);
    assert_string_equal(spec->transform.libs[0], "dir/a.lua");
    assert_string_equal(spec->transform.libs[1], "/abs/b.lua");
    assert_true(spec->transform.idempotent);
    assert_string_equal(spec->contract, "dir/sub/c.yaml");
    assert_string_equal(spec->target.store, "valkey://${env:USER}:${file:pw}@h:1");
    assert_int_equal(spec->target.as, AS_JSON);
    assert_int_equal(spec->target.expires, EXPIRES_FROM);
    assert_string_equal(path_text(spec->target.expires_from), "valid.until");
    assert_int_equal(spec->target.write, WRITE_IN_PLACE);
    assert_int_equal(spec->target.write_given, SPEC_GIVEN);
    assert_int_equal(spec->target.conflict, CONFLICT_NEWER_WINS);
    assert_int_equal(spec->target.conflict_given, SPEC_GIVEN);
    assert_int_equal(spec->target.unversioned, UNVERSIONED_OVERWRITE);
    assert_int_equal(spec->target.ties, TIES_REPAIR);
    assert_stages_and_rights(spec);
    assert_int_equal(spec->protect.skew_ms, 2000);
    assert_true(spec->protect.rejects > 0.0249 && spec->protect.rejects < 0.0251);
    assert_true(spec->protect.rate_max_per_s > 19999 && spec->protect.rate_max_per_s < 20001);
    assert_int_equal(spec->on_failure, ON_FAILURE_ROLLBACK);
}

static void a_version_makes_the_newest_win(void **state)
{
    auto_(spec) spec = assert_taken(HEAD TARGET "source: { store: 'file:in', dataset: a, version: v }\n");
    assert_int_equal(spec->source.duplicates, DUPLICATES_NEWEST);
    assert_int_equal(spec->target.conflict, CONFLICT_NEWER_WINS);
    assert_int_equal(spec->target.conflict_given, SPEC_DEFAULT);
}

static void a_source_is_there_until_a_time_or_for_so_long(void **state)
{
    static const struct {
        const char *text;
        int64_t at_ms, after_ms;
    } ROWS[] = {
        {"2026-07-17T03:00:00Z", INT64_C(1784257200000), 0},
        {"2026-07-17 + 3h", INT64_C(1784257200000), 0},
        {"7d", 0, INT64_C(604800000)},
        {"1h30m", 0, INT64_C(5400000)},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autofree char *text =
            g_strdup_printf(HEAD "source: { store: 'file:in', dataset: '*.ndjson', until: %s }\n" TARGET, ROWS[i].text);
        auto_(spec) spec = assert_taken(text);
        assert_int_equal(spec->source.until.at_ms, ROWS[i].at_ms);
        assert_int_equal(spec->source.until.after_ms, ROWS[i].after_ms);
    }
    static const char *const NEITHER[] = {"0s", "1970-01-01"}; /* the moment 0 would be for ever */
    for (size_t i = 0; i < G_N_ELEMENTS(NEITHER); i++) {
        g_autofree char *text =
            g_strdup_printf(HEAD "source: { store: 'file:in', dataset: '*.ndjson', until: %s }\n" TARGET, NEITHER[i]);
        g_autofree char *words =
            g_strdup_printf("dir/s.yaml:3:57: expected a time such as 2026-07-10T12:00:00Z, or a duration such as 7d "
                            "from when the run is planned, found the text '%s'",
                            NEITHER[i]);
        assert_refused(text, words);
    }
}

static void expires_has_four_forms(void **state)
{
    static const struct {
        const char *text;
        enum spec_expires expires;
        int64_t after_ms;
    } rows[] = {{"keep", EXPIRES_KEEP, 0},
                {"never", EXPIRES_NONE, 0},
                {"30d", EXPIRES_AFTER, INT64_C(30) * 86400 * 1000},
                {"{ from: until }", EXPIRES_FROM, 0}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text =
            g_strdup_printf(HEAD SOURCE "target: { store: 'mem:x', dataset: d, expires: %s }\n", rows[i].text);
        auto_(spec) spec = assert_taken(text);
        assert_int_equal(spec->target.expires, rows[i].expires);
        assert_int_equal(spec->target.expires_after_ms, rows[i].after_ms);
    }
    assert_refused(HEAD SOURCE "target: { store: 'mem:x', dataset: d, expires: soon }\n",
                   "dir/s.yaml:4:48: expected keep, never, a duration such as 30d, or { from: path }, found the text "
                   "'soon'");
    assert_refused(HEAD SOURCE "target: { store: 'mem:x', dataset: d, expires: 0s }\n",
                   "dir/s.yaml:4:48: expected keep, never, a duration such as 30d, or { from: path }, found the text "
                   "'0s'");
    assert_refused(HEAD SOURCE "target: { store: 'mem:x', dataset: d, expires: { form: a } }\n",
                   "dir/s.yaml:4:50: unknown key 'form'; did you mean 'from'?");
    assert_refused(HEAD SOURCE "target: { store: 'mem:x', dataset: d, expires: {} }\n",
                   "dir/s.yaml:4:48: expected { from: path }, found a map of keys");
}

static void a_spec_next_to_the_caller_has_plain_paths(void **state)
{
    g_autoptr(GError) error = NULL;
    auto_(spec) spec = NULL;
    kit_ok(spec_parse(&spec, "s.yaml", slice_of_text(HEAD SOURCE TARGET "contract: c.yaml\n"), &error));
    assert_string_equal(spec->dir, ".");
    assert_string_equal(spec->contract, "c.yaml");
}

static void undo_is_a_store_without_datasets(void **state)
{
    auto_(spec) spec = assert_taken(HEAD "source: { store: 'undo:fix.1' }\n" TARGET);
    assert_string_equal(spec->source.dataset, "");
    assert_refused(HEAD "source: { store: 'file:in' }\n" TARGET,
                   "dir/s.yaml:3:9: the key 'source.dataset' is missing: which records of the store: for files a glob, "
                   "for RocksDB a name; for example \"customers-*.ndjson.zst\"");
}

static void all_errors_of_a_file_are_told_at_once_in_its_order(void **state)
{
    assert_refused("sluice: 2\n"
                   "name: Fix_Tiers\n"
                   "soruce: { store: 'file:in' }\n"
                   "target: { store: data, dataset: 5, wriet: fill, as: jsno }\n"
                   "workers: 65\n"
                   "conflict: overwrite\n"
                   "protect: { rejects: 0.1, skew: soon, rate: { max: 0/s } }\n",
                   "dir/s.yaml:1:1: the key 'source' is missing: where the records come from; for example { store: "
                   "\"file:archive\", dataset: \"customers-*.ndjson\" }\n"
                   "dir/s.yaml:1:9: expected 1, the only version of this file's form there is, found the number 2\n"
                   "dir/s.yaml:2:7: expected a name of at most 63 small letters, digits and '-', not beginning with "
                   "'-', found the text 'Fix_Tiers'\n"
                   "dir/s.yaml:3:1: unknown key 'soruce'; did you mean 'source'?\n"
                   "dir/s.yaml:4:18: expected the URI of a store, such as file:archive or rocksdb:data (`sluice "
                   "stores` lists them), found the text 'data'\n"
                   "dir/s.yaml:4:33: expected a text, found the number 5; put it in quotes if it is meant as text\n"
                   "dir/s.yaml:4:36: unknown key 'wriet'; did you mean 'write'?\n"
                   "dir/s.yaml:4:53: unknown value 'jsno'; did you mean 'json'?\n"
                   "dir/s.yaml:5:10: expected a whole number from 1 to 64, found the number 65\n"
                   "dir/s.yaml:6:1: unknown key 'conflict' in this place; it is known as 'target.conflict'\n"
                   "dir/s.yaml:7:21: '0.1': expected a share such as 1% or 99.9%\n"
                   "dir/s.yaml:7:32: 'soon': expected a duration such as 500ms, 2s, 10m, 6h, 30d or 2w\n"
                   "dir/s.yaml:7:51: expected a rate above zero; to stop a run there is `sluice pause`");
}

/* Each can be read, and would be passed at once or never. */
static void a_limit_that_says_nothing_is_refused_with_what_to_say_instead(void **state)
{
    static const struct {
        const char *given, *words;
    } ROWS[] = {
        {"forecast: 0.5", "'protect.forecast: 0.5': a run that does just what its plan forecasts would be paused"},
        {"forecast: 0.99", "such as 2, or `none`"},
        {"memory: 0%", "would wait for ever"},
        {"memory: 100%", "less than 100%"},
        {"clients: 0%", "would wait for ever"},
        {"clients: 100%", "less than 100%"},
        {"expired: 100%", "less than 100%"},
        {"growth: 0", "would wait for ever"},
        {"growth: 0GiB", "would wait for ever"},
        {"replication_bytes: 0", "would wait for ever"},
        {"compaction: 0", "would wait for ever"},
        {"replicas: 0", "say 1 or more, or `none`"},
        {"replication_lag: 0s", "say 1s or more, or `none`"},
        {"replication_lag: 999ms", "say 1s or more, or `none`"},
        {"hold: 0s", "expected a duration above zero"},
    };
    static const char *const FINE[] = {"forecast: 1",  "memory: 99.9%", "amplification: 0.5", "evictions: 0/s",
                                       "expired: 0%",  "growth: 1",     "replicas: 1",        "replication_lag: 1s",
                                       "memory: none", "forecast: none"};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autofree char *text = g_strdup_printf(HEAD SOURCE TARGET "protect: { %s }\n", ROWS[i].given);
        g_autoptr(GError) error = NULL;
        auto_(spec) spec = read_text(text, &error);
        if (spec)
            fail_msg("taken: %s", ROWS[i].given);
        if (!strstr(error->message, ROWS[i].words))
            fail_msg("%s: %s", ROWS[i].given, error->message);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(FINE); i++) {
        g_autofree char *text = g_strdup_printf(HEAD SOURCE TARGET "protect: { %s }\n", FINE[i]);
        auto_(spec) spec = assert_taken(text);
    }
}

static void what_is_no_map_is_refused(void **state)
{
    assert_refused("", "dir/s.yaml:1:1: expected a map of keys, found nothing");
    assert_refused("- a\n", "dir/s.yaml:1:1: expected a map of keys, found a list");
    assert_refused("hello", "dir/s.yaml:1:1: expected a map of keys, found the text 'hello'");
    assert_refused("\xC3(", "dir/s.yaml:1:1: not UTF-8: byte 0xC3; save the file as UTF-8");
    assert_refused("a: {", "dir/s.yaml:2:1: not YAML: did not find expected node content");
    assert_refused(HEAD "source: file\n" TARGET, "dir/s.yaml:3:9: expected a map of keys, found the text 'file'");
    assert_refused(HEAD SOURCE TARGET "protect:\n", "dir/s.yaml:5:1: expected a map of keys, found nothing");
}

static void duplicate_keys_are_refused(void **state)
{
    assert_refused(HEAD SOURCE TARGET "name: b\n", "dir/s.yaml:5:1: the key 'name' was there already, at 2:1");
}

static void keys_that_contradict_each_other_are_both_named(void **state)
{
    assert_refused(HEAD SOURCE "target: { store: 'mem:x', dataset: d,\n  write: fill,\n  conflict: overwrite }\n",
                   "dir/s.yaml:6:13: 'target.conflict: overwrite' contradicts 'target.write: fill' on line 5: fill "
                   "writes only where the key is absent; to write over live records use write: in-place");
    assert_refused(HEAD SOURCE "target: { store: 'mem:x', dataset: d, unversioned: overwrite, ties: repair,\n"
                               "  conflict: keep-live }\n",
                   "dir/s.yaml:4:52: 'target.unversioned: overwrite' contradicts 'target.conflict: keep-live' on line "
                   "5: only newer-wins asks for it\n"
                   "dir/s.yaml:4:69: 'target.ties: repair' contradicts 'target.conflict: keep-live' on line 5: only "
                   "newer-wins has ties");
    assert_refused(HEAD SOURCE TARGET "partitions: { size: 10, count: 5 }\n",
                   "dir/s.yaml:5:32: 'partitions.count: 5' contradicts 'partitions.size: 10' on line 5: either the "
                   "number of partitions is given or their size");
    assert_refused(HEAD SOURCE "target: { store: 'mem:x', dataset: d, conflict: newer-wins }\n",
                   "dir/s.yaml:4:49: 'target.conflict: newer-wins' needs 'source.version', the path that says which of "
                   "two states is newer");
    assert_refused(HEAD TARGET "source: { store: 'mem:x', dataset: d, duplicates: newest }\n",
                   "dir/s.yaml:4:51: 'source.duplicates: newest' needs 'source.version', the path that says which of "
                   "two states is newer");
}

static void a_share_is_at_most_all(void **state)
{
    assert_refused(HEAD SOURCE TARGET "protect: { rejects: 100.1% }\n",
                   "dir/s.yaml:5:21: expected a share of at most 100%, found the text '100.1%'");
}

static void paths_are_checked(void **state)
{
    assert_refused(HEAD TARGET "source: { store: 'mem:x', dataset: d, key: [a, a], version: 'a..b' }\n",
                   "dir/s.yaml:4:48: the path 'a' stands twice in the list\n"
                   "dir/s.yaml:4:61: the path 'a..b' is wrong at byte 3: expected a name");
    assert_refused(HEAD TARGET "source: { store: 'mem:x', dataset: d, key: [] }\n",
                   "dir/s.yaml:4:44: expected a path such as user.id, or a list of paths, found a list");
}

static void stages_that_cannot_be_are_refused(void **state)
{
    assert_refused(
        HEAD SOURCE TARGET "stages: [{ name: canary, scope: 5 partitions }]\n",
        "dir/s.yaml:5:33: the last stage 'canary' does not reach 100%: what lies beyond it would never be written");
    assert_refused(HEAD SOURCE TARGET "stages: [{ name: a, scope: 300% }, { name: b, scope: 0 }]\n",
                   "dir/s.yaml:5:28: expected a share such as 25%, '5 partitions', '1000 records' or { keys: FILE }, "
                   "found the text '300%'\ndir/s.yaml:5:54: expected a share such as 25%, '5 partitions', '1000 "
                   "records' or { keys: FILE }, found the number 0");
    assert_refused(
        HEAD SOURCE TARGET "stages: [{ name: a, scope: 25% }, { name: b, scope: 1% }, { name: c, scope: 100% }]\n",
        "dir/s.yaml:5:35: the stage 'b' reaches no further than 'a' before it: scopes are cumulative, and grow");
    assert_refused(HEAD SOURCE TARGET
                   "stages: [{ name: a, scope: 100%, gate: { verify: { confidence: 100%, below: 1% } } }]\n",
                   "dir/s.yaml:5:64: expected a share above 0% and below 100%: no sample is surer than that, found the "
                   "text '100%'");
    assert_refused(HEAD SOURCE TARGET
                   "stages: [{ name: a, scope: 100%, gate: { verify: { confidence: 99%, below: 1%, each: 0% } } }]\n",
                   "dir/s.yaml:5:86: expected a share above 0% and below 100%: no sample is surer than that, found the "
                   "text '0%'");
    assert_refused(HEAD SOURCE TARGET "stages: [{ name: a, scope: 100%, gate: { verify: { confidence: 99% } } }]\n",
                   "dir/s.yaml:5:50: the key 'stages[].gate.verify.below' is missing: that fewer than this share "
                   "differ; for example 0.01%");
    assert_refused(
        HEAD SOURCE TARGET
        "owner: { may: { approve: [dba] } }\nstages: [{ name: a, scope: 100%, gate: { approve: lead } }]\n",
        "dir/s.yaml:6:10: the stage 'a' asks 'lead' for an approval, whom 'owner.may.approve' does not name");
    assert_refused(HEAD SOURCE TARGET "owner: { may: { approv: [dba], set: dba } }\n",
                   "dir/s.yaml:5:17: unknown key 'approv'; did you mean 'approve'?\ndir/s.yaml:5:37: expected a list, "
                   "found the text 'dba'");
    assert_refused(HEAD SOURCE TARGET "stages: [{ name: a, scope: { keys: f } }, { scope: 10 monkeys }, {}]\n",
                   "dir/s.yaml:5:43: the key 'stages[].name' is missing: what the stage is called; for example full\n"
                   "dir/s.yaml:5:52: expected a share such as 25%, '5 partitions', '1000 records' or { keys: FILE }, "
                   "found the text '10 monkeys'\n"
                   "dir/s.yaml:5:66: the key 'stages[].name' is missing: what the stage is called; for example full\n"
                   "dir/s.yaml:5:66: the key 'stages[].scope' is missing: how much has been written when the stage "
                   "ends, those before it included; rounded up to whole partitions; for example 100%");
    assert_refused(
        HEAD SOURCE TARGET "stages: [{ name: a, scope: 50% }, { name: a, scope: 10% }]\n",
        "dir/s.yaml:5:35: a stage 'a' was there already, on line 5\n"
        "dir/s.yaml:5:35: the stage 'a' reaches no further than 'a' before it: scopes are cumulative, and grow");
    assert_refused(HEAD SOURCE TARGET "stages: []\n", "dir/s.yaml:5:9: expected a list of stages such as [{ name: "
                                                      "full, scope: 100% }], found a list");
}

static void placeholders_stand_only_in_stores(void **state)
{
    assert_refused(
        HEAD SOURCE "target: { store: 'mem:x', dataset: 'd-${day}' }\n",
        "dir/s.yaml:4:36: there is no param 'day'; this file declares none (`params: { NAME: { type: string } }`)");
    assert_refused(HEAD SOURCE "target: { store: 'mem:x', dataset: 'd-${env:HOME}' }\n",
                   "dir/s.yaml:4:36: expected ${NAME}, a param of the spec; ${env:NAME} and ${file:PATH} stand only in "
                   "'store'");
    assert_refused(
        HEAD SOURCE "target: { store: 'mem:${d y}', dataset: d }\n",
        "dir/s.yaml:4:18: expected ${env:NAME}, ${file:PATH} or ${command:WORDS}, or ${NAME}, a param of the "
        "spec");
    assert_refused(
        HEAD SOURCE "target: { store: 'mem:${vault:x}', dataset: d }\n",
        "dir/s.yaml:4:18: an unknown kind of secret; known are ${env:NAME}, ${file:PATH} and ${command:WORDS}");
}

static void a_file_that_is_not_there_is_an_error_of_the_spec(void **state)
{
    g_autoptr(GError) error = NULL;
    auto_(spec) spec = NULL;
    kit_refused(spec_read(&spec, world_real(), "/nonexistent/s.yaml", &error), SPEC, "/nonexistent/s.yaml: cannot");
    kit_refused(spec_read(&spec, world_real(), "/", &error), SPEC, "/: ");
}

static void a_file_is_read(void **state)
{
    g_autoptr(GError) error = NULL;
    auto_(spec) spec = NULL;
    g_autofree char *path = g_build_filename(*state, "s.yaml", NULL);
    assert_true(g_file_set_contents(path, HEAD SOURCE TARGET, -1, NULL));
    kit_ok(spec_read(&spec, world_real(), path, &error));
    assert_string_equal(spec->path, path);
    assert_string_equal(spec->dir, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_spec_has_all_defaults),
        cmocka_unit_test(every_key_that_is_acted_on_is_read),
        cmocka_unit_test(a_version_makes_the_newest_win),
        cmocka_unit_test(a_source_is_there_until_a_time_or_for_so_long),
        cmocka_unit_test(expires_has_four_forms),
        cmocka_unit_test(a_spec_next_to_the_caller_has_plain_paths),
        cmocka_unit_test(undo_is_a_store_without_datasets),
        cmocka_unit_test(all_errors_of_a_file_are_told_at_once_in_its_order),
        cmocka_unit_test(a_limit_that_says_nothing_is_refused_with_what_to_say_instead),
        cmocka_unit_test(what_is_no_map_is_refused),
        cmocka_unit_test(duplicate_keys_are_refused),
        cmocka_unit_test(keys_that_contradict_each_other_are_both_named),
        cmocka_unit_test(a_share_is_at_most_all),
        cmocka_unit_test(paths_are_checked),
        cmocka_unit_test(stages_that_cannot_be_are_refused),
        cmocka_unit_test(placeholders_stand_only_in_stores),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error_of_the_spec),
        cmocka_unit_test_setup_teardown(a_file_is_read, kit_dir_setup, kit_dir_teardown),
    };
    return cmocka_run_group_tests_name("spec/spec", tests, NULL, NULL);
}
