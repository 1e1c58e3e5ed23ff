#include "verify/verify.h"

#include <jansson.h>
#include <sodium.h>

#include "base/hex.h"
#include "base/spread.h"
#include "base/thread.h"
#include "base/units.h"
#include "verify/cause.h"
#include "verify/expect.h"
#include "verify/extras.h"
#include "verify/measures.h"
#include "verify/page.h"
#include "verify/sealed.h"
#include "verify/theirs.h"
#include "verify/times.h"
#include "verify/verify_parts.h"

static const struct verify_class_row CLASSES[VERIFY_CLASS_COUNT] = {
#define ROW(symbol, word, words) [VERIFY_##symbol] = {word, words},
#include "verify/class_rows.h"
#undef ROW
};

const struct verify_class_row *verify_class_row(enum verify_class class)
{
    return &CLASSES[class];
}

void verify_result_done(struct verify_result *result)
{
    for (size_t i = 0; i < result->n_sums; i++)
        g_free((char *)result->sums[i].counts);
    g_clear_pointer(&result->sums, g_free);
    result->n_sums = 0;
    g_clear_pointer(&result->times, g_array_unref);
    g_clear_pointer(&result->expected, g_array_unref);
    g_clear_pointer(&result->sentence, g_free);
    g_clear_pointer(&result->report_path, g_free);
    g_clear_pointer(&result->page_path, g_free);
    g_clear_pointer(&result->json, g_free);
}

/* --- threads
 * ---------------------------------------------------------------------------------------------------------- */

/* Those that stand next to each other may be of one server, and all threads would be there at once. */
static size_t part_in_turn(const struct verify_input *input, size_t turn)
{
    return input->listed && store_ranks(store_driver(input->source)) ? spread_at(turn, input->n_parts) : turn;
}

static bool is_looked_at(const struct verification *verification, size_t part)
{
    return !verification->settled[part] && (!verification->draw || draw_looks_at(verification->draw, part));
}

static bool next_part(struct verification *verification, const struct verify_part **ret)
{
    const struct verify_input *input = verification->input;
    auto_hold(&verification->lock);
    while (!verification->error && verification->next_part < input->n_parts) {
        size_t part = part_in_turn(input, verification->next_part++);
        if (!is_looked_at(verification, part))
            continue;
        *ret = &input->parts[part];
        return true;
    }
    return false;
}

static bool compare_parts(struct pass *pass, GError **error)
{
    const struct verify_part *part;
    while (next_part(pass->verification, &part))
        if (!pass_part(pass, part, error))
            return false;
    return true;
}

void verification_merge(struct verification *verification, const struct pass *pass)
{
    auto_hold(&verification->lock);
    found_merge(&verification->found, &pass->found);
    preimages_merge(&verification->preimages, &pass->preimages);
    strata_merge(&verification->strata, &pass->strata);
    verification->echoes += pass->echoes;
    if (pass->sketch)
        sketch_merge(verification->sketch, pass->sketch);
}

static void thread_main(void *self)
{
    struct verification *verification = self;
    struct pass pass;
    GError *failed = NULL;
    if (pass_open(&pass, verification, &failed))
        verification->work(&pass, &failed);
    verification_merge(verification, &pass);
    pass_done(&pass);
    if (!failed)
        return;
    auto_hold(&verification->lock);
    error_keep_first(&verification->error, failed);
}

bool verification_threads(struct verification *verification, bool (*work)(struct pass *pass, GError **error),
                          GError **error)
{
    uint32_t n = MAX(verification->input->workers, 1u);
    g_autofree struct thread **threads = g_new0(struct thread *, n);
    bool started = true;
    verification->work = work;
    for (uint32_t i = 0; i < n && started; i++)
        started = thread_start(&threads[i], "verifier", thread_main, verification, error);
    for (uint32_t i = 0; i < n; i++)
        thread_join(threads[i]);
    if (!verification->error)
        return started;
    g_clear_error(error);
    g_propagate_error(error, g_steal_pointer(&verification->error));
    return false;
}

/* --- the verdict
 * ------------------------------------------------------------------------------------------------------ */

static uint64_t all_classes(const struct verify_result *result)
{
    uint64_t sum = 0;
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        sum += result->of[i];
    return sum;
}

static uint64_t unmet(const struct verify_result *result)
{
    uint64_t n = 0;
    for (guint i = 0; result->expected && i < result->expected->len; i++)
        n += !g_array_index(result->expected, struct expect_result, i).holds;
    return n;
}

/* Nothing compared proves nothing, unless every key was set aside by its own words. */
static bool passes_gate(const struct verification *verification)
{
    const struct verify_result *result = verification->result;
    uint64_t settled = result->of[VERIFY_KEPT] + result->of[VERIFY_REFUSED] + result->of[VERIFY_FILTERED] +
                       result->of[VERIFY_GONE] + result->of[VERIFY_APPEARED];
    const struct cause_found *cause = verification->input->cause;
    bool measured = !result->measured || measures_broken(verification->input->measures) == 0;
    return unmet(result) == 0 && measured && (!cause || !cause->broken) && found_bad(&verification->found) == 0 &&
           !result->stopped && preimages_hold(&verification->preimages) && extras_told(verification->extras) &&
           (result->compared > 0 || settled == all_classes(result));
}

static void add_class(GString *text, const struct verify_result *result, enum verify_class class)
{
    char count[UNITS_TEXT];
    if (result->of[class])
        g_string_append_printf(text, ", %s %s", units_count(result->of[class], count), verify_class_row(class)->word);
}

static void add_partitions(GString *text, size_t n)
{
    g_string_append_printf(text, "%" G_GSIZE_FORMAT " partition%s", n, n == 1 ? "" : "s");
}

static void add_sample(GString *text, const struct verify_result *result, size_t n_parts)
{
    char drawn[UNITS_TEXT], from[UNITS_TEXT];
    g_string_append_printf(text, "a sample of %s of the %s keys of ", units_count(result->drawn, drawn),
                           units_count(result->drawn_from, from));
    add_partitions(text, n_parts);
    g_string_append(text, " compared");
}

/* Which way was gone, for how many partitions. */
static void add_way(GString *text, const struct verify_result *result, size_t n_parts)
{
    if (result->drawn) {
        add_sample(text, result, n_parts);
        return;
    }
    if (result->by_sums) {
        g_string_append(text, "by sums of ");
        add_partitions(text, result->by_sums);
        g_string_append(text, " computed when the gate passed");
    }
    if (result->by_keys) {
        char looked_at[UNITS_TEXT];
        g_string_append_printf(text, "%sby sketches %s key%s of ", result->by_sums ? "; " : "",
                               units_count(result->looked_at, looked_at), result->looked_at == 1 ? "" : "s");
        add_partitions(text, result->by_keys);
        g_string_append(text, " that changed since, compared one by one");
    }
    bool some = result->by_sums || result->by_keys;
    if (some && !result->in_full)
        return;
    g_string_append(text, some ? "; all keys of " : "all keys of ");
    add_partitions(text, result->in_full);
    g_string_append(text, " compared in full");
}

/* Of a verification by a sample. */
static struct strata_told strata_of(const struct verification *verification)
{
    const struct draw *draw = verification->draw;
    return (struct strata_told){.strata = &verification->strata,
                                .input = verification->input,
                                .stopped = verification->result->stopped,
                                .shards = &verification->shards,
                                .stands_for = draw_stands_for(draw),
                                .round = draw->round};
}

/* What the sample proves, and what of the keys nobody has looked at. */
static void add_bound(GString *text, const struct verify_result *result, const struct sampling_wish *sure)
{
    char passed[UNITS_TEXT];
    if (!result->drawn)
        return;
    g_string_append_printf(text, "; with %.10g%% confidence ", sure->confidence * 100);
    g_string_append(text, result->stopped ? "more than " : "fewer than ");
    if (result->stopped)
        g_string_append_printf(text, "%.10g%%", sure->below * 100);
    else
        sampling_share_words(result->below, text);
    g_string_append_printf(text, " of all do, %s were not looked at",
                           units_count(result->drawn_from - result->drawn, passed));
}

/* What was asked for and is not in the source was compared with nothing. */
static void add_unmatched(GString *text, const char *only)
{
    const char *by;
    json_int_t given, unmatched;
    json_t *root = only ? json_loads(only, 0, NULL) : NULL;
    if (json_unpack(root, "{s:s, s:I, s:I}", "by", &by, "given", &given, "unmatched", &unmatched) == 0 && unmatched > 0)
        g_string_append_printf(
            text, "; %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " %s that were asked for match nothing",
            unmatched, given, by);
    json_decref(root);
}

/* Those that do not hold by name, as long as they are few. */
static void add_expected(GString *text, const struct verify_result *result)
{
    uint64_t wrong = unmet(result), shown = 0;
    if (!result->expected)
        return;
    g_string_append_printf(text, "; %" G_GUINT64_FORMAT " of %u expectations %s", wrong ? wrong : result->expected->len,
                           result->expected->len, wrong ? "do not hold" : "hold");
    for (guint i = 0; i < result->expected->len && shown < 3; i++) {
        const struct expect_result *one = &g_array_index(result->expected, struct expect_result, i);
        g_autofree char *words = one->holds ? NULL : expect_words(one);
        if (words)
            g_string_append_printf(text, "%s%s", shown++ ? ", " : ": ", words);
    }
}

/* A source that is fed from the target gives a run its own result to work on. */
static void add_echoes(GString *text, uint64_t echoes)
{
    char count[UNITS_TEXT];
    if (echoes)
        g_string_append_printf(text,
                               "; the run meets its own writes in its source: %s record%s of it %s what this run "
                               "wrote into the target, so that the source is fed from there",
                               units_count(echoes, count), echoes == 1 ? "" : "s", echoes == 1 ? "is" : "are");
}

static void add_revived(GString *text, uint64_t revived)
{
    char count[UNITS_TEXT];
    if (revived)
        g_string_append_printf(text, "; %s that the run deleted stand%s there again", units_count(revived, count),
                               revived == 1 ? "s" : "");
}

/* Those beyond their limits by name, as long as they are few. */
static void add_measures(GString *text, const struct verify_result *result, const struct measures *measures)
{
    uint64_t shown = 0, broken = result->measured ? measures_broken(measures) : 0;
    if (!result->measured)
        return;
    g_string_append_printf(text, "; %" G_GUINT64_FORMAT " of %" G_GSIZE_FORMAT " measures %s",
                           broken ? broken : measures->n, measures->n,
                           broken ? "are not what they may become" : "are what they may become");
    for (size_t i = 0; i < measures->n && shown < 3; i++) {
        g_autofree char *why = NULL;
        if (!measures_hold(measures, i, &why))
            g_string_append_printf(text, "%s%s: %s", shown++ ? ", " : ": ", measures->of[i].name, why);
    }
}

static char *sentence_of(const struct verification *verification)
{
    const struct verify_result *result = verification->result;
    char count[UNITS_TEXT], differ[UNITS_TEXT], when[UNITS_TEXT];
    GString *text = g_string_new(NULL);
    uint64_t wrong = result->of[VERIFY_DIFFERING] + result->of[VERIFY_MISSING];
    if (!verification->extras) /* files of the run: among what was compared */
        wrong += result->of[VERIFY_EXTRA];
    add_way(text, result, verification->input->n_parts);
    g_string_append_printf(text, ": %s of %s differ", units_count(wrong, differ), units_count(result->compared, count));
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        add_class(text, result, (enum verify_class)i);
    preimages_words(&verification->preimages, text);
    theirs_words(verification->theirs, text);
    g_autofree char *cause = verification->input->cause ? cause_words(verification->input->cause) : NULL;
    if (cause)
        g_string_append_printf(text, "; %s", cause);
    add_echoes(text, verification->echoes);
    add_revived(text, verification->revived);
    extras_words(verification->extras, text);
    add_expected(text, result);
    add_measures(text, result, verification->input->measures);
    times_words(result->times, text);
    add_bound(text, result, &verification->input->sure);
    if (result->drawn) {
        struct strata_told told = strata_of(verification);
        strata_words(&told, text);
    }
    if (result->since_ms)
        g_string_append_printf(text, "; some of it since %s, by a verification that ended on its way",
                               units_time(result->since_ms, when));
    if (shift_compare(verification->shift)) {
        shift_against(verification->shift);
        shift_words(verification->shift, text);
    }
    add_unmatched(text, verification->input->only);
    g_string_append_printf(text, "; as of %s", units_time(world_wall_ms(verification->input->world), when));
    return g_string_free(text, FALSE);
}

static json_t *set_json(const struct set_digest *set)
{
    char text[DIGEST_TEXT];
    return json_pack("{s:I, s:s}", "count", (json_int_t)set->count, "sum", digest_text(set->sum, text));
}

static void put_hex(json_t *root, const char *name, const uint8_t digest[32])
{
    char hex[HEX_TEXT(32)];
    json_object_set_new(root, name, json_string(hex_text(digest, 32, hex)));
}

/* What the ledger, which has the summary, says of the two files. */
static void put_files(json_t *root, const struct verification *verification, const uint8_t page[32])
{
    uint8_t lines[32];
    picture_digest(verification->picture, lines);
    json_object_set_new(root, "lines", json_integer((json_int_t)picture_lines(verification->picture)));
    put_hex(root, "report_digest", lines);
    json_object_set_new(root, "page", json_string(verification->result->page_path));
    put_hex(root, "page_digest", page);
}

static json_t *index_json(const struct index_counts *counts)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "records", (json_int_t)counts->records, "entries",
                     (json_int_t)counts->entries, "missing", (json_int_t)counts->missing, "dangling",
                     (json_int_t)counts->dangling, "again", (json_int_t)counts->again, "odd", (json_int_t)counts->odd,
                     "moving", (json_int_t)counts->moving);
}

static json_t *expected_json(const GArray *expected)
{
    json_t *list = json_array();
    for (guint i = 0; i < expected->len; i++) {
        const struct expect_result *one = &g_array_index(expected, struct expect_result, i);
        json_t *json = json_pack("{s:s, s:b, s:s}", "name", one->of->name, "holds", one->holds, "found", one->found);
        if (one->of->what == SPEC_EXPECT_INDEX)
            json_object_set_new(json, "index", index_json(&one->index));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *sample_json(const struct verification *verification)
{
    const struct verify_result *result = verification->result;
    const struct verify_input *input = verification->input;
    struct strata_told told = strata_of(verification);
    json_t *sample =
        json_pack("{s:I, s:I, s:I, s:f, s:b}", "keys", (json_int_t)result->drawn, "of", (json_int_t)result->drawn_from,
                  "strata", (json_int_t)input->n_parts, "asked_below", input->sure.below, "stopped", result->stopped);
    if (input->sure.each > 0)
        json_object_update_new(
            sample, json_pack("{s:f, s:I}", "asked_each", input->sure.each, "rounds", (json_int_t)told.round.number));
    strata_put_json(&told, sample);
    return sample;
}

/* With what is kept of it. */
static json_t *profile_json(const struct verification *verification)
{
    json_t *profile = shift_json(verification->shift);
    if (!verification->profile_kept)
        return profile;
    json_t *kept = json_pack("{s:s}", "path", verification->input->profile_path);
    put_hex(kept, "digest", verification->profile_digest);
    json_object_set_new(profile, "kept", kept);
    return profile;
}

static char *json_of(const struct verification *verification, const uint8_t page[32])
{
    const struct verify_result *result = verification->result;
    const struct verify_input *input = verification->input;
    char since[UNITS_TEXT];
    json_t *root = json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "type", "verify", "run", input->run ? input->run : "",
                             "compared", (json_int_t)result->compared, "verdict", result->pass ? "pass" : "fail",
                             "sentence", result->sentence, "report", result->report_path);
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        json_object_set_new(root, verify_class_row((enum verify_class)i)->word,
                            json_integer((json_int_t)result->of[i]));
    json_object_set_new(root, "by_sums", json_integer((json_int_t)result->by_sums));
    json_object_set_new(root, "by_keys", json_integer((json_int_t)result->by_keys));
    json_object_set_new(root, "looked_at", json_integer((json_int_t)result->looked_at));
    if (result->since_ms)
        json_object_set_new(root, "since", json_string(units_time(result->since_ms, since)));
    json_object_set_new(root, "in_full", json_integer((json_int_t)result->in_full));
    json_object_set_new(root, "confidence", json_real(result->drawn ? input->sure.confidence : 1));
    json_object_set_new(root, "below", json_real(result->below));
    if (result->drawn)
        json_object_set_new(root, "sample", sample_json(verification));
    json_object_set_new(root, "wanted_set", set_json(&result->wanted));
    json_object_set_new(root, "live_set", set_json(&result->live));
    if (input->only)
        json_object_set_new(root, "only", json_loads(input->only, 0, NULL));
    if (result->measured)
        json_object_set_new(root, "measures", measures_json(input->measures));
    if (result->times)
        json_object_set_new(root, "buckets", times_json(result->times));
    if (input->cause)
        json_object_set_new(root, "cause", cause_json(input->cause));
    json_object_set_new(root, "own_writes_met", json_integer((json_int_t)verification->echoes));
    json_object_set_new(root, "revived", json_integer((json_int_t)verification->revived));
    if (verification->extras)
        json_object_set_new(root, "beyond", extras_json(verification->extras));
    if (input->sample)
        json_object_set_new(root, "pre_images", preimages_json(&verification->preimages));
    if (verification->theirs)
        json_object_set_new(root, "judge", theirs_json(verification->theirs));
    if (result->expected)
        json_object_set_new(root, "expect", expected_json(result->expected));
    if (shift_compare(verification->shift))
        json_object_set_new(root, "profile", profile_json(verification));
    put_files(root, verification, page);
    char *text = json_dumps(root, JSON_COMPACT);
    char *copy = g_strdup(text);
    free(text);
    json_decref(root);
    return copy;
}

/* The report stands also where nothing differs: an empty file says so. */
static bool finish_report(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    g_autofree char *folder = g_path_get_dirname(input->report_path);
    if (!verification->report &&
        (!file_make_dirs(input->world, folder, error) ||
         !file_open(&verification->report, input->world, input->report_path, FILE_REPLACE, error)))
        return false;
    return file_sync_durable(verification->report, error);
}

/* Beside the report, under its name, which ends with .ndjson. */
static bool write_page(struct verification *verification, uint8_t ret_digest[32], GError **error)
{
    struct verify_result *result = verification->result;
    struct strata_told strata = verification->draw ? strata_of(verification) : (struct strata_told){0};
    struct page of = {.input = verification->input,
                      .strata = verification->draw ? &strata : NULL,
                      .result = result,
                      .picture = verification->picture,
                      .shift = verification->shift,
                      .theirs = verification->theirs};
    g_autoptr(GString) page = page_of(&of);
    size_t stem = (size_t)(strrchr(result->report_path, '.') - result->report_path);
    result->page_path = g_strdup_printf("%.*s.html", (int)stem, result->report_path);
    crypto_generichash(ret_digest, 32, (const uint8_t *)page->str, page->len, NULL, 0);
    return file_replace_durable(verification->input->world, result->page_path, slice_of(page->str, page->len), error);
}

static void take_bound(struct verification *verification)
{
    struct verify_result *result = verification->result;
    const struct draw *draw = verification->draw;
    if (!draw)
        return;
    result->drawn = draw_size(draw, verification->input);
    result->drawn_from = draw->frame.population;
    result->stopped = draw->stopped;
    result->below = draw_below(draw, verification->input, found_bad(&verification->found));
}

static void take_found(struct verification *verification)
{
    struct verify_result *result = verification->result;
    const struct found *found = &verification->found;
    memcpy(result->of, found->of, sizeof result->of);
    result->compared = found->compared;
    result->wanted = found->wanted;
    result->live = found->live;
    result->in_full = verification->draw ? 0 : verification->input->n_parts - result->by_sums - result->by_keys;
    take_bound(verification);
    result->n_sums = verification->sums->len;
    result->sums = (struct part_sum *)(void *)g_array_free(g_steal_pointer(&verification->sums), FALSE);
}

static uint64_t keys_of(const struct verify_input *input)
{
    uint64_t keys = 0;
    for (size_t i = 0; i < input->n_parts; i++)
        keys += input->parts[i].keys.keys;
    return keys;
}

/* As they were planned. */
static uint64_t looked_at_of(const struct verification *verification)
{
    return verification->draw ? draw_size(verification->draw, verification->input) : keys_of(verification->input);
}

static void aim_at(struct verification *verification)
{
    const struct verify_input *input = verification->input;
    bool open = verification->draw && draw_may_grow(verification->draw);
    verification->aim = open ? 0 : looked_at_of(verification);
    input->progress(input->progress_self, 0, verification->aim);
}

static double drawn_share(const struct verification *verification)
{
    const struct draw *draw = verification->draw;
    return draw ? (double)draw_size(draw, verification->input) / (double)draw->frame.population : 1;
}

/* For later runs, what the values are like; of a stage that passes. */
static bool keep_profile(struct verification *verification, GError **error)
{
    struct profile *after = shift_after(verification->shift);
    if (!verification->result->pass || !verification->input->profile_path || !after)
        return true;
    shift_against(verification->shift); /* which marks what has moved */
    verification->profile_kept = true;
    return past_keep_durable(verification->input, after, shift_share(verification->shift) * drawn_share(verification),
                             verification->profile_digest, error);
}

static bool verdict(struct verification *verification, GError **error)
{
    struct verify_result *result = verification->result;
    uint8_t page[32];
    if (!finish_report(verification, error))
        return false;
    take_found(verification);
    result->pass = passes_gate(verification);
    if (result->pass && verification->owners && !owners_writer_finish_durable(verification->owners, error))
        return false;
    if (result->pass && verification->sketch && !sketch_keep_durable(verification, error))
        return false;
    if (!keep_profile(verification, error))
        return false;
    result->sentence = sentence_of(verification);
    result->report_path = g_strdup(verification->input->report_path);
    if (!write_page(verification, page, error))
        return false;
    result->json = json_of(verification, page);
    return !verification->input->progress_path ||
           file_unlink(verification->input->world, verification->input->progress_path, error);
}

static bool open_owners(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    return verification->draw || !input->owners_path ||
           owners_writer_new(&verification->owners, input->world, input->owners_path, input->run_uid, error);
}

static bool open_undo(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    if (!input->undo_dir || store_driver(input->target)->write == NULL)
        return true;
    g_autofree char *dir = g_canonicalize_filename(input->undo_dir, NULL);
    g_autofree char *uri = g_strconcat("undo:", dir, NULL);
    struct store_config config = {.uri = uri, .base_dir = "/", .read_only = true};
    GError *failed = NULL;
    return store_open(&verification->undo, input->registry, &config, &failed) ||
           (error_forgive(failed, SLUICE_ERROR_NOT_FOUND, error) &&
            error_set(error, SLUICE_ERROR_CORRUPT,
                      "%s: the run's undo log is missing from the home, and it alone says what stood there before the "
                      "run; put it back from a copy of the home",
                      dir));
}

static bool unvisited(struct verification *verification, GError **error)
{
    struct pass pass;
    bool stopped = verification->draw && verification->draw->stopped;
    if (!verification->input->whole || !verification->input->listed || verification->unlisted_looked_at || stopped)
        return true;
    bool ok = pass_open(&pass, verification, error) && pass_unvisited(&pass, error);
    verification_merge(verification, &pass);
    pass_done(&pass);
    return ok;
}

static bool strays(struct verification *verification, GError **error)
{
    struct pass pass;
    if (!verification->input->all_parts || !verification->published)
        return true;
    bool ok = pass_open(&pass, verification, error) && appended_strays(&pass, error);
    verification_merge(verification, &pass);
    pass_done(&pass);
    return ok;
}

/* When all that the source wants is known. */
static bool beyond(struct verification *verification, GError **error)
{
    struct pass pass;
    if (!verification->extras)
        return true;
    bool ok = pass_open(&pass, verification, error) && extras_judge(verification->extras, &pass, error);
    verification_merge(verification, &pass);
    pass_done(&pass);
    return ok;
}

static bool tell_fault(void *self, const struct spec_expect *of, const struct index_fault *fault, GError **error)
{
    return report_index(self, of, fault, error);
}

/* Of records those that were met with these parts, and what they say of deleted ones; all, and the aggregates, when
 * nothing is left to be written. */
static bool expected(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    struct expect_wish wish = {.input = input,
                               .due = input->last ? NULL : verification->due,
                               .hidden = verification->seal->sealed,
                               .revived = verification->revived,
                               .revived_keys = verification->revived_keys->str,
                               .fault = tell_fault,
                               .self = verification};
    bool any = input->last;
    for (size_t i = 0; i < input->n_expects; i++) {
        verification->due[i] |= input->expects[i].what == SPEC_EXPECT_REVIVED;
        any |= verification->due[i];
    }
    return !any || input->n_expects == 0 || expect_judge(&wish, &verification->result->expected, error);
}

/* As aggregates are: when nothing is left to be written. */
static bool measured(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    if (!input->last || !input->measures)
        return true;
    struct measures_wish wish = *input->measure;
    wish.input = input;
    verification->result->measured = measures_take(input->measures, &wish, input->measures->after, error);
    return verification->result->measured;
}

static bool timed(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    return !input->last || input->judge->n_buckets == 0 || times_take(input, &verification->result->times, error);
}

/* Round by round, where a sample has several. */
static bool compare_all(struct verification *verification, GError **error)
{
    do {
        verification->next_part = 0;
        if (!verification_threads(verification, compare_parts, error))
            return false;
    } while (verification->draw &&
             draw_widen(verification->draw, verification->input, &verification->found, &verification->strata));
    return true;
}

/* What the sums do not settle is compared in full. */
static bool compare_rest(struct verification *verification, GError **error)
{
    if (!draw_forerun(verification, error))
        return false;
    return (verification->draw && verification->draw->stopped) ||
           verification->result->by_sums == verification->input->n_parts || compare_all(verification, error);
}

static void clear_sum(void *data)
{
    struct part_sum *sum = data;
    g_free((char *)sum->counts);
}

static void verification_done(struct verification *verification)
{
    if (verification->undo)
        store_release(verification->input->registry, verification->undo);
    if (verification->sums) {
        g_array_set_clear_func(verification->sums, clear_sum);
        g_array_unref(verification->sums);
    }
    g_clear_pointer(&verification->published, g_array_unref);
    owners_writer_free(verification->owners);
    g_clear_pointer(&verification->report, file_free);
    picture_free(verification->picture);
    shift_free(verification->shift);
    theirs_free(verification->theirs);
    extras_free(verification->extras);
    g_free(verification->due);
    g_string_free(verification->revived_keys, TRUE);
    draw_free(verification->draw);
    strata_shards_done(&verification->shards);
    sketch_free(verification->sketch);
    resolve_done(verification);
    g_free(verification->settled);
    pthread_mutex_destroy(&verification->lock);
}

static bool open_report(struct verification *verification, struct report_seal *seal, GError **error)
{
    verification->seal = seal;
    if (!report_seal_find(seal, verification->input, error))
        return false;
    verification->picture = picture_new(seal->sealed);
    return true;
}

bool verify_run(const struct verify_input *input, struct verify_result *ret, GError **error)
{
    struct verify_result result = {0};
    struct verification verification = {.input = input, .result = &result};
    struct report_seal seal = {0};
    pthread_mutex_init(&verification.lock, NULL);
    verification.due = g_new0(bool, input->n_expects);
    verification.revived_keys = g_string_new(NULL);
    verification.settled = g_new0(bool, input->n_parts);
    verification.draw = draw_new(input);
    verification.shift = shift_new(input, looked_at_of(&verification));
    aim_at(&verification);
    if (input->sketch_path && !verification.draw && !verify_appends(input))
        verification.sketch = sketch_new(SKETCH_CELLS, input->seed, SKETCH_TABLES);
    verification.sums = g_array_new(FALSE, TRUE, sizeof(struct part_sum));
    bool ok = theirs_new(&verification.theirs, input, error) && extras_new(&verification.extras, input, error) &&
              open_report(&verification, &seal, error) && open_undo(&verification, error) &&
              open_owners(&verification, error) && sweep_run(&verification, error) &&
              appended_list(&verification, error) && compare_rest(&verification, error) &&
              strays(&verification, error) && extras_list(verification.extras, error) &&
              unvisited(&verification, error) && beyond(&verification, error) && expected(&verification, error) &&
              measured(&verification, error) && timed(&verification, error) && verdict(&verification, error);
    verification_done(&verification);
    seal_forget(&seal.key);
    if (ok)
        *ret = result;
    else
        verify_result_done(&result);
    return ok;
}
