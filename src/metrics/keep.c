#include "metrics/keep.h"

#include "base/datagram.h"
#include "base/file.h"
#include "base/http.h"
#include "base/thread.h"
#include "metrics/statsd.h"
#include "spec/spec.h"

#define PUSH_US    (INT64_C(10) * 1000 * 1000)
#define KEEP_BYTES 512u

/* One that is told by datagrams. */
struct told {
    struct statsd *statsd;
    struct datagram *datagram; /* NULL: nobody asked */
};

struct metrics_keep {
    const struct metrics_keep_config *config;
    struct thread *thread;
    atomic_bool stop;
    /* Of the thread; of the owner before it begins and after it has ended. */
    struct catalog *catalog;
    struct metrics_source source;
    struct told statsd, dogstatsd;
    GError *failed; /* the newest try to tell; NULL: it went well */
};

char *metrics_keep_url(const char *gateway, const char *run)
{
    size_t len = strlen(gateway);
    g_autofree char *escaped = http_escape(run);
    while (len > 0 && gateway[len - 1] == '/')
        len--;
    return g_strdup_printf("%.*s/metrics/job/sluice/run/%s", (int)len, gateway, escaped);
}

static bool push(const struct metrics_keep_config *config, const GString *text, GError **error)
{
    static const char *const NO_HEADERS[] = {NULL};
    g_autofree char *gateway = NULL;
    struct http_answer answer;
    if (!spec_secret_expand(config->world, ".", config->push, &gateway, error))
        return error_add(error, "--push");
    if (!http_url_is(gateway))
        return error_set(error, SLUICE_ERROR_USAGE, "--push: not an http or https address with a host");
    g_autofree char *url = metrics_keep_url(gateway, config->run);
    struct http_call call = {.url = url,
                             .headers = NO_HEADERS,
                             .body = slice_of(text->str, text->len),
                             .type = METRICS_CONTENT_TYPE,
                             .timeout_us = PUSH_US,
                             .keep_bytes = KEEP_BYTES};
    if (!http_put(&call, &answer, error))
        return error_add(error, "--push");
    g_autofree char *said = answer.text;
    return (answer.status >= 200 && answer.status < 300) ||
           error_set(error, SLUICE_ERROR_UNREACHABLE, "--push: the gateway answered %ld: %s", answer.status, said);
}

static bool write_file(const struct metrics_keep_config *config, const GString *text, GError **error)
{
    return !config->file || file_replace_durable(config->world, config->file, slice_of(text->str, text->len), error) ||
           error_add(error, "--metrics-file");
}

static void told_done(struct told *told)
{
    statsd_free(told->statsd);
    datagram_close(told->datagram);
}

static bool told_begin(struct told *told, const char *place, bool tags, GError **error)
{
    if (!place)
        return true;
    told->statsd = statsd_new(tags);
    return datagram_open(&told->datagram, place, error) || error_add(error, tags ? "--dogstatsd" : "--statsd");
}

/* What does not arrive nobody knows of; that nobody is there the system may say, later. */
static bool told_tell(struct told *told, const GString *text, GError **error)
{
    if (!told->datagram)
        return true;
    g_autoptr(GPtrArray) datagrams = statsd_tell(told->statsd, text->str);
    GError *failed = NULL;
    for (guint i = 0; i < datagrams->len; i++) {
        const GString *one = g_ptr_array_index(datagrams, i);
        GError *now = NULL;
        if (!datagram_send(told->datagram, slice_of(one->str, one->len), &now))
            error_keep_first(&failed, now);
    }
    if (failed)
        g_propagate_error(error, failed);
    return !failed || error_add(error, "StatsD");
}

/* One that fails does not keep the other from being told. */
static void tell(struct metrics_keep *keep)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_clear_error(&keep->failed);
    if (!metrics_render(&keep->source, text, &keep->failed))
        return;
    GError *second = NULL;
    write_file(keep->config, text, &keep->failed);
    if (keep->config->push && !push(keep->config, text, &second))
        error_keep_first(&keep->failed, g_steal_pointer(&second));
    if (!told_tell(&keep->statsd, text, &second))
        error_keep_first(&keep->failed, g_steal_pointer(&second));
    if (!told_tell(&keep->dogstatsd, text, &second))
        error_keep_first(&keep->failed, g_steal_pointer(&second));
}

static void keep_main(void *self)
{
    struct metrics_keep *keep = self;
    const struct world *world = keep->config->world;
    for (bool last = false; !last;) {
        world_sleep_us(world, METRICS_KEEP_US, &keep->stop);
        last = atomic_load(&keep->stop); /* asked before: what is told then is of the end */
        tell(keep);
    }
}

static char *free_telling(struct metrics_keep *keep)
{
    char *said = keep->failed ? g_strdup(keep->failed->message) : NULL;
    g_clear_error(&keep->failed);
    metrics_source_done(&keep->source);
    told_done(&keep->statsd);
    told_done(&keep->dogstatsd);
    catalog_free(keep->catalog);
    g_free(keep);
    return said;
}

/* The first telling: the file must be written, the gateway need not be there. */
static bool begin(struct metrics_keep *keep, GError **error)
{
    const struct metrics_keep_config *config = keep->config;
    g_autoptr(GString) text = g_string_new(NULL);
    if (!catalog_open(&keep->catalog, config->world, config->home, CATALOG_READ_ONLY, error))
        return false;
    keep->source =
        (struct metrics_source){.world = config->world, .catalog = keep->catalog, .run = config->run, .process = true};
    if (!metrics_render(&keep->source, text, error) || !write_file(config, text, error) ||
        !told_begin(&keep->statsd, config->statsd, false, error) ||
        !told_begin(&keep->dogstatsd, config->dogstatsd, true, error))
        return false;
    told_tell(&keep->statsd, text, NULL);
    told_tell(&keep->dogstatsd, text, NULL);
    if (config->push)
        (void)push(config, text, &keep->failed);
    return !g_error_matches(keep->failed, SLUICE_ERROR, SLUICE_ERROR_USAGE) ||
           (g_propagate_error(error, g_steal_pointer(&keep->failed)), false);
}

bool metrics_keep_begin(struct metrics_keep **ret, const struct metrics_keep_config *config, char **ret_warning,
                        GError **error)
{
    struct metrics_keep *keep = g_new0(struct metrics_keep, 1);
    keep->config = config;
    if (!begin(keep, error)) {
        g_free(free_telling(keep));
        return false;
    }
    char *warning = keep->failed ? g_strdup(keep->failed->message) : NULL;
    if (!thread_start(&keep->thread, "metrics", keep_main, keep, error)) {
        g_free(warning);
        g_free(free_telling(keep));
        return false;
    }
    *ret_warning = warning;
    *ret = keep;
    return true;
}

char *metrics_keep_end(struct metrics_keep *keep)
{
    if (!keep)
        return NULL;
    world_cancel(keep->config->world, &keep->stop);
    thread_join(keep->thread);
    return free_telling(keep);
}
