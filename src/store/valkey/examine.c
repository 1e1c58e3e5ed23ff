#include "store/valkey/examine.h"

#include "base/units.h"
#include "store/valkey/info.h"
#include "store/valkey/refusal.h"
#include "store/valkey/script.h"

#define OWN_KEY "sluice:doctor"

struct examining {
    const struct examine_wish *wish;
    const struct call *call;
    GArray *into;
    bool lacks; /* a right, on some server */
};

static const char *keep(struct examining *examining, char *text)
{
    const char *kept = arena_text(examining->call->mem, slice_of_text(text));
    g_free(text);
    return kept ? kept : "there is no memory left to say what was found";
}

/* Owns text and todo. */
static void remark(struct examining *examining, enum remark_level level, char *text, char *todo)
{
    struct store_remark remark = {
        .level = level, .text = keep(examining, text), .todo = todo ? keep(examining, todo) : NULL};
    g_array_append_val(examining->into, remark);
}

/* --- one question ---------------------------------------------------------------------------------------------------
 */

/* What came back, copied: the reply itself is valid during the call only. */
struct answer {
    struct arena *mem;
    struct slice bytes;
    bool refused; /* the bytes are those of an error reply */
};

static bool take_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct answer *answer = self;
    answer->refused = reply->type == REPLY_ERROR;
    return arena_copy(answer->mem, reply->bytes, &answer->bytes) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "a server's answer does not fit into memory");
}

/* A right that is missing is an answer here. */
static bool ask(struct examining *examining, const struct valkey_host *at, const struct slice *args, size_t n,
                struct answer *ret, GError **error)
{
    struct command command = {
        .args = args, .n_args = n, .slot = -1, .at = at, .repeatable = true, .script = script_rights.text};
    struct route_wish wish = {.commands = &command, .n = 1, .answer = take_answer, .self = ret};
    GError *failed = NULL;
    *ret = (struct answer){.mem = examining->call->mem};
    if (router_run(examining->wish->router, examining->call, &wish, &failed))
        return true;
    if (!error_is(failed, SLUICE_ERROR_NOT_PERMITTED)) {
        g_propagate_error(error, failed);
        return false;
    }
    ret->refused = true;
    bool ok = arena_copy(ret->mem, slice_of_text(failed->message), &ret->bytes);
    g_error_free(failed);
    return ok || error_set(error, SLUICE_ERROR_TOO_BIG, "a server's answer does not fit into memory");
}

/* --- what there is -------------------------------------------------------------------------------------------------
 */

enum { OLDEST_MAJOR = 7 };

static const char *words_of(const struct topology *topology, char into[64])
{
    unsigned primaries = 0, replicas = 0;
    for (size_t i = 0; i < topology->n; i++)
        if (topology->nodes[i].primary) {
            primaries++;
            replicas += topology->nodes[i].replicas;
        }
    g_snprintf(into, 64, "%u %s, %u %s", primaries, primaries == 1 ? "primary" : "primaries", replicas,
               replicas == 1 ? "replica" : "replicas");
    return into;
}

static void tell_version(struct examining *examining)
{
    const struct topology *topology = examining->wish->topology;
    char words[64];
    char *text =
        g_strdup_printf("%s %s, %s: %s", topology->server, topology->version,
                        topology->kind == VALKEY_CLUSTER ? "a cluster" : "standalone", words_of(topology, words));
    bool old = g_ascii_strtoull(topology->version, NULL, 10) < OLDEST_MAJOR;
    remark(examining, old ? REMARK_FAIL : REMARK_OK, text,
           old ? g_strdup("7.0 or later is needed: older ones cannot tell when a record expires, or what a user may do")
               : NULL);
}

static void tell_role(struct examining *examining)
{
    const struct topology *topology = examining->wish->topology;
    const struct valkey_node *node = &topology->nodes[topology->asked];
    if (examining->wish->writes && topology->kind != VALKEY_CLUSTER && !node->primary)
        remark(examining, REMARK_FAIL,
               g_strdup_printf("%s:%u is a replica, which takes no writes", node->at.host, node->at.port),
               g_strdup("name its primary (INFO replication has it), or the sentinels with ?sentinel=NAME"));
}

/* --- rights ---------------------------------------------------------------------------------------------------------
 */

enum key_of { NONE, OWN, CLUSTER, RECORD, HASH, JSON, RAW };
enum need { ALWAYS, COPIES, PIECES, MEMBERS, NEEDS };

static const struct right {
    const char *command, *words;
    enum key_of key;
    bool writes;
    enum need need;
} rights[] = {
#define ROW(command, words, key, writes, need) {command, words, key, writes, need},
#include "store/valkey/right_rows.h"
#undef ROW
};

static bool is_asked(const struct examining *examining, const struct right *right)
{
    static const enum dataset_form FORMS[] = {[HASH] = FORM_HASH, [JSON] = FORM_JSON, [RAW] = FORM_RAW};
    if (examining->wish->members || right->need == MEMBERS)
        return examining->wish->members && right->need == MEMBERS;
    bool here = right->key != CLUSTER || examining->wish->topology->kind == VALKEY_CLUSTER;
    here = here && (right->need == ALWAYS || examining->wish->form == FORM_RAW);
    here = here && (right->key < HASH || FORMS[right->key] == examining->wish->form);
    return here && (examining->wish->writes || !right->writes);
}

/* The words of a right as rights.lua takes them, appended. */
static void put_right(const struct examining *examining, const struct right *right, GPtrArray *args)
{
    g_auto(GStrv) command = g_strsplit(right->command, "|", -1);
    g_auto(GStrv) words = g_strsplit(right->words, " ", -1);
    guint n = g_strv_length(command) + g_strv_length(words);
    g_ptr_array_add(args, g_strdup_printf("%u", n));
    for (size_t i = 0; command[i]; i++)
        g_ptr_array_add(args, g_strdup(command[i]));
    for (size_t i = 0; words[i]; i++) {
        bool key = strcmp(words[i], "%") == 0;
        g_ptr_array_add(args, g_strdup(!key ? words[i] : right->key == OWN ? OWN_KEY : examining->wish->key));
    }
}

static bool ask_rights(struct examining *examining, const struct valkey_host *at, struct answer *ret, GError **error)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) args = g_array_new(FALSE, FALSE, sizeof(struct slice));
    const char *const head[] = {"EVALSHA", script_rights.sha, "0"};
    for (size_t i = 0; i < G_N_ELEMENTS(head); i++)
        g_ptr_array_add(texts, g_strdup(head[i]));
    for (size_t i = 0; i < G_N_ELEMENTS(rights); i++)
        if (is_asked(examining, &rights[i]))
            put_right(examining, &rights[i], texts);
    for (guint i = 0; i < texts->len; i++) {
        struct slice arg = slice_of_text(texts->pdata[i]);
        g_array_append_val(args, arg);
    }
    return ask(examining, at, (const struct slice *)(const void *)args->data, args->len, ret, error);
}

/* As an ACL says it: +command, ~keys; each once. */
static void name_missing(const struct examining *examining, const struct right *right, GString *into)
{
    const char *keys = right->key == OWN ? "sluice:*" : right->key >= RECORD ? examining->wish->glob : NULL;
    g_autofree char *command = g_strdup_printf(" +%s", right->command);
    g_autofree char *pattern = g_strdup_printf(" ~%s", keys ? keys : "");
    if (!strstr(into->str, command))
        g_string_append(into, command);
    if (keys && !strstr(into->str, pattern))
        g_string_append(into, pattern);
}

/* Of raw records: what goes without, and what does not. */
static void judge_raw(struct examining *examining, const struct valkey_host *at, const GString *copies,
                      const GString *pieces)
{
    const char *user = examining->wish->user ? examining->wish->user : "default";
    if (copies->len > 0 && pieces->len > 0)
        remark(
            examining, REMARK_FAIL,
            g_strdup_printf("%s:%u: user '%s' lacks rights that raw records need", at->host, at->port, user),
            g_strdup_printf("ACL SETUSER %s%s; or, to go by their types instead:%s", user, copies->str, pieces->str));
    else if (copies->len > 0)
        remark(
            examining, REMARK_WARN,
            g_strdup_printf("%s:%u: user '%s' may not%s: raw records are %s by their types, a few round trips each",
                            at->host, at->port, user, copies->str, examining->wish->writes ? "written" : "read"),
            g_strdup_printf("ACL SETUSER %s%s; where a managed service has taken it away: nothing", user, copies->str));
    else if (pieces->len > 0)
        remark(examining, REMARK_WARN,
               g_strdup_printf("%s:%u: user '%s' lacks rights to copy values of more than 1 MiB, which go in pieces",
                               at->host, at->port, user),
               g_strdup_printf("ACL SETUSER %s%s", user, pieces->str));
    examining->lacks |= copies->len > 0 || pieces->len > 0;
}

static void judge_needed(struct examining *examining, const struct valkey_host *at, const GString *missing,
                         const GString *unknown)
{
    const char *user = examining->wish->user ? examining->wish->user : "default";
    if (missing->len > 0)
        remark(examining, REMARK_FAIL,
               g_strdup_printf("%s:%u: user '%s' lacks rights that %s", at->host, at->port, user,
                               examining->wish->writes ? "a run needs" : "reading needs"),
               g_strdup_printf("ACL SETUSER %s%s", user, missing->str));
    if (unknown->len > 0)
        remark(examining, REMARK_FAIL,
               g_strdup_printf("%s:%u: the server has no command%s", at->host, at->port, unknown->str),
               g_strdup("a managed service may have taken it away: ask for it, or take a copy of the data elsewhere"));
    examining->lacks |= missing->len > 0 || unknown->len > 0;
}

static void judge_members(struct examining *examining, const struct valkey_host *at, const GString *missing)
{
    const struct examine_wish *wish = examining->wish;
    if (missing->len > 0)
        remark(examining, REMARK_FAIL,
               g_strdup_printf("%s:%u: user '%s' lacks rights to read the index '%s' (expect)", at->host, at->port,
                               wish->user ? wish->user : "default", wish->glob),
               g_strdup_printf("ACL SETUSER %s%s", wish->user ? wish->user : "default", missing->str));
}

static void judge_rights(struct examining *examining, const struct valkey_host *at, struct slice answers)
{
    g_autoptr(GString) unknown = g_string_new(NULL);
    GString *missing[NEEDS];
    for (size_t i = 0; i < NEEDS; i++)
        missing[i] = g_string_new(NULL);
    for (size_t i = 0, k = 0; i < G_N_ELEMENTS(rights) && k < answers.len; i++) {
        if (!is_asked(examining, &rights[i]))
            continue;
        uint8_t answer = answers.data[k++];
        if (answer == '0' || (answer == '?' && rights[i].need != ALWAYS))
            name_missing(examining, &rights[i], missing[rights[i].need]);
        else if (answer == '?')
            g_string_append_printf(unknown, " %s", rights[i].command);
    }
    judge_needed(examining, at, missing[ALWAYS], unknown);
    judge_raw(examining, at, missing[COPIES], missing[PIECES]);
    judge_members(examining, at, missing[MEMBERS]);
    for (size_t i = 0; i < NEEDS; i++)
        g_string_free(missing[i], TRUE);
}

static bool look_at_rights(struct examining *examining, const struct valkey_host *at, GError **error)
{
    struct answer answer;
    if (!ask_rights(examining, at, &answer, error))
        return false;
    if (!answer.refused) {
        judge_rights(examining, at, answer.bytes);
        return true;
    }
    examining->lacks = true;
    remark(examining, examining->wish->writes ? REMARK_FAIL : REMARK_WARN,
           g_strdup_printf("%s:%u: scripts are not allowed: %.*s", at->host, at->port, (int)answer.bytes.len,
                           (const char *)answer.bytes.data),
           g_strdup(examining->wish->writes
                        ? "every write is a script that looks and writes at once: allow EVALSHA and SCRIPT LOAD"
                        : "reading goes without them; which rights are missing cannot be asked"));
    return true;
}

/* --- what a server says of itself -----------------------------------------------------------------------------------
 */

static void judge_memory(struct examining *examining, const char *name, struct slice info)
{
    struct slice policy;
    char used_text[UNITS_TEXT], most_text[UNITS_TEXT];
    int64_t used = info_number(info, "used_memory"), most = info_number(info, "maxmemory");
    if (!info_text(info, "maxmemory_policy", &policy) || most <= 0)
        return;
    bool all = policy.len >= 7 && memcmp(policy.data, "allkeys", 7) == 0;
    if (all)
        remark(
            examining, REMARK_FAIL,
            g_strdup_printf("%s: evicts any key when its memory is full (maxmemory-policy %.*s): fences could go, and "
                            "with them what tells a write from its repetition",
                            name, (int)policy.len, (const char *)policy.data),
            g_strdup("set maxmemory-policy to noeviction, or to one of volatile-*, while a run works"));
    bool full = used >= most && policy.len == 10 && memcmp(policy.data, "noeviction", 10) == 0;
    if (used > most / 4 * 3)
        remark(examining, full && examining->wish->writes ? REMARK_FAIL : REMARK_WARN,
               g_strdup_printf("%s: %s of %s are used%s", name, units_bytes((uint64_t)used, used_text),
                               units_bytes((uint64_t)most, most_text),
                               full ? ": it is full, and takes no writes (maxmemory-policy noeviction)" : ""),
               g_strdup("give it more memory (maxmemory), or run when it holds less"));
}

/* A hash is written as a whole, and neither HGETALL nor the etag shows when a field of it expires. Which hashes have
 * such fields a server does not say; a copy as `raw` refuses each by name. */
static void judge_field_expiries(struct examining *examining, const char *name, struct slice info)
{
    uint64_t n = info_field_expiries(info);
    char count[UNITS_TEXT];
    if (n == 0 || examining->wish->form != FORM_HASH || !examining->wish->writes)
        return;
    remark(
        examining, REMARK_WARN,
        g_strdup_printf("%s: %s hashes have fields that expire; one that a run writes would keep them for ever", name,
                        units_count(n, count)),
        g_strdup("do not write hashes of the dataset that have such fields (HPEXPIRETIME tells): leave them out with "
                 "`where`, or by their keys"));
}

/* What makes a server refuse every write, as far as INFO tells it. */
static void judge_writable(struct examining *examining, const char *name, struct slice info)
{
    if (info_says(info, "min_slaves_good_slaves", "0")) /* there only where min-replicas-to-write is above 0 */
        remark(examining, REMARK_FAIL,
               g_strdup_printf("%s: takes no writes while too few replicas are in step (min-replicas-to-write)", name),
               g_strdup("bring its replicas back, or lower min-replicas-to-write"));
    if (info_says(info, "aof_last_write_status", "err"))
        remark(examining, REMARK_FAIL,
               g_strdup_printf("%s: takes no writes, since it cannot write its append-only file", name),
               g_strdup("its log says why; mostly its disk is full"));
    if (info_says(info, "rdb_last_bgsave_status", "err"))
        remark(examining, REMARK_WARN,
               g_strdup_printf("%s: could not save its data the last time; unless stop-writes-on-bgsave-error is off, "
                               "it takes no writes",
                               name),
               g_strdup("its log says why; BGSAVE tries again"));
}

static void judge_durability(struct examining *examining, const char *name, struct slice info)
{
    int64_t acknowledged;
    bool kept = info_replicas(info, &acknowledged) > 0 || info_number(info, "aof_enabled") == 1;
    if (!kept && examining->wish->writes)
        remark(
            examining, REMARK_WARN,
            g_strdup_printf("%s: has no replica in step and no append-only file: what it acknowledges is lost with its "
                            "process",
                            name),
            g_strdup(
                "a run notices what it lost of its own and does it again, as far as that can be told (docs/drivers/"
                "valkey.md); the application cannot. Give it a replica, or `appendonly yes`"));
    int64_t behind = MAX(info_number(info, "master_repl_offset"), 0) - MAX(acknowledged, 0);
    if (acknowledged != INT64_MAX && behind > (16 << 20))
        remark(examining, REMARK_WARN,
               g_strdup_printf("%s: a replica is %" G_GINT64_FORMAT " MiB behind", name, behind >> 20),
               g_strdup("wait until it has caught up: every checkpoint waits for it"));
}

static bool look_at_server(struct examining *examining, const struct valkey_host *at, GError **error)
{
    struct slice args[] = {slice_of_text("INFO")};
    struct answer answer;
    g_autofree char *name = g_strdup_printf("%s:%u", at->host, at->port);
    if (!ask(examining, at, args, 1, &answer, error))
        return error_add(error, "%s", name);
    if (answer.refused) {
        remark(examining, REMARK_WARN, g_strdup_printf("%s: INFO is refused", name),
               g_strdup("memory, replicas and restarts cannot be watched; allow +info"));
        return true;
    }
    judge_memory(examining, name, answer.bytes);
    judge_durability(examining, name, answer.bytes);
    judge_field_expiries(examining, name, answer.bytes);
    if (examining->wish->writes)
        judge_writable(examining, name, answer.bytes);
    return true;
}

static void judge_secrecy(struct examining *examining)
{
    if (examining->wish->insecure)
        remark(examining, REMARK_WARN,
               g_strdup("TLS takes any certificate (insecure=1): whoever sits between may read and change everything"),
               g_strdup("name who signed the servers' certificates: ca=FILE in the URI, without insecure"));
}

bool examine_servers(const struct examine_wish *wish, const struct call *call, GArray *into, GError **error)
{
    struct examining examining = {.wish = wish, .call = call, .into = into};
    const struct topology *topology = wish->topology;
    bool ok = true;
    tell_role(&examining);
    tell_version(&examining);
    judge_secrecy(&examining);
    for (size_t i = 0; ok && i < topology->n; i++)
        if (topology->nodes[i].primary)
            ok = look_at_rights(&examining, &topology->nodes[i].at, error) &&
                 look_at_server(&examining, &topology->nodes[i].at, error);
    if (ok && !examining.lacks)
        remark(&examining, REMARK_OK,
               g_strdup_printf("user '%s' has every right that is needed", wish->user ? wish->user : "default"), NULL);
    return ok;
}

bool examine_members(const struct examine_wish *wish, const struct call *call, GArray *into, GError **error)
{
    struct examining examining = {.wish = wish, .call = call, .into = into};
    const struct topology *topology = wish->topology;
    bool ok = true;
    for (size_t i = 0; ok && i < topology->n; i++)
        ok = !topology->nodes[i].primary || look_at_rights(&examining, &topology->nodes[i].at, error);
    return ok;
}
