#include "verify/verify.h"

#include <jansson.h>

#include "base/thread.h"
#include "base/units.h"
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
    g_clear_pointer(&result->sentence, g_free);
    g_clear_pointer(&result->report_path, g_free);
    g_clear_pointer(&result->json, g_free);
}

/* --- threads
 * ---------------------------------------------------------------------------------------------------------- */

static bool next_part(struct verification *verification, const struct verify_part **ret)
{
    const struct verify_input *input = verification->input;
    auto_hold(&verification->lock);
    while (verification->next_part < input->n_parts && verification->settled[verification->next_part])
        verification->next_part++;
    if (verification->error || verification->next_part >= input->n_parts)
        return false;
    *ret = &input->parts[verification->next_part++];
    return true;
}

static bool compare_parts(struct pass *pass, GError **error)
{
    const struct verify_part *part;
    while (next_part(pass->verification, &part))
        if (!pass_part(pass, part, error))
            return false;
    return true;
}

/* What the pass has found beside partitions, which are merged when they end. */
static void merge(struct verification *verification, const struct pass *pass)
{
    auto_hold(&verification->lock);
    found_merge(&verification->found, &pass->found);
    verification->sampled += pass->sampled;
    verification->sample_held += pass->sample_held;
}

static void thread_main(void *self)
{
    struct verification *verification = self;
    struct pass pass;
    GError *failed = NULL;
    if (pass_open(&pass, verification, &failed))
        verification->work(&pass, &failed);
    merge(verification, &pass);
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

/* The undo log is held against the verifier's own sample. The application may have written some of the sampled keys
 * between the two reads; where most do not hold, it is the log that is wrong. */
static bool sample_agrees(const struct verification *verification)
{
    return verification->sampled < 20 || verification->sample_held * 2 >= verification->sampled;
}

/* Nothing compared proves nothing, unless every key was set aside by its own words. */
static bool passes_gate(const struct verification *verification)
{
    const struct verify_result *result = verification->result;
    uint64_t settled = result->of[VERIFY_KEPT] + result->of[VERIFY_REFUSED] + result->of[VERIFY_FILTERED] +
                       result->of[VERIFY_GONE] + result->of[VERIFY_APPEARED];
    return result->of[VERIFY_DIFFERING] == 0 && result->of[VERIFY_MISSING] == 0 && result->of[VERIFY_EXTRA] == 0 &&
           result->of[VERIFY_IN_DOUBT] == 0 && sample_agrees(verification) &&
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

/* Which of the two ways was gone, for how many partitions. */
static void add_way(GString *text, const struct verify_result *result)
{
    if (result->by_sums) {
        g_string_append(text, "by sums of ");
        add_partitions(text, result->by_sums);
        g_string_append(text, " computed when the gate passed");
    }
    if (result->by_sums && !result->in_full)
        return;
    g_string_append(text, result->by_sums ? "; all keys of " : "all keys of ");
    add_partitions(text, result->in_full);
    g_string_append(text, " compared in full");
}

/* What was asked for and is not in the source was compared with nothing. */
static void add_unmatched(GString *text, const char *only)
{
    const char *by;
    json_int_t given, unmatched;
    json_t *root = only ? json_loads(only, 0, NULL) : NULL;
    if (root && json_unpack(root, "{s:s, s:I, s:I}", "by", &by, "given", &given, "unmatched", &unmatched) == 0 &&
        unmatched > 0)
        g_string_append_printf(
            text, "; %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " %s that were asked for match nothing",
            unmatched, given, by);
    json_decref(root);
}

static char *sentence_of(const struct verification *verification)
{
    const struct verify_result *result = verification->result;
    char count[UNITS_TEXT], differ[UNITS_TEXT], when[UNITS_TEXT];
    GString *text = g_string_new(NULL);
    uint64_t wrong = result->of[VERIFY_DIFFERING] + result->of[VERIFY_MISSING] + result->of[VERIFY_EXTRA];
    add_way(text, result);
    g_string_append_printf(text, ": %s of %s differ", units_count(wrong, differ), units_count(result->compared, count));
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        add_class(text, result, (enum verify_class)i);
    if (verification->sampled)
        g_string_append_printf(text,
                               "; %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                               " pre-images sampled before the first write agree with the undo log",
                               verification->sample_held, verification->sampled);
    add_unmatched(text, verification->input->only);
    g_string_append_printf(text, "; as of %s", units_time(world_wall_ms(verification->input->world), when));
    return g_string_free(text, FALSE);
}

static json_t *set_json(const struct set_digest *set)
{
    char text[DIGEST_TEXT];
    return json_pack("{s:I, s:s}", "count", (json_int_t)set->count, "sum", digest_text(set->sum, text));
}

static char *json_of(const struct verify_result *result, const struct verify_input *input)
{
    json_t *root = json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "type", "verify", "run", input->run ? input->run : "",
                             "compared", (json_int_t)result->compared, "verdict", result->pass ? "pass" : "fail",
                             "sentence", result->sentence, "report", result->report_path ? result->report_path : "");
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        json_object_set_new(root, verify_class_row((enum verify_class)i)->word,
                            json_integer((json_int_t)result->of[i]));
    json_object_set_new(root, "by_sums", json_integer((json_int_t)result->by_sums));
    json_object_set_new(root, "in_full", json_integer((json_int_t)result->in_full));
    json_object_set_new(root, "confidence", json_real(1));
    json_object_set_new(root, "below", json_real(0));
    json_object_set_new(root, "wanted_set", set_json(&result->wanted));
    json_object_set_new(root, "live_set", set_json(&result->live));
    if (input->only)
        json_object_set_new(root, "only", json_loads(input->only, 0, NULL));
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

static void take_found(struct verification *verification)
{
    struct verify_result *result = verification->result;
    const struct found *found = &verification->found;
    memcpy(result->of, found->of, sizeof result->of);
    result->compared = found->compared;
    result->wanted = found->wanted;
    result->live = found->live;
    result->in_full = verification->input->n_parts - result->by_sums;
    result->n_sums = verification->sums->len;
    result->sums = (struct part_sum *)(void *)g_array_free(g_steal_pointer(&verification->sums), FALSE);
}

static bool verdict(struct verification *verification, GError **error)
{
    struct verify_result *result = verification->result;
    if (!finish_report(verification, error))
        return false;
    take_found(verification);
    result->pass = passes_gate(verification);
    if (result->pass && verification->owners && !owners_writer_finish_durable(verification->owners, error))
        return false;
    result->sentence = sentence_of(verification);
    result->report_path = g_strdup(verification->input->report_path);
    result->json = json_of(result, verification->input);
    return true;
}

static bool open_owners(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    return !input->owners_path || verify_in_key_order(input) || verify_appends(input) ||
           owners_writer_new(&verification->owners, input->world, input->owners_path, error);
}

static bool open_undo(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    if (!input->undo_dir || store_driver(input->target)->write == NULL)
        return true;
    g_autofree char *dir = g_canonicalize_filename(input->undo_dir, NULL);
    g_autofree char *uri = g_strconcat("undo:", dir, NULL);
    struct store_config config = {.uri = uri, .base_dir = "/", .read_only = true};
    return store_open(&verification->undo, input->registry, &config, error);
}

static bool unvisited(struct verification *verification, GError **error)
{
    struct pass pass;
    if (!verification->input->whole || !verification->input->listed || verification->unlisted_looked_at)
        return true;
    bool ok = pass_open(&pass, verification, error) && pass_unvisited(&pass, error);
    merge(verification, &pass);
    pass_done(&pass);
    return ok;
}

static bool strays(struct verification *verification, GError **error)
{
    struct pass pass;
    if (!verification->input->all_parts || !verification->published)
        return true;
    bool ok = pass_open(&pass, verification, error) && appended_strays(&pass, error);
    merge(verification, &pass);
    pass_done(&pass);
    return ok;
}

/* What the sums do not settle is compared in full. */
static bool compare_rest(struct verification *verification, GError **error)
{
    return verification->result->by_sums == verification->input->n_parts ||
           verification_threads(verification, compare_parts, error);
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
    g_free(verification->settled);
    pthread_mutex_destroy(&verification->lock);
}

bool verify_run(const struct verify_input *input, struct verify_result *ret, GError **error)
{
    struct verify_result result = {0};
    struct verification verification = {.input = input, .result = &result};
    pthread_mutex_init(&verification.lock, NULL);
    verification.settled = g_new0(bool, input->n_parts);
    verification.sums = g_array_new(FALSE, TRUE, sizeof(struct part_sum));
    bool ok = open_undo(&verification, error) && open_owners(&verification, error) && sweep_run(&verification, error) &&
              appended_list(&verification, error) && compare_rest(&verification, error) &&
              strays(&verification, error) && unvisited(&verification, error) && verdict(&verification, error);
    verification_done(&verification);
    if (ok)
        *ret = result;
    else
        verify_result_done(&result);
    return ok;
}
