#include "store/valkey/info.h"

#include "base/int.h"

bool info_line(struct slice *rest, struct slice *ret)
{
    if (rest->len == 0)
        return false;
    const uint8_t *end = memchr(rest->data, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->data) : rest->len, taken = end ? len + 1 : len;
    *ret = slice_of(rest->data, len > 0 && rest->data[len - 1] == '\r' ? len - 1 : len);
    *rest = slice_of(rest->data + taken, rest->len - taken);
    return true;
}

/* What follows `name` and a sign in the text, if it begins so. */
static bool info_behind(struct slice text, const char *name, char sign, struct slice *ret)
{
    size_t len = strlen(name);
    if (text.len <= len || memcmp(text.data, name, len) != 0 || text.data[len] != sign)
        return false;
    *ret = slice_of(text.data + len + 1, text.len - len - 1);
    return true;
}

bool info_text(struct slice info, const char *name, struct slice *ret)
{
    for (struct slice line; info_line(&info, &line);) {
        if (info_behind(line, name, ':', ret))
            return true;
    }
    return false;
}

int64_t info_number(struct slice info, const char *name)
{
    struct slice text;
    int64_t number;
    return info_text(info, name, &text) && int_parse_i64(text, &number) ? number : 0;
}

bool info_says(struct slice info, const char *name, const char *value)
{
    struct slice text;
    return info_text(info, name, &text) && slice_equal(text, slice_of_text(value));
}

/* `ip=…,port=…,state=online,offset=…,lag=…`: what one of them says. */
static bool info_part(struct slice parts, const char *name, struct slice *ret)
{
    while (parts.len > 0) {
        const uint8_t *end = memchr(parts.data, ',', parts.len);
        size_t len = end ? (size_t)(end - parts.data) : parts.len;
        if (info_behind(slice_of(parts.data, len), name, '=', ret))
            return true;
        parts = end ? slice_of(end + 1, parts.len - len - 1) : SLICE_EMPTY;
    }
    return false;
}

/* slave0:…, slave1:…; there are other lines that begin with `slave`. */
static bool info_replica(struct slice line, struct slice *ret)
{
    size_t at = strlen("slave");
    if (line.len <= at || memcmp(line.data, "slave", at) != 0 || !g_ascii_isdigit(line.data[at]))
        return false;
    while (at < line.len && g_ascii_isdigit(line.data[at]))
        at++;
    *ret = at < line.len && line.data[at] == ':' ? slice_of(line.data + at + 1, line.len - at - 1) : SLICE_EMPTY;
    return ret->len > 0;
}

static bool info_db(struct slice info, uint32_t db, struct slice *ret)
{
    char name[16];
    g_snprintf(name, sizeof name, "db%u", db);
    return info_text(info, name, ret);
}

int64_t info_keys(struct slice info, uint32_t db)
{
    struct slice parts, text;
    int64_t keys;
    if (!info_db(info, db, &parts))
        return 0;
    return info_part(parts, "keys", &text) && int_parse_i64(text, &keys) && keys >= 0 ? keys : -1;
}

bool info_expiring(struct slice info, uint32_t db, uint64_t *ret)
{
    struct slice parts, text;
    return info_db(info, db, &parts) && info_part(parts, "expires", &text) && int_parse_u64(text, ret);
}

uint64_t info_field_expiries(struct slice info)
{
    static const char *const NAMES[] = {"subexpiry", "keys_with_volatile_items"}; /* Redis, Valkey */
    uint64_t sum = 0;
    for (struct slice line, text; info_line(&info, &line);) {
        const uint8_t *colon = line.len ? memchr(line.data, ':', line.len) : NULL;
        if (!colon || line.len < 3 || memcmp(line.data, "db", 2) != 0 || !g_ascii_isdigit(line.data[2]))
            continue;
        struct slice parts = slice_of(colon + 1, line.len - (size_t)(colon + 1 - line.data));
        for (size_t i = 0; i < G_N_ELEMENTS(NAMES); i++) {
            uint64_t hashes;
            if (info_part(parts, NAMES[i], &text) && int_parse_u64(text, &hashes))
                sum += hashes;
        }
    }
    return sum;
}

/* The next replica that is in step, of the lines that are left. */
static bool info_next_online(struct slice *rest, struct slice *ret_parts)
{
    for (struct slice line, text; info_line(rest, &line);)
        if (info_replica(line, ret_parts) && info_part(*ret_parts, "state", &text) &&
            slice_equal(text, slice_of_text("online")))
            return true;
    return false;
}

/* Of one replica; 0 where it does not say. */
static int64_t info_replica_number(struct slice parts, const char *name)
{
    struct slice text;
    int64_t number;
    return info_part(parts, name, &text) && int_parse_i64(text, &number) ? number : 0;
}

uint32_t info_replicas(struct slice info, int64_t *ret_offset)
{
    uint32_t online = 0;
    *ret_offset = INT64_MAX;
    for (struct slice parts; info_next_online(&info, &parts); online++)
        *ret_offset = MIN(*ret_offset, info_replica_number(parts, "offset"));
    return online;
}

int64_t info_replica_lag_s(struct slice info)
{
    int64_t lag_s = INFO_LAG_NONE, least_s = 0;
    for (struct slice parts; info_next_online(&info, &parts);) {
        int64_t of_s = info_replica_number(parts, "lag");
        lag_s = MAX(lag_s, of_s);
        least_s = MIN(least_s, of_s);
    }
    return least_s < 0 ? INFO_LAG_UNTOLD : lag_s;
}

const char *info_slowest(struct slice info, struct arena *mem)
{
    struct slice slowest = SLICE_EMPTY, host, port;
    int64_t most_s = 0, least = INT64_MAX;
    if (info_replica_lag_s(info) < 0)
        return NULL;
    for (struct slice parts; info_next_online(&info, &parts);) {
        int64_t lag_s = info_replica_number(parts, "lag"), offset = info_replica_number(parts, "offset");
        if (lag_s < most_s || (lag_s == most_s && offset >= least))
            continue;
        slowest = parts;
        most_s = lag_s;
        least = offset;
    }
    if (!info_part(slowest, "ip", &host) || !info_part(slowest, "port", &port))
        return NULL;
    g_autofree char *name =
        g_strdup_printf("%.*s:%.*s", (int)host.len, (const char *)host.data, (int)port.len, (const char *)port.data);
    return arena_text(mem, slice_of_text(name));
}
