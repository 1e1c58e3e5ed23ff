#include "plan/plan_file.h"

#include <math.h>

#include "base/file.h"
#include "base/hex.h"
#include "listing/listing.h"
#include "plan/environment.h"
#include "plan/plan_parts.h"

#define FILE_BYTES (256u << 20)
/* Of the file. What a plan says is read by the rules of its number: who does not know them would leave some out. */
#define FORMAT 1

struct plan_file {
    json_t *root;
    char *path;
    const char *text, *spec, *home; /* of root */
    uint8_t digest[32];
};

/* --- writing ------------------------------------------------------------------------------------------------------ */

static json_t *part_json(const struct plan_part *part)
{
    g_autofree char *bounds = g_base64_encode(part->bounds.data, part->bounds.len);
    return json_pack("[I, I, s, I]", (json_int_t)part->stage, (json_int_t)part->records, bounds,
                     (json_int_t)part->turn);
}

static json_t *parts_json(const struct plan *plan)
{
    json_t *parts = json_array();
    for (size_t i = 0; i < plan->n_parts; i++)
        json_array_append_new(parts, part_json(&plan->parts[i]));
    return parts;
}

bool plan_file_write_durable(const struct plan *plan, const struct world *world, const char *path, const char *forecast,
                             GError **error)
{
    g_autofree char *spec = g_canonicalize_filename(plan->spec->path, NULL);
    g_autofree char *home = g_canonicalize_filename(plan->home, NULL);
    g_autofree char *text = g_strndup((const char *)plan->text.data, plan->text.len);
    char digest[HEX_TEXT(sizeof plan->digests.plan)];
    json_t *root =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:o*}", "sluice_plan", FORMAT, "digest",
                  hex_text(plan->digests.plan, sizeof plan->digests.plan, digest), "spec", spec, "home", home, "plan",
                  text, "partitions", parts_json(plan), "forecast", forecast ? json_loads(forecast, 0, NULL) : NULL);
    char *json = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    if (!json)
        return error_set(error, SLUICE_ERROR_INTERNAL, "%s: the plan cannot be written as JSON: is a path not UTF-8?",
                         path);
    bool written = file_replace_durable(world, path, slice_of_text(json), error);
    free(json);
    return written;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool not_a_plan(const char *path, const char *why, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s: it is no plan, or damaged (%s); make one with `sluice plan SPEC -o "
                     "FILE`",
                     path, why);
}

static bool is_known(const struct plan_file *file, GError **error)
{
    const json_t *format = json_object_get(file->root, "sluice_plan");
    if (!json_is_integer(format))
        return not_a_plan(file->path, "'sluice_plan' is no number", error);
    if (json_integer_value(format) == FORMAT)
        return true;
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: a plan of format %" JSON_INTEGER_FORMAT
                     ", of another version of sluice; this is " SLUICE_VERSION
                     " and reads format %d: run it with the sluice that made it, or plan again",
                     file->path, json_integer_value(format), FORMAT);
}

static bool unpack(struct plan_file *file, GError **error)
{
    const char *digest;
    struct plan of = {.digests = {{0}}};
    char hex[HEX_TEXT(sizeof file->digest)];
    if (json_unpack(file->root, "{s:s, s:s, s:s, s:s}", "digest", &digest, "spec", &file->spec, "home", &file->home,
                    "plan", &file->text) != 0)
        return not_a_plan(file->path, "a key is missing", error);
    of.text = slice_of_text(file->text);
    plan_digest_text(&of);
    memcpy(file->digest, of.digests.plan, sizeof file->digest);
    return strcmp(hex_text(file->digest, sizeof file->digest, hex), digest) == 0 ||
           not_a_plan(file->path, "its text is not that of its digest", error);
}

bool plan_file_open(struct plan_file **ret, const struct world *world, const char *path, GError **error)
{
    auto_(plan_file) file = g_new0(struct plan_file, 1);
    g_autoptr(GBytes) bytes = NULL;
    json_error_t fault;
    gsize len;
    file->path = g_strdup(path);
    if (!file_read_all(world, path, FILE_BYTES, &bytes, error))
        return false;
    const char *text = g_bytes_get_data(bytes, &len);
    file->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);
    if (!file->root) {
        g_autofree char *why = g_utf8_make_valid(fault.text, -1); /* it may quote the file */
        return not_a_plan(path, why, error);
    }
    if (!is_known(file, error) || !unpack(file, error))
        return false;
    *ret = g_steal_pointer(&file);
    return true;
}

void plan_file_free(struct plan_file *file)
{
    if (!file)
        return;
    json_decref(file->root);
    g_free(file->path);
    g_free(file);
}

const uint8_t *plan_file_digest(const struct plan_file *file)
{
    return file->digest;
}

const char *plan_file_spec_path(const struct plan_file *file)
{
    return file->spec;
}

static bool take_part(struct plan *plan, json_t *item, struct plan_part *ret)
{
    json_int_t stage, records, turn = 0; /* a plan of an older version has no turns */
    const char *base64;
    gsize len;
    if (json_unpack(item, "[I, I, s, I]", &stage, &records, &base64, &turn) != 0 &&
        json_unpack(item, "[I, I, s!]", &stage, &records, &base64) != 0)
        return false;
    if (stage < 0 || (uint64_t)stage >= plan->n_stages || turn < 0 || (uint64_t)turn > plan->n_parts)
        return false;
    g_autofree guchar *bytes = g_base64_decode(base64, &len);
    *ret = (struct plan_part){.stage = (uint32_t)stage, .records = (uint64_t)records, .turn = (uint32_t)turn};
    return arena_copy(plan->mem, slice_of(bytes, len), &ret->bounds);
}

static bool take_parts(struct plan *plan, const struct plan_file *file, GError **error)
{
    json_t *list = json_object_get(file->root, "partitions");
    plan->n_parts = json_array_size(list);
    plan->parts = arena_alloc0(plan->mem, (plan->n_parts + 1) * sizeof *plan->parts);
    if (!plan->parts)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: too many partitions", file->path);
    for (size_t i = 0; i < plan->n_parts; i++)
        if (!take_part(plan, json_array_get(list, i), &plan->parts[i]))
            return not_a_plan(file->path, "a partition cannot be read", error);
    return plan_deal_is(plan) || not_a_plan(file->path, "its partitions are not those of its text", error);
}

/* --- what may have moved ------------------------------------------------------------------------------------------ */

static bool moved(const struct plan_file *file, const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_REFUSED, "%s: %s since it was planned; plan again with `sluice plan %s -o %s`",
                     file->path, what, file->spec, file->path);
}

static bool same_inputs(const struct plan_file *file, const struct plan *plan, GError **error)
{
    struct plan_digests now = {0};
    const struct plan_digests *then = &plan->digests;
    if (!plan_digests_of(&now, plan->spec, plan->recipe, error))
        return false;
    const struct {
        const uint8_t *then, *now;
        const char *what;
    } inputs[] = {{then->spec, now.spec, "the spec has changed, or a file of keys that it names,"},
                  {then->contract, now.contract, "the contract has changed"},
                  {then->transform, now.transform, "the transform has changed"}};
    for (size_t i = 0; i < G_N_ELEMENTS(inputs); i++)
        if (memcmp(inputs[i].then, inputs[i].now, 32) != 0)
            return moved(file, inputs[i].what, error);
    return true;
}

static bool same_tests(const struct plan_file *file, struct plan *plan, const struct plan_config *config,
                       GError **error)
{
    bool same;
    return plan_tests_are(plan, config->world, &same, error) &&
           (same || moved(file, "the transform's fixtures have changed", error));
}

static bool same_environment(const struct plan_file *file, struct plan *plan, const struct plan_config *config,
                             GError **error)
{
    const struct environment *now;
    return environment_find(&now, config->world, config->home, plan->spec, plan->mem, error) &&
           (environment_equal(plan->environment, now) ||
            moved(file, "what the home's environments.yaml asks of it has changed", error));
}

/* What is decided from the stores themselves must come out as it did. */
static bool same_stores(const struct plan_file *file, struct plan *plan, const struct plan_config *config,
                        GError **error)
{
    const struct plan then = *plan;
    if (!plan_open_stores(plan, config, error))
        return false;
    plan->limits = then.limits;
    if (strcmp(then.target_name, plan->target_name) != 0)
        return moved(file, "the target is another one", error);
    if (then.same_dataset != plan->same_dataset || then.listed != plan->listed || then.sink != plan->sink)
        return moved(file, "source and target are other stores", error);
    return true;
}

static bool same_chosen(const struct plan_file *file, const struct plan *plan, const struct plan_config *config,
                        GError **error)
{
    auto_(skiplist) chosen = NULL;
    if (!skiplist_open(&chosen, config->world, plan->skip_path, plan->uid, NULL))
        return moved(file, "its list of records in the home is gone or damaged", error);
    return digest_equal(skiplist_digest(chosen), plan->source_identity) ||
           moved(file, "its list of records in the home has changed", error);
}

static bool same_listing(const struct plan_file *file, const struct plan *plan, const struct plan_config *config,
                         GError **error)
{
    auto_(listing_reader) listing = NULL;
    g_autoptr(GError) failed = NULL;
    g_autofree char *home = g_canonicalize_filename(config->home, NULL);
    if (strcmp(home, file->home) != 0)
        return error_set(
            error, SLUICE_ERROR_REFUSED,
            "%s: it was made in the home %s, where its listing is; run it there with --home, or plan again", file->path,
            file->home);
    if (!plan->listed)
        return !plan->retries || same_chosen(file, plan, config, error);
    if (!listing_reader_open(&listing, config->world, plan->listing_path, plan->uid, &failed))
        return moved(file, "its listing in the home is gone or damaged", error);
    return digest_equal(listing_reader_totals(listing)->digest, plan->source_identity) ||
           moved(file, "its listing in the home has changed", error);
}

/* All of them in their order; of a plan for some records only those pieces that hold any. */
static bool same_pieces(const struct plan *plan, const GArray *pieces)
{
    size_t at = 0;
    for (guint i = 0; i < pieces->len && at < plan->n_parts; i++)
        at += slice_equal(g_array_index(pieces, struct part_bounds, i).bounds, plan->parts[at].bounds);
    return at == plan->n_parts && (plan->retries || plan->only_said || pieces->len == at);
}

/* Files: the same pieces with the same digests. */
static bool same_files(const struct plan_file *file, struct plan *plan, const struct plan_config *config,
                       GError **error)
{
    auto_(session) session = NULL;
    auto_(arena) mem = arena_new(FILE_BYTES);
    g_autoptr(GArray) parts = g_array_new(FALSE, TRUE, sizeof(struct part_bounds));
    struct part_list list = {.parts = parts, .mem = mem};
    struct split_wish wish = plan_split_wish(plan);
    struct call call = {.cancel = config->cancel, .ds = &plan->source_ds, .mem = mem};
    if (!store_session_open(&session, plan->source, error) || !store_split(session, &call, &wish, &list, error))
        return false;
    return same_pieces(plan, parts) || moved(file, "the source's files have changed", error);
}

/* A live store's contents may change at any time, and do; a tenth more or fewer keys is another job. */
static bool same_size(const struct plan_file *file, const struct plan *plan, const struct plan_config *config,
                      GError **error)
{
    uint64_t keys = 0;
    if (plan->retries)
        return true; /* keys of its own */
    if (!plan_count_keys(plan, config, &keys, error))
        return false;
    double drift = plan->n_listed ? fabs((double)keys - (double)plan->n_listed) / (double)plan->n_listed : keys > 0;
    g_autofree char *what = g_strdup_printf("the source has grown or shrunk by more than a tenth (%" G_GUINT64_FORMAT
                                            " keys then, %" G_GUINT64_FORMAT " now)",
                                            plan->n_listed, keys);
    return drift <= 0.1 || moved(file, what, error);
}

static bool load(struct plan *plan, const struct plan_config *config, const struct plan_file *file, GError **error)
{
    struct slice text = SLICE_EMPTY;
    if (!arena_copy(plan->mem, slice_of_text(file->text), &text))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: the plan is too large", file->path);
    return plan_text_read(plan, text, error) &&
           spec_read_with(&plan->spec, config->world, file->spec, plan->params, error) &&
           recipe_read(&plan->recipe, config->world, plan->spec, error) && same_inputs(file, plan, error) &&
           plan_retries_narrow(plan, error) && same_environment(file, plan, config, error) &&
           same_tests(file, plan, config, error) && same_stores(file, plan, config, error) &&
           take_parts(plan, file, error) && (plan_paths(plan), same_listing(file, plan, config, error)) &&
           plan_retries_saw(plan, config, error) &&
           (plan->listed ? same_size(file, plan, config, error) : same_files(file, plan, config, error));
}

bool plan_from_file(struct plan **ret, const struct plan_config *config, const struct plan_file *file, GError **error)
{
    auto_(plan) plan = plan_new(config);
    if (!load(plan, config, file, error))
        return false;
    *ret = g_steal_pointer(&plan);
    return true;
}
