#include "verify/cause.h"

#include "base/units.h"
#include "verify/rules.h"
#include "verify/whole.h"

#define BATCH_BYTES (256u << 20)

struct probing {
    const struct cause_wish *wish;
    struct arena *mem;
    struct sandbox *sandbox; /* NULL: all of them are meant */
    int where;
    struct contract_check *check;
    struct cause_found found;
    GString *named;
};

void cause_found_done(struct cause_found *found)
{
    g_clear_pointer(&found->named, g_free);
}

static bool open_where(struct probing *probing, GError **error)
{
    const char *where = probing->wish->of->where;
    struct sandbox_config config = {.world = probing->wish->input->world};
    return !where || (sandbox_new(&probing->sandbox, &config, error) &&
                      sandbox_compile(probing->sandbox, TRANSFORM_PROBE, where, &probing->where, error));
}

/* One that cannot be read has no time, and what the expression fails on is looked at: nothing is let pass by an error.
 * false only for what ends the probe. */
static bool is_meant(struct probing *probing, const struct whole_record *whole, bool *ret, GError **error)
{
    struct version at = {0};
    g_autoptr(GError) failed = NULL;
    *ret = false;
    if (whole->unread || !version_of(probing->wish->of->field, whole->document, &at, NULL) || at.kind != VERSION_TIME) {
        probing->found.undated++;
        return true;
    }
    *ret = at.value > probing->wish->since_us;
    if (!*ret || !probing->sandbox || sandbox_evaluate(probing->sandbox, probing->where, whole->document, ret, &failed))
        return true;
    *ret = true;
    if (error_class(failed) == ERROR_RECORD)
        return true;
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}

static void name(struct probing *probing, struct slice key, const char *why)
{
    if (probing->found.broken++ >= CAUSE_NAMED || probing->wish->hidden)
        return;
    g_autofree char *shown = rule_key_text(key);
    g_string_append_printf(probing->named, "%s'%s': %s", probing->named->len ? ", " : "", shown, why);
}

static bool look(void *self, const struct whole_record *whole, GError **error)
{
    struct probing *probing = self;
    g_autoptr(GError) refused = NULL;
    struct slice taken;
    bool meant;
    if (!is_meant(probing, whole, &meant, error))
        return false;
    if (!meant)
        return true;
    probing->found.fresh++;
    if (contract_apply(probing->check, whole->document, probing->mem, &taken, &refused))
        return true;
    if (error_class(refused) == ERROR_RECORD) {
        name(probing, whole->record->key, refused->message);
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&refused));
    return false;
}

static bool probe(struct probing *probing, GError **error)
{
    const struct verify_input *input = probing->wish->input;
    auto_(session) session = NULL;
    struct whole_walk walk = {.input = input, .mem = probing->mem, .record = look, .self = probing};
    if (!open_where(probing, error) || !contract_check_new(&probing->check, recipe_contract(input->recipe), error) ||
        !store_session_open(&session, input->target, error))
        return false;
    walk.session = session;
    return whole_walk(&walk, error);
}

bool cause_probe(const struct cause_wish *wish, struct cause_found *ret, GError **error)
{
    struct probing probing = {.wish = wish, .mem = arena_new(BATCH_BYTES), .named = g_string_new(NULL)};
    probing.found = (struct cause_found){.of = wish->of, .since_us = wish->since_us};
    bool ok = probe(&probing, error);
    sandbox_free(probing.sandbox);
    contract_check_free(probing.check);
    arena_free(probing.mem);
    probing.found.named = g_string_free(probing.named, FALSE);
    if (!ok) {
        cause_found_done(&probing.found);
        return error_add(error, "cause %s", wish->of->id);
    }
    *ret = probing.found;
    return true;
}

/* A field that is misspelled dates none. */
static char *undated_words(const struct cause_found *found)
{
    char undated[UNITS_TEXT];
    return found->undated == 0 ? g_strdup("")
                               : g_strdup_printf(" (%s more bear no time in %s)", units_count(found->undated, undated),
                                                 path_text(found->of->field));
}

char *cause_words(const struct cause_found *found)
{
    char broken[UNITS_TEXT], fresh[UNITS_TEXT], since[UNITS_TEXT];
    g_autofree char *undated = undated_words(found);
    units_time(found->since_us / 1000, since);
    if (!found->broken)
        return g_strdup_printf("cause %s: none of %s records newer than %s breaks the contract%s", found->of->id,
                               units_count(found->fresh, fresh), since, undated);
    return g_strdup_printf("cause %s: %s of %s records newer than %s break%s the contract%s%s%s%s", found->of->id,
                           units_count(found->broken, broken), units_count(found->fresh, fresh), since,
                           found->broken == 1 ? "s" : "", *found->named ? ": " : "", found->named,
                           *found->named && found->broken > CAUSE_NAMED ? " …" : "", undated);
}

json_t *cause_json(const struct cause_found *found)
{
    char since[UNITS_TEXT];
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "id", found->of->id, "since",
                     units_time(found->since_us / 1000, since), "fresh", (json_int_t)found->fresh, "broken",
                     (json_int_t)found->broken, "undated", (json_int_t)found->undated, "named", found->named);
}
