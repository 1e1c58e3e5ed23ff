#include "run/paces.h"

#include "run/govern.h"

#define TURN 2 /* a window that many times as large, or as small, is another one */

/* A server, as it was told last. */
struct told {
    const char *by; /* static; NULL: never */
    double window;
    bool there; /* at this look */
};

struct paces {
    GHashTable *told; /* server → struct told */
};

struct paces *paces_new(void)
{
    struct paces *paces = g_new0(struct paces, 1);
    paces->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return paces;
}

void paces_free(struct paces *paces)
{
    if (!paces)
        return;
    g_hash_table_unref(paces->told);
    g_free(paces);
}

/* Whoever tells, and to whom. */
struct telling {
    struct paces *paces;
    void (*tell)(void *self, const struct paces_change *change);
    void *self;
};

static bool is_free(const char *by)
{
    return governor_cause_of(by) == GOVERNOR_MOST;
}

static bool is_news(const struct told *told, const struct govern_words *now)
{
    if (!told->by)
        return !is_free(now->limited_by);
    if (strcmp(told->by, now->limited_by) != 0)
        return governor_cause_of(now->limited_by) != GOVERNOR_BASELINE;
    return told->window > 0 && now->window > 0 &&
           (now->window >= TURN * told->window || now->window * TURN <= told->window);
}

static void say_free(const struct telling *telling, const char *server, double window)
{
    struct paces_change change = {.pace = {.server = server, .window = window}};
    g_snprintf(change.text, sizeof change.text, "%s: nothing holds it back", server);
    telling->tell(telling->self, &change);
}

static void say(const struct telling *telling, const struct told *before, const struct govern_words *now)
{
    struct paces_change change = {
        .pace = {
            .server = now->server, .limited_by = now->limited_by, .window = now->window, .commands_per_s = now->per_s}};
    if (before->window > 0 && now->window > 0)
        g_snprintf(change.text, sizeof change.text, "%s; its window is %.2g, and was %.2g", now->text, now->window,
                   before->window);
    else
        g_strlcpy(change.text, now->text, sizeof change.text);
    telling->tell(telling->self, &change);
}

static struct told *told_of(struct paces *paces, const char *server)
{
    struct told *told = g_hash_table_lookup(paces->told, server);
    if (told)
        return told;
    told = g_new0(struct told, 1);
    g_hash_table_insert(paces->told, g_strdup(server), told);
    return told;
}

static void look_at(const struct telling *telling, const struct govern_words *now)
{
    struct told *told = told_of(telling->paces, now->server);
    bool news = is_news(told, now);
    told->there = true;
    if (news && is_free(now->limited_by))
        say_free(telling, now->server, now->window);
    else if (news)
        say(telling, told, now);
    if (!news && told->by)
        return;
    told->by = now->limited_by;
    told->window = now->window;
}

/* Nothing is promised there now, or it has left. */
static void look_for_gone(const struct telling *telling)
{
    GHashTableIter at;
    gpointer server, value;
    g_hash_table_iter_init(&at, telling->paces->told);
    while (g_hash_table_iter_next(&at, &server, &value)) {
        struct told *told = value;
        bool there = told->there;
        told->there = false;
        if (there)
            continue;
        if (!is_free(told->by))
            say_free(telling, server, 0);
        g_hash_table_iter_remove(&at);
    }
}

void paces_look(struct paces *paces, const char *json, void (*tell)(void *self, const struct paces_change *change),
                void *self)
{
    struct telling telling = {.paces = paces, .tell = tell, .self = self};
    json_t *all = json ? json_loads(json, 0, NULL) : NULL, *one;
    size_t i;
    json_array_foreach(all, i, one)
    {
        struct govern_words now = {0};
        govern_words_of(one, &now);
        if (now.limited_by)
            look_at(&telling, &now);
    }
    if (json_array_size(all) < GOVERN_TOLD) /* else there may be more */
        look_for_gone(&telling);
    json_decref(all);
}
