#include "pace/learned.h"

#include <glib.h>
#include <string.h>

struct pace_learned_server {
    char *name;
    struct governor_learned of;
};

struct pace_learned *pace_learned_new(const struct governor_promise *promise, int64_t turned_us, int64_t period)
{
    struct pace_learned *learned = g_new0(struct pace_learned, 1);
    *learned = (struct pace_learned){.promise = *promise, .turned_us = turned_us, .period = period};
    return learned;
}

void pace_learned_free(struct pace_learned *learned)
{
    for (size_t i = 0; learned && i < learned->n; i++)
        g_free(learned->servers[i].name);
    if (learned)
        g_free(learned->servers);
    g_free(learned);
}

struct governor_learned *pace_learned_add(struct pace_learned *learned, const char *name)
{
    learned->servers = g_renew(struct pace_learned_server, learned->servers, learned->n + 1);
    struct pace_learned_server *server = &learned->servers[learned->n++];
    server->name = g_strdup(name);
    return &server->of;
}

const struct governor_learned *pace_learned_of(const struct pace_learned *learned, const char *name)
{
    for (size_t i = 0; i < learned->n; i++)
        if (g_str_equal(learned->servers[i].name, name))
            return &learned->servers[i].of;
    return NULL;
}

bool pace_learned_fits(const struct pace_learned *learned, const struct governor_promise *promise)
{
    const struct governor_promise *was = &learned->promise;
    return memcmp(was, promise, sizeof *was) == 0; /* what a spec says, copied */
}
