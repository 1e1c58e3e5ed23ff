#include "metrics/statsd.h"

#include <math.h>
#include <string.h>

#include "base/datagram.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

struct statsd {
    bool tags, told;
    GHashTable *before; /* name with labels → the counter's value then */
};

struct statsd *statsd_new(bool tags)
{
    struct statsd *statsd = g_new0(struct statsd, 1);
    statsd->tags = tags;
    statsd->before = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return statsd;
}

void statsd_free(struct statsd *statsd)
{
    if (statsd)
        g_hash_table_unref(statsd->before);
    g_free(statsd);
}

/* A value of a label, up to its closing quote: what would end a tag or a name becomes `_`. Behind the quote. */
static const char *put_value(GString *into, const char *at, bool tags)
{
    static const char BREAKS[] = ",|\n#";
    for (; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        bool plain = tags ? !strchr(BREAKS, *at) : strchr(LETTERS, *at) != NULL;
        g_string_append_c(into, plain ? *at : '_');
    }
    return *at ? at + 1 : at;
}

/* `{name="value",…}`: as tags, or behind the name with dots. Behind the brace. */
static const char *put_labels(GString *name, GString *tags, const char *at, bool as_tags)
{
    for (at++; *at && *at != '}'; at += *at == ',') {
        const char *equals = strchr(at, '=');
        if (!equals || equals[1] != '"')
            return at;
        GString *into = as_tags ? tags : name;
        g_string_append_c(into, !as_tags ? '.' : tags->len ? ',' : '#');
        if (as_tags)
            g_string_append_printf(into, "%.*s:", (int)(equals - at), at);
        at = put_value(into, equals + 2, as_tags);
    }
    return *at ? at + 1 : at;
}

static void add(GPtrArray *datagrams, const GString *line)
{
    GString *last = datagrams->len ? g_ptr_array_index(datagrams, datagrams->len - 1) : NULL;
    if (line->len > DATAGRAM_BYTES)
        return; /* it would be cut off: nothing is better than something else */
    if (!last || last->len + 1 + line->len > DATAGRAM_BYTES) {
        last = g_string_new(NULL);
        g_ptr_array_add(datagrams, last);
    }
    if (last->len)
        g_string_append_c(last, '\n');
    g_string_append_len(last, line->str, (gssize)line->len);
}

static void add_sample(GPtrArray *datagrams, const GString *name, const GString *tags, double value, const char *kind)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_autoptr(GString) line = g_string_new(NULL);
    bool gauge = *kind == 'g';
    if (gauge && value < 0) { /* a gauge with a sign is a change of it: first it becomes nothing */
        g_string_printf(line, "%s:0|g%s%s", name->str, tags->len ? "|" : "", tags->str);
        add(datagrams, line);
    }
    g_string_printf(line, "%s:%s|%s%s%s", name->str, g_ascii_formatd(text, sizeof text, "%.15g", value), kind,
                    tags->len ? "|" : "", tags->str);
    add(datagrams, line);
}

/* What it grew; false: nothing is to be told. A server that lost checkpoints lets it fall (docs/metrics.md). */
static bool grew(struct statsd *statsd, const char *key, double value, double *ret)
{
    const double *before = g_hash_table_lookup(statsd->before, key);
    *ret = before ? value - *before : value;
    bool tells = statsd->told && *ret > 0;
    g_hash_table_insert(statsd->before, g_strdup(key), g_memdup2(&value, sizeof value));
    return tells;
}

static void take_line(struct statsd *statsd, const char *line, GPtrArray *datagrams)
{
    g_autoptr(GString) name = g_string_new(NULL), tags = g_string_new(NULL);
    size_t len = strcspn(line, "{ ");
    const char *at = line + len;
    char *end;
    g_string_append_len(name, line, (gssize)len);
    bool counter = g_str_has_suffix(name->str, "_total");
    if (*at == '{')
        at = put_labels(name, tags, at, statsd->tags);
    double value = g_ascii_strtod(at, &end);
    g_autofree char *key = g_strconcat(name->str, tags->str, NULL);
    if (end == at || !isfinite(value) || (counter && !grew(statsd, key, value, &value)))
        return;
    add_sample(datagrams, name, tags, value, counter ? "c" : "g");
}

static void free_string(void *text)
{
    g_string_free(text, TRUE);
}

GPtrArray *statsd_tell(struct statsd *statsd, const char *exposition)
{
    GPtrArray *datagrams = g_ptr_array_new_with_free_func(free_string);
    g_auto(GStrv) lines = g_strsplit(exposition, "\n", -1);
    for (size_t i = 0; lines[i]; i++)
        if (*lines[i] && *lines[i] != '#')
            take_line(statsd, lines[i], datagrams);
    statsd->told = true;
    return datagrams;
}
