#include "cli/follow.h"

#include <jansson.h>

#include "base/units.h"
#include "verify/lines.h"

#define LOOK_US 1000000 /* whether what the spec is made of has changed */
#define TICK_US 50000

struct follow {
    struct cli *cli;
    struct run_config config;
    int64_t every_us, began_us;
    uint64_t rounds;
    bool pass;        /* of the last round */
    uint64_t differs; /* what its report names, as a sum; 0: nothing */
    bool known;
    struct plan_digests digests; /* of the files that the round was made of; `known`: they could be read */
};

static bool interrupted(const struct follow *follow)
{
    return follow->cli->signals && atomic_load(follow->cli->signals) > 0;
}

/* --- what it is made of --------------------------------------------------------------------------------------------
 */

/* A file that is being written just now may not be readable: the round will say so. */
static bool read_digests(const struct follow *follow, struct plan_digests *ret)
{
    struct spec *spec = NULL;
    auto_(recipe) recipe = NULL;
    bool ok = cli_spec_read(follow->cli, follow->cli->args[0], &spec, NULL) &&
              recipe_read(&recipe, follow->cli->world, spec, NULL) && plan_digests_of(ret, spec, recipe, NULL);
    spec_free(spec);
    return ok;
}

static json_t *changed_json(const struct plan_digests *was, const struct plan_digests *is, GString *words)
{
    const struct {
        const char *name;
        const uint8_t *was, *is;
    } PARTS[] = {{"spec", was->spec, is->spec},
                 {"contract", was->contract, is->contract},
                 {"transform", was->transform, is->transform}};
    json_t *what = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(PARTS); i++)
        if (memcmp(PARTS[i].was, PARTS[i].is, 32) != 0) {
            json_array_append_new(what, json_string(PARTS[i].name));
            g_string_append_printf(words, "%s%s", words->len ? ", " : "", PARTS[i].name);
        }
    return what;
}

/* Whether there is something new to verify by; told where there is. Of a run nothing is: it is frozen. */
static bool has_changed(struct follow *follow)
{
    struct plan_digests now = {0};
    g_autoptr(GString) words = g_string_new(NULL);
    if (!cli_is_spec(follow->cli->args[0]) || !read_digests(follow, &now))
        return false;
    json_t *what = follow->known ? changed_json(&follow->digests, &now, words) : json_array();
    follow->digests = now;
    follow->known = true;
    if (words->len && cli_has(follow->cli, OPTION_JSON))
        print_json(follow->cli, json_pack("{s:s, s:O}", "type", "changed", "what", what));
    else if (words->len)
        fprintf(follow->cli->out, "changed: %s; verified anew by what stands there now\n", words->str);
    json_decref(what);
    return words->len > 0;
}

/* --- a round -------------------------------------------------------------------------------------------------------
 */

static bool add_line(void *self, const struct report_line *line, GError **error)
{
    uint64_t *sum = self;
    struct digest key = digest_bytes(line->key, (uint64_t)line->class + 1);
    *sum += key.low ^ (line->present ? line->seen.low * 3 : 1);
    return true;
}

/* A report that names what the one before it named is the same told again: a follower of weeks would fill the disk. One
 * that cannot be read back is kept. */
static bool is_news(void *self, const struct verify_result *result)
{
    struct follow *follow = self;
    uint64_t differs = 0;
    uint8_t digest[32];
    struct report_lines lines = {.line = add_line, .self = &differs};
    bool read = report_read(follow->cli->world, result->report_path, &lines, digest, NULL);
    bool same = follow->rounds && read && result->pass == follow->pass && differs == follow->differs;
    follow->differs = differs;
    return !same;
}

static void tell_round(struct follow *follow, const struct verify_result *result, int64_t took_us)
{
    struct cli *cli = follow->cli;
    char took[UNITS_TEXT];
    progress_break(cli->progress);
    if (cli_has(cli, OPTION_JSON)) {
        json_t *round = json_loads(result->json, 0, NULL);
        json_object_set_new(round, "round", json_integer((json_int_t)follow->rounds));
        json_object_set_new(round, "took_ms", json_integer((json_int_t)(took_us / 1000)));
        json_object_set_new(round, "kept", json_boolean(result->report_path != NULL));
        print_json(cli, round);
        return;
    }
    fprintf(cli->out, "round %" G_GUINT64_FORMAT " (%s): %s: %s\n", follow->rounds,
            units_duration(took_us / 1000, took), result->pass ? "pass" : "fail", result->sentence);
    if (!result->pass && result->report_path)
        print_differences(cli, cli->out, result->report_path);
    fprintf(cli->out, "report: %s\n", result->report_path ? result->report_path : "as before");
}

/* false: the first one could not be carried out. */
static bool go_round(struct follow *follow, GError **error)
{
    struct verify_result result = {0};
    GError *failed = NULL;
    int64_t began_us = world_monotonic_us(follow->cli->world);
    if (cli_verify_once(follow->cli, &follow->config, &result, &failed)) {
        follow->rounds++;
        follow->pass = result.pass;
        tell_round(follow, &result, world_monotonic_us(follow->cli->world) - began_us);
        fflush(follow->cli->out);
        verify_result_done(&result);
        return true;
    }
    if (interrupted(follow)) {
        g_error_free(failed);
        return true;
    }
    if (follow->rounds == 0) {
        g_propagate_error(error, failed);
        return false;
    }
    cli_report(follow->cli, failed);
    fflush(follow->cli->out);
    return true;
}

/* Until the next round is due, or there is something new to verify by. */
static void rest(struct follow *follow)
{
    const struct world *world = follow->cli->world;
    int64_t now_us = world_monotonic_us(world), end_us = now_us + follow->every_us, look_us = now_us + LOOK_US;
    while (!interrupted(follow) && (now_us = world_monotonic_us(world)) < end_us) {
        if (now_us >= look_us && has_changed(follow))
            return;
        look_us = now_us >= look_us ? now_us + LOOK_US : look_us;
        world_sleep_us(world, MIN(TICK_US, end_us - now_us), NULL);
    }
    if (!interrupted(follow))
        has_changed(follow);
}

static int end(const struct follow *follow)
{
    struct cli *cli = follow->cli;
    int status = !follow->rounds ? 3 : follow->pass ? 0 : 4;
    const char *verdict = !follow->rounds ? "none" : follow->pass ? "pass" : "fail";
    progress_break(cli->progress);
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:I, s:s, s:i}", "type", "end", "rounds", (json_int_t)follow->rounds,
                                  "verdict", verdict, "exit", status));
    else
        fprintf(cli->out, "ended after %" G_GUINT64_FORMAT " round%s; the last one: %s\n", follow->rounds,
                follow->rounds == 1 ? "" : "s", verdict);
    return status;
}

int follow(struct cli *cli, const struct run_config *config, GError **error)
{
    struct follow follow = {.cli = cli, .config = *config};
    int64_t every_ms = FOLLOW_EVERY_MS;
    if (cli_has(cli, OPTION_EVERY) && !units_parse_duration_ms(cli->values[OPTION_EVERY], &every_ms, error))
        return -1;
    follow.every_us = MIN(every_ms, INT64_MAX / 4000) * 1000;
    follow.config.keep_report = is_news;
    follow.config.keep_self = &follow;
    has_changed(&follow);
    while (!interrupted(&follow)) {
        if (!go_round(&follow, error))
            return -1;
        rest(&follow);
    }
    return end(&follow);
}
