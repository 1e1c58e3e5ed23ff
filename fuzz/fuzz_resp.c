/* The parser of Valkey's protocol: the first byte says in what pieces the rest comes. All at once and in pieces it says
 * the same; what is whole has a tree whose slices lie within its bytes and whose sums are the scan's. */
#include "fuzz.h"
#include "store/valkey/resp.h"

enum { MEM_BYTES = 64 << 20 };

struct seen {
    bool sound, whole;
    size_t at;
};

static struct seen scan_in_pieces(struct slice bytes, size_t piece)
{
    static const struct resp_limits limits = {.bytes = 1 << 20, .elements = 1 << 16};
    struct resp_scan scan = {0};
    struct seen seen = {.sound = true};
    size_t need = 0;
    for (size_t len = 0; seen.sound && !seen.whole && len < bytes.len;) {
        len = len + piece < bytes.len ? len + piece : bytes.len;
        seen.sound = resp_scan(&scan, slice_of(bytes.data, len), &limits, &seen.whole, NULL);
        g_assert(!seen.sound || seen.whole || scan.need > len);
        g_assert(!seen.whole || len >= need); /* it never asked for more than it took */
        need = seen.sound && !seen.whole ? scan.need : need;
        seen.at = scan.at;
    }
    g_assert(seen.at <= bytes.len);
    return seen;
}

/* How many replies there are, this one included. */
static size_t check(const struct reply *reply, struct slice bytes, unsigned depth)
{
    size_t count = 1;
    g_assert(depth <= RESP_DEPTH);
    g_assert(reply->bytes.len == 0 ||
             (reply->bytes.data >= bytes.data && reply->bytes.data + reply->bytes.len <= bytes.data + bytes.len));
    g_assert(reply->type != REPLY_MAP || reply->n % 2 == 0);
    for (size_t i = 0; i < reply->n; i++)
        count += check(&reply->items[i], bytes, depth + 1);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    struct slice bytes = slice_of(data + 1, len - 1);
    struct seen once = scan_in_pieces(bytes, bytes.len), pieces = scan_in_pieces(bytes, data[0] % 16 + 1u);
    g_assert(once.sound == pieces.sound && once.whole == pieces.whole && once.at == pieces.at);
    auto_(arena) mem = arena_new(MEM_BYTES);
    struct reply reply;
    size_t end;
    bool taken = resp_take(bytes, mem, &reply, &end);
    g_assert(!taken || (once.whole && end == once.at && check(&reply, slice_of(bytes.data, end), 0) <= end));
    if (!once.whole)
        return 0;
    arena_reset(mem);
    g_assert(resp_read(slice_of(bytes.data, once.at), mem, &reply, NULL));
    g_assert(check(&reply, slice_of(bytes.data, once.at), 0) <= once.at);
    return 0;
}
