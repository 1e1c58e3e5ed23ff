#include "guard/guards.h"

#include <jansson.h>
#include <math.h>

#include "base/lock.h"
#include "base/thread.h"
#include "base/units.h"
#include "guard/outside.h"
#include "guard/signals.h"

enum {
    SERVERS_US = 1000 * 1000,
    STALE_LEAST_US = 3 * SERVERS_US, /* a reading that comes a little late is none that is missing */
    SWITCH_US = 1000 * 1000,
    SWITCH_STALE_US = 5000 * 1000,
    CALL_US = 5000 * 1000,
    MEM_BYTES = 4 << 20,
    FED_MOST = 8,
};

/* One guard, of whatever source. */
struct entry {
    const char *name, *key; /* key: what `sluice set` changes; NULL: nothing does */
    const char *source;     /* who tells it */
    bool steers;            /* the pace follows it */
    enum guard_unit unit;
    struct guard_rule rule;
    struct guard_state state;
    bool watched; /* false: nothing measures it, or it has no limit */
    bool told;    /* something has measured it once */
    bool untold;  /* whoever was asked knows nothing of it, and nobody has asked for it: it is not watched */
    bool paused;  /* when the run's last process ended */
    bool vain;    /* `sluice set` has asked since then, and it is still not */
    char *where;  /* of the newest reading */
    char *why;    /* of the newest failure, or what is wrong in words; NULL: none */
};

enum { ENTRY_SKEW = GUARD_COUNT, ENTRY_SWITCH, ENTRY_SIGNALS };
#define ENTRY_FED (ENTRY_SIGNALS + (int)SPEC_SIGNALS_MOST)
#define ENTRIES   (ENTRY_FED + (int)FED_MOST)

/* A thread that reads. */
struct reader {
    struct guards *guards;
    struct thread *thread;
    size_t entry; /* of a signal */
};
enum { READER_SERVERS, READER_SWITCH, READER_SIGNALS };
#define READERS (READER_SIGNALS + (int)SPEC_SIGNALS_MOST)

struct guards {
    struct guards_config config;
    pthread_mutex_t lock; /* a leaf; guards `entries` */
    struct entry entries[ENTRIES];
    struct reader readers[READERS];
    char *paused; /* the guard that had paused the run when its last process ended; NULL: none, or it is known by now */
    bool unread;  /* … because it could not be read */
    GArray *bases; /* of struct signals_base: those of all servers so far; under the lock */
    atomic_uint_fast64_t wrote;
    atomic_bool stop;
};

/* --- entries ------------------------------------------------------------------------------------------------------ */

static bool is_asked(const struct spec_switch *of)
{
    return of && (of->file || of->key || of->url);
}

static void entry_set(struct entry *entry, char *where, char *why)
{
    g_free(entry->where);
    g_free(entry->why);
    entry->where = where;
    entry->why = why;
}

/* A failure while it was well keeps the last reading, and says why there is none now. */
static void entry_fail(struct entry *entry, const char *why, int64_t now_us)
{
    entry_set(entry, NULL, g_strdup(why));
    guard_fail(&entry->state, &entry->rule, now_us);
}

/* With its first reading: as if it had paused the run here. The lock is held. */
static void recall(struct guards *guards, struct entry *entry)
{
    if (!guards->paused || strcmp(guards->paused, entry->name) != 0)
        return;
    entry->state.level = GUARD_LEVEL_PAUSE;
    entry->state.unread = guards->unread;
    entry->paused = true;
    g_clear_pointer(&guards->paused, g_free);
}

static void entry_take(struct guards *guards, struct entry *entry, double value, const char *where, int64_t now_us)
{
    recall(guards, entry);
    entry->told = true;
    entry->untold = false;
    entry_set(entry, g_strdup(where), NULL);
    guard_take(&entry->state, &entry->rule, value, now_us);
}

struct guards *guards_new(const struct guards_config *config)
{
    struct guards *guards = g_new0(struct guards, 1);
    int64_t now_us = world_monotonic_us(config->world);
    guards->config = *config;
    pthread_mutex_init(&guards->lock, NULL);
    guards->bases = g_array_new(FALSE, FALSE, sizeof(struct signals_base));
    g_array_set_clear_func(guards->bases, signals_base_clear);
    for (size_t i = 0; i < ENTRIES; i++)
        guard_begin(&guards->entries[i].state, now_us);
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++) {
        guards->entries[i].name = guard_row(i)->word;
        guards->entries[i].key = guard_row(i)->key;
        guards->entries[i].unit = guard_row(i)->unit;
        guards->entries[i].source = "servers";
    }
    struct entry *skew = &guards->entries[ENTRY_SKEW], *enabled = &guards->entries[ENTRY_SWITCH];
    skew->name = "skew";
    skew->key = "protect.skew";
    skew->unit = GUARD_UNIT_DURATION;
    skew->source = "servers";
    skew->untold = true;
    enabled->name = "enabled";
    enabled->unit = GUARD_UNIT_WORD;
    enabled->source = "switch";
    for (size_t i = 0; i < config->n_signals; i++) {
        const struct spec_signal *signal = &config->signals[i];
        guards->entries[ENTRY_SIGNALS + i].name = signal->name;
        guards->entries[ENTRY_SIGNALS + i].unit = GUARD_UNIT_NUMBER;
        guards->entries[ENTRY_SIGNALS + i].source = signal->prometheus ? "prometheus" : signal->url ? "url" : "program";
    }
    return guards;
}

void guards_free(struct guards *guards)
{
    if (!guards)
        return;
    world_cancel(guards->config.world, &guards->stop);
    for (size_t i = 0; i < READERS; i++)
        thread_join(guards->readers[i].thread);
    for (size_t i = 0; i < ENTRIES; i++)
        entry_set(&guards->entries[i], NULL, NULL);
    g_free(guards->paused);
    g_array_unref(guards->bases);
    pthread_mutex_destroy(&guards->lock);
    g_free(guards);
}

/* --- what an earlier process has left -------------------------------------------------------------------------------
 */

void guards_recall_pause(struct guards *guards, const char *name, bool unread)
{
    auto_hold(&guards->lock);
    g_free(guards->paused);
    guards->paused = g_strdup(name);
    guards->unread = unread;
}

/* --- from where growth counts --------------------------------------------------------------------------------------
 */

static void base_add(GArray *into, const struct signals_base *base)
{
    struct signals_base copy = *base;
    copy.node = g_strdup(base->node);
    g_array_append_val(into, copy);
}

static const struct signals_base *base_at(const GArray *bases, size_t i)
{
    return &g_array_index(bases, struct signals_base, i);
}

void guards_recall(struct guards *guards, const struct signals_base *base)
{
    auto_hold(&guards->lock);
    base_add(guards->bases, base);
}

void guards_bases(struct guards *guards, size_t from, GArray *into)
{
    auto_hold(&guards->lock);
    for (size_t i = from; i < guards->bases->len; i++)
        base_add(into, base_at(guards->bases, i));
}

static bool base_known(const GArray *bases, const char *node)
{
    bool known = false;
    for (guint i = 0; i < bases->len; i++)
        known |= strcmp(base_at(bases, i)->node, node) == 0;
    return known;
}

/* The lock is held. */
static void bases_take(struct guards *guards, const struct signals *signals)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct signals_base));
    g_array_set_clear_func(all, signals_base_clear);
    signals_bases(signals, all);
    for (guint i = 0; i < all->len && all->len > guards->bases->len; i++)
        if (!base_known(guards->bases, base_at(all, i)->node))
            base_add(guards->bases, base_at(all, i));
}

/* --- threads that read -------------------------------------------------------------------------------------------- */

/* When the servers were asked, by our wall clock. */
struct asked {
    int64_t from_ms, to_ms;
};

/* The lock is held. */
static void take_clocks(struct guards *guards, const GArray *nodes, const struct asked *asked, int64_t now_us)
{
    const char *where = NULL;
    double worst = -1;
    for (guint i = 0; i < nodes->len; i++) {
        const struct node_health *node = &g_array_index(nodes, struct node_health, i);
        double apart = signals_clock_ms(node, asked->from_ms, asked->to_ms);
        if (apart > worst) {
            worst = apart;
            where = node->node;
        }
    }
    if (where)
        entry_take(guards, &guards->entries[ENTRY_SKEW], worst, where, now_us);
}

/* One reading of the servers is one step: who judges finds all of it or nothing, or it would take what is told last
 * for what nobody tells. */
static void take_servers(struct guards *guards, struct signals *signals, const GArray *nodes, const struct asked *asked)
{
    struct signal_reading readings[GUARD_COUNT];
    int64_t now_us = world_monotonic_us(guards->config.world);
    signals_take(signals, (const struct node_health *)(const void *)nodes->data, nodes->len, now_us, readings);
    {
        auto_hold(&guards->lock);
        bases_take(guards, signals);
        for (size_t i = 0; i < GUARD_COUNT; i++) {
            struct entry *entry = &guards->entries[i];
            if (readings[i].found == SIGNAL_READ)
                entry_take(guards, entry, readings[i].value, readings[i].where, now_us);
            else if (readings[i].found == SIGNAL_LOST)
                entry_fail(entry, readings[i].why, now_us);
            else if (entry->told || guards->config.given & (UINT32_C(1) << i))
                entry_fail(entry, signals_untold((enum spec_guard)i), now_us);
            else
                entry->untold = true;
        }
        take_clocks(guards, nodes, asked, now_us);
    }
    signals_done(readings);
}

static void fail_servers(struct guards *guards, const GError *failed)
{
    auto_hold(&guards->lock);
    for (size_t i = 0; i < GUARD_COUNT; i++)
        entry_fail(&guards->entries[i], failed->message, world_monotonic_us(guards->config.world));
    if (guards->entries[ENTRY_SKEW].told)
        entry_fail(&guards->entries[ENTRY_SKEW], failed->message, world_monotonic_us(guards->config.world));
}

/* The session is made anew after a failure: what is wrong with it, nobody else knows. */
static void read_servers(struct guards *guards, struct session **io_session, struct signals *signals, struct arena *mem)
{
    const struct guards_config *config = &guards->config;
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct node_health));
    g_autoptr(GError) failed = NULL;
    struct call call = {.deadline_us = world_monotonic_us(config->world) + CALL_US,
                        .cancel = &guards->stop,
                        .ds = config->target_ds,
                        .mem = mem};
    struct asked asked = {.from_ms = world_wall_ms(config->world)};
    arena_reset(mem);
    if ((*io_session || store_session_open(io_session, config->target, &failed)) &&
        store_health(*io_session, &call, nodes, &failed)) {
        asked.to_ms = world_wall_ms(config->world);
        signals_wrote(signals, atomic_load(&guards->wrote));
        take_servers(guards, signals, nodes, &asked);
        return;
    }
    g_clear_pointer(io_session, store_session_close);
    fail_servers(guards, failed);
}

static struct signals *signals_of(struct guards *guards)
{
    struct signals *signals = signals_new();
    auto_hold(&guards->lock);
    if (guards->config.forecast)
        signals_expect(signals, guards->config.forecast);
    for (guint i = 0; i < guards->bases->len; i++)
        signals_recall(signals, base_at(guards->bases, i));
    return signals;
}

static void servers_main(void *self)
{
    struct reader *reader = self;
    struct guards *guards = reader->guards;
    auto_(signals) signals = signals_of(guards);
    auto_(arena) mem = arena_new(MEM_BYTES);
    struct session *session = NULL;
    while (!atomic_load(&guards->stop)) {
        read_servers(guards, &session, signals, mem);
        world_sleep_us(guards->config.world, SERVERS_US, &guards->stop);
    }
    store_session_close(session);
}

static struct outside outside_of(struct guards *guards)
{
    return (struct outside){
        .world = guards->config.world, .base_dir = guards->config.base_dir, .cancel = &guards->stop};
}

/* What one reading from outside gave: a failure that we have caused ourselves is none. */
static void take_outside(struct guards *guards, size_t i, double value, const GError *failed)
{
    int64_t now_us = world_monotonic_us(guards->config.world);
    auto_hold(&guards->lock);
    if (!failed)
        entry_take(guards, &guards->entries[i], value, NULL, now_us);
    else if (!atomic_load(&guards->stop))
        entry_fail(&guards->entries[i], failed->message, now_us);
}

static void switch_main(void *self)
{
    struct reader *reader = self;
    struct guards *guards = reader->guards;
    const struct guards_config *config = &guards->config;
    struct outside outside = outside_of(guards);
    struct outside_switch asked = {.of = config->enabled, .target_ds = config->target_ds};
    while (!atomic_load(&guards->stop)) {
        g_autoptr(GError) failed = NULL;
        bool enabled = false;
        if (config->enabled->key && !asked.target)
            store_session_open(&asked.target, config->target, &failed);
        if (!failed && !outside_enabled(&outside, &asked, &enabled, &failed))
            g_clear_pointer(&asked.target, store_session_close);
        take_outside(guards, ENTRY_SWITCH, enabled ? 1 : 0, failed);
        world_sleep_us(config->world, SWITCH_US, &guards->stop);
    }
    store_session_close(asked.target);
}

static void signal_main(void *self)
{
    struct reader *reader = self;
    struct guards *guards = reader->guards;
    const struct spec_signal *signal = &guards->config.signals[reader->entry - ENTRY_SIGNALS];
    struct outside outside = outside_of(guards);
    while (!atomic_load(&guards->stop)) {
        g_autoptr(GError) failed = NULL;
        double value = NAN;
        outside_signal(&outside, signal, &value, &failed);
        take_outside(guards, reader->entry, value, failed);
        world_sleep_us(guards->config.world, signal->every_ms * 1000, &guards->stop);
    }
}

/* One that cannot be started is tried again with the next judgement; until then nothing is read, which is noticed. */
static void reader_start(struct guards *guards, size_t i, void (*body)(void *self))
{
    struct reader *reader = &guards->readers[i];
    if (reader->thread)
        return;
    *reader = (struct reader){.guards = guards, .entry = ENTRY_SIGNALS + i - MIN(i, READER_SIGNALS)};
    if (!thread_start(&reader->thread, "guard", body, reader, NULL))
        reader->thread = NULL;
}

static void readers_start(struct guards *guards, bool servers)
{
    if (servers)
        reader_start(guards, READER_SERVERS, servers_main);
    if (is_asked(guards->config.enabled))
        reader_start(guards, READER_SWITCH, switch_main);
    for (size_t i = 0; i < guards->config.n_signals; i++)
        reader_start(guards, READER_SIGNALS + i, signal_main);
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

/* A count, a whole second or a yes is as well within its limit as it gets. */
static struct guard_rule rule_of(const struct guard_row *row, double limit, int64_t hold_us)
{
    bool word = row->unit == GUARD_UNIT_WORD, slow_only = word && limit == GUARD_WORD_SLOW;
    struct guard_rule rule = guard_rule_of(limit, limit, row->below, hold_us);
    if (slow_only)
        rule.limit = INFINITY;
    if (word && !guard_is_none(limit))
        rule.slow = 0;
    if (word || row->unit == GUARD_UNIT_COUNT || row->unit == GUARD_UNIT_DURATION)
        rule.clear = rule.slow;
    rule.stale_us = MAX(rule.hold_us, STALE_LEAST_US);
    return rule;
}

/* Of a store without servers nothing is watched: the plan has refused what was asked for. */
static bool tells_any(const struct guards *guards)
{
    return store_can(store_driver(guards->config.target), CAN_HEALTH);
}

static struct guard_rule rule_of_skew(const struct guards_limits *limits)
{
    struct guard_rule rule =
        guard_rule_of((double)limits->skew_ms, (double)limits->skew_ms, false, limits->hold_ms * 1000);
    rule.hard = true;
    rule.stale_us = MAX(rule.hold_us, STALE_LEAST_US);
    return rule;
}

static void set_rule(struct entry *entry, struct guard_rule rule)
{
    bool moved = rule.limit != entry->rule.limit || rule.slow != entry->rule.slow;
    entry->rule = rule;
    if (moved)
        guard_moved(&entry->state, &entry->rule);
}

/* What a plan takes where the spec says nothing; another limit of what nothing measures it refuses. */
static double fallback_of(const struct guard_row *row)
{
    double limit = guard_none(row->below);
    (void)guard_limit_read(row->unit, row->below, row->fallback, &limit);
    return limit;
}

/* What `set` has not named stays, as far as it is still the nearer one. */
static double slow_of(const struct spec_signal *signal, double limit)
{
    if (signal->slow == signal->limit)
        return limit;
    return signal->below ? fmax(signal->slow, limit) : fmin(signal->slow, limit);
}

/* Whether the servers are to be asked for anything. */
static bool set_rules(struct guards *guards, const struct guards_limits *limits)
{
    const struct guards_config *config = &guards->config;
    bool any = false;
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++) {
        struct entry *entry = &guards->entries[i];
        bool limited = !guard_is_none(limits->of[i]);
        set_rule(entry, rule_of(guard_row(i), limits->of[i], limits->hold_ms * 1000));
        entry->watched = limited && !entry->untold && tells_any(guards);
        entry->vain = limited && (entry->untold || !tells_any(guards)) && limits->of[i] != fallback_of(guard_row(i));
        any |= entry->watched;
    }
    struct entry *skew = &guards->entries[ENTRY_SKEW];
    set_rule(skew, rule_of_skew(limits));
    skew->watched = limits->skew_ms > 0 && !skew->untold && tells_any(guards);
    for (size_t i = 0; i < config->n_signals; i++) {
        const struct spec_signal *signal = &config->signals[i];
        struct entry *entry = &guards->entries[ENTRY_SIGNALS + i];
        int64_t hold_us = (signal->hold_ms ? signal->hold_ms : limits->hold_ms) * 1000;
        struct guard_rule rule =
            guard_rule_of(limits->signals[i], slow_of(signal, limits->signals[i]), signal->below, hold_us);
        rule.hard = signal->hard;
        rule.stale_us = MAX(hold_us, (2 * signal->every_ms + signal->timeout_ms) * 1000);
        set_rule(entry, rule);
        entry->watched = !guard_is_none(limits->signals[i]);
    }
    guards->entries[ENTRY_SWITCH].rule = (struct guard_rule){
        .below = true, .limit = 1, .slow = 1, .clear = 1, .strict = true, .stale_us = SWITCH_STALE_US};
    guards->entries[ENTRY_SWITCH].watched = is_asked(config->enabled);
    return any;
}

/* For people; the caller frees. A word is what is done: one that only slows has no limit beyond which it pauses. */
static char *limit_text(const struct entry *entry, double limit)
{
    bool word = entry->unit == GUARD_UNIT_WORD, none = guard_is_none(limit);
    if (word && !none)
        return guard_limit_text(entry->unit, guard_is_none(entry->rule.limit) ? GUARD_WORD_SLOW : GUARD_WORD_PAUSE);
    return none ? guard_limit_text(entry->unit, limit) : guard_value_text(entry->unit, limit);
}

/* What is wrong, in words; the caller frees. */
static char *words_of(const struct guards *guards, const struct entry *entry, int64_t now_us)
{
    char hold[UNITS_TEXT], silent[UNITS_TEXT];
    const struct guard_state *state = &entry->state;
    g_autofree char *value = guard_value_text(entry->unit, state->value);
    bool past = entry->rule.below ? state->value < entry->rule.limit : state->value > entry->rule.limit;
    g_autofree char *limit = limit_text(entry, past ? entry->rule.limit : entry->rule.slow);
    g_autofree char *on = entry->where ? g_strdup_printf(" on %s", entry->where) : g_strdup("");
    units_duration(entry->rule.hold_us / 1000, hold);
    bool beyond = entry->rule.below ? state->value < entry->rule.slow : state->value > entry->rule.slow;
    if (state->unread && entry->why)
        return g_strdup_printf("it cannot be read: %s", entry->why);
    if (state->unread && now_us - state->read_us >= entry->rule.stale_us)
        return g_strdup_printf("it cannot be read: nothing was heard of it for %s",
                               units_duration((now_us - state->read_us) / 1000, silent));
    if (state->unread)
        return g_strdup_printf("it could not be read, and must stay within its limit for %s now", hold);
    if (entry->why)
        return g_strdup(entry->why);
    if (entry == &guards->entries[ENTRY_SWITCH]) {
        g_autofree char *name = outside_switch_name(guards->config.enabled);
        return g_strdup_printf("%s says that no run may write, until it says true", name);
    }
    if (entry->unit == GUARD_UNIT_WORD)
        return g_strdup_printf("%s%s", beyond ? "it is so" : "it was so", on);
    if (!beyond)
        return g_strdup_printf("%s%s now; its limit is %s, within which it must stay for %s", value, on, limit, hold);
    return g_strdup_printf("%s%s, %s its limit of %s", value, on, entry->rule.below ? "below" : "above", limit);
}

static int64_t since_ms(const struct guards *guards, const struct entry *entry, int64_t now_us)
{
    return world_wall_ms(guards->config.world) - (now_us - entry->state.since_us) / 1000;
}

static void tell(const struct guards *guards, const struct entry *entry, int64_t now_us, struct guards_verdict *ret)
{
    g_autofree char *words = words_of(guards, entry, now_us);
    g_free(ret->name);
    g_free(ret->words);
    ret->level = entry->state.level;
    ret->name = g_strdup(entry->name);
    ret->words = entry->key ? g_strdup_printf("%s: %s (%s)", entry->name, words, entry->key)
                            : g_strdup_printf("%s: %s", entry->name, words);
    ret->since_ms = since_ms(guards, entry, now_us);
    ret->clears = entry->paused && entry->state.within_us != GUARD_NEVER;
}

void guards_judge(struct guards *guards, const struct guards_limits *limits, struct guards_verdict *ret)
{
    int64_t now_us = world_monotonic_us(guards->config.world);
    bool servers;
    *ret = (struct guards_verdict){.ready = true, .asked = true};
    {
        auto_hold(&guards->lock);
        servers = set_rules(guards, limits);
        for (size_t i = 0; i < ENTRIES; i++) {
            struct entry *entry = &guards->entries[i];
            if (!entry->watched)
                continue;
            guard_look(&entry->state, &entry->rule, now_us);
            ret->asked &= entry->state.known || entry->why;
            ret->beyond |= entry->state.beyond_us != GUARD_NEVER;
            ret->ready &= entry->state.known || entry->state.level >= GUARD_LEVEL_PAUSE;
            if (entry->state.level > ret->level)
                tell(guards, entry, now_us, ret);
        }
    }
    readers_start(guards, servers);
}

void guards_verdict_done(struct guards_verdict *verdict)
{
    g_clear_pointer(&verdict->name, g_free);
    g_clear_pointer(&verdict->words, g_free);
}

/* --- fed ---------------------------------------------------------------------------------------------------------- */

static struct entry *fed_entry(struct guards *guards, const char *name)
{
    struct entry *entry = &guards->entries[ENTRY_FED];
    while (entry->name && strcmp(entry->name, name) != 0)
        entry++;
    g_assert(entry < guards->entries + ENTRIES);
    return entry;
}

void guards_feed(struct guards *guards, const struct guards_feed *feed)
{
    int64_t now_us = world_monotonic_us(guards->config.world);
    auto_hold(&guards->lock);
    struct entry *entry = fed_entry(guards, feed->name);
    entry->name = feed->name;
    entry->source = feed->source;
    entry->steers = feed->steers;
    entry->unit = feed->unit;
    entry->rule = feed->rule;
    entry->watched = true;
    if (isnan(feed->value))
        entry_fail(entry, feed->why ? feed->why : "nothing is known of it", now_us);
    else {
        entry_take(guards, entry, feed->value, NULL, now_us);
        entry_set(entry, NULL, g_strdup(feed->why));
    }
}

void guards_wrote(struct guards *guards, uint64_t bytes)
{
    atomic_store(&guards->wrote, bytes);
}

void guards_drop(struct guards *guards, const char *name)
{
    auto_hold(&guards->lock);
    for (struct entry *entry = &guards->entries[ENTRY_FED]; entry < guards->entries + ENTRIES; entry++)
        if (entry->name && strcmp(entry->name, name) == 0) {
            entry->watched = false;
            entry_set(entry, NULL, NULL);
            guard_begin(&entry->state, world_monotonic_us(guards->config.world));
        }
}

/* --- for `status` ------------------------------------------------------------------------------------------------- */

static json_t *number_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text_json(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    return valid ? json_string(valid) : json_null();
}

/* Where it slows before it pauses, both; the caller frees. */
static char *limits_text(const struct entry *entry)
{
    const struct guard_rule *rule = &entry->rule;
    bool slows_only = guard_is_none(rule->limit);
    g_autofree char *limit = limit_text(entry, slows_only ? rule->slow : rule->limit);
    if (slows_only || rule->slow == rule->limit || entry->unit == GUARD_UNIT_WORD)
        return g_steal_pointer(&limit);
    g_autofree char *slow = limit_text(entry, rule->slow);
    return g_strdup_printf("%s, slow from %s", limit, slow);
}

static json_t *entry_json(const struct guards *guards, const struct entry *entry, int64_t now_us)
{
    g_autofree char *value = entry->state.known ? guard_value_text(entry->unit, entry->state.value) : NULL;
    g_autofree char *limit = limits_text(entry);
    g_autofree char *vain = entry->vain ? g_strdup_printf("%s: it is not watched",
                                                          signals_untold((enum spec_guard)(entry - guards->entries)))
                                        : NULL;
    char since[UNITS_TEXT];
    units_time(since_ms(guards, entry, now_us), since);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "name", entry->name,
                     "unit", guard_unit_word(entry->unit), "source", entry->source, "kind",
                     entry->steers ? "load" : "limit", "level", guard_level_word(entry->state.level), "unread",
                     entry->state.unread, "value", entry->state.known ? number_json(entry->state.value) : json_null(),
                     "limit", number_json(guard_is_none(entry->rule.limit) ? entry->rule.slow : entry->rule.limit),
                     "slow", number_json(entry->rule.slow), "value_text", text_json(value), "limit_text",
                     text_json(limit), "where", text_json(entry->where), "since", since, "error",
                     text_json(vain ? vain : entry->why));
}

static bool is_shown(const struct entry *entry)
{
    return entry->vain || (entry->watched && (entry->state.known || entry->why));
}

char *guards_json(struct guards *guards)
{
    int64_t now_us = world_monotonic_us(guards->config.world);
    json_t *list = json_array();
    {
        auto_hold(&guards->lock);
        for (size_t i = 0; i < ENTRIES; i++)
            if (is_shown(&guards->entries[i]))
                json_array_append_new(list, entry_json(guards, &guards->entries[i], now_us));
    }
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}
