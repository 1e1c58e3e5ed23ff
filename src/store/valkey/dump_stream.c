/* Streams. The content of a value of type 'x', all numbers as varints, names and values behind their lengths:
 *
 *   number of entries; of each: ms and number of its id, number of fields, their names and values
 *   last id, highest deleted id (ms and number each), entries ever added
 *   number of groups, sorted by name; of each: name, last id, entries read (2^64 - 1: not known), number of consumers,
 *   sorted by name; of each: name, when it was last seen, number of pending entries, sorted; of each: id, when it was
 *   delivered, how often
 *
 * In RDB the entries lie in listpacks, each with a master entry whose id the others count from, and whose fields they
 * need not repeat. https://github.com/redis/redis/blob/7.0/src/t_stream.c */
#include "store/valkey/dump_parts.h"

enum { DELETED = 1, SAME_FIELDS = 2 };

struct id {
    uint64_t ms, seq;
};

static int id_compare(struct id a, struct id b)
{
    return a.ms != b.ms ? (a.ms > b.ms) - (a.ms < b.ms) : (a.seq > b.seq) - (a.seq < b.seq);
}

static void put_id(GByteArray *into, struct id id)
{
    put_varint(into, id.ms);
    put_varint(into, id.seq);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct reading {
    struct dump *dump;
    struct listpack listpack;
    struct id master;
    GArray *fields; /* of struct slice: the master entry's */
    GByteArray *entries;
    uint64_t n;
};

static struct slice next_string(struct reading *reading)
{
    struct listpack_item item;
    if (!reading->dump->at.ok || !dump_listpack_next(reading->dump, &reading->listpack, &item)) {
        dump_fail(reading->dump);
        return SLICE_EMPTY;
    }
    return dump_item_string(reading->dump, &item);
}

static uint64_t next_number(struct reading *reading)
{
    struct listpack_item item;
    if (!reading->dump->at.ok || !dump_listpack_next(reading->dump, &reading->listpack, &item))
        return dump_fail(reading->dump);
    return (uint64_t)dump_item_integer(reading->dump, &item);
}

static bool read_master(struct reading *reading)
{
    next_number(reading); /* entries */
    next_number(reading); /* deleted ones */
    uint64_t n = next_number(reading);
    g_array_set_size(reading->fields, 0);
    for (uint64_t i = 0; i < n && reading->dump->at.ok; i++) {
        struct slice name = next_string(reading);
        g_array_append_val(reading->fields, name);
    }
    return next_number(reading) == 0 && reading->dump->at.ok;
}

static bool read_entry(struct reading *reading, uint64_t flags)
{
    g_autoptr(GByteArray) entry = g_byte_array_new();
    uint64_t ms = reading->master.ms + next_number(reading), seq = reading->master.seq + next_number(reading);
    bool same = flags & SAME_FIELDS;
    uint64_t n = same ? reading->fields->len : next_number(reading);
    put_id(entry, (struct id){ms, seq});
    put_varint(entry, n);
    for (uint64_t i = 0; i < n && reading->dump->at.ok; i++) {
        put_prefixed(entry, same ? g_array_index(reading->fields, struct slice, i) : next_string(reading));
        put_prefixed(entry, next_string(reading));
    }
    next_number(reading); /* how many items it was */
    if (flags & DELETED)
        return reading->dump->at.ok;
    reading->n++;
    put_bytes(reading->entries, slice_of(entry->data, entry->len));
    return reading->dump->at.ok;
}

static bool read_node(struct reading *reading)
{
    struct listpack_item item;
    struct slice key = dump_string(reading->dump), bytes = dump_string(reading->dump);
    if (key.len != 16 || !dump_listpack(reading->dump, bytes, &reading->listpack))
        return dump_fail(reading->dump);
    reading->master = (struct id){dump_u64_be(key.data), dump_u64_be(key.data + 8)};
    if (!read_master(reading))
        return dump_fail(reading->dump);
    while (dump_listpack_next(reading->dump, &reading->listpack, &item))
        if (!read_entry(reading, (uint64_t)dump_item_integer(reading->dump, &item)))
            return dump_fail(reading->dump);
    return reading->dump->at.ok;
}

static struct id read_lens(struct dump *dump)
{
    uint64_t ms = dump_len(dump);
    return (struct id){ms, dump_len(dump)};
}

static struct id read_raw_id(struct dump *dump)
{
    struct slice bytes = reader_bytes(&dump->at, 16);
    return dump->at.ok ? (struct id){dump_u64_be(bytes.data), dump_u64_be(bytes.data + 8)} : (struct id){0};
}

struct pending {
    struct id id;
    uint64_t delivered_ms, count;
};

static int by_id(const void *a, const void *b)
{
    return id_compare(((const struct pending *)a)->id, ((const struct pending *)b)->id);
}

static void read_pending(struct dump *dump, GArray *into)
{
    uint64_t n = dump_len(dump);
    for (uint64_t i = 0; i < n && dump->at.ok; i++) {
        struct pending pending = {.id = read_raw_id(dump)};
        pending.delivered_ms = reader_u64(&dump->at);
        pending.count = dump_len(dump);
        g_array_append_val(into, pending);
    }
}

static bool read_consumer(struct dump *dump, uint8_t type, GArray *pending, GByteArray *into)
{
    put_prefixed(into, dump_string(dump));
    put_varint(into, reader_u64(&dump->at));
    if (type == RDB_STREAM_3)
        reader_u64(&dump->at);
    uint64_t n = dump_len(dump);
    put_varint(into, n);
    for (uint64_t i = 0; i < n && dump->at.ok; i++) {
        struct pending wanted = {.id = read_raw_id(dump)}, *found = NULL;
        if (pending->len)
            found = bsearch(&wanted, pending->data, pending->len, sizeof wanted, by_id);
        if (!found)
            return dump_fail(dump);
        put_id(into, found->id);
        put_varint(into, found->delivered_ms);
        put_varint(into, found->count);
    }
    return dump->at.ok;
}

/* The servers keep groups, consumers and ids in radix trees: they come sorted. */
static bool read_group(struct dump *dump, uint8_t type, GByteArray *into)
{
    g_autoptr(GArray) pending = g_array_new(FALSE, FALSE, sizeof(struct pending));
    put_prefixed(into, dump_string(dump));
    put_id(into, read_lens(dump));
    put_varint(into, dump_len(dump));
    read_pending(dump, pending);
    uint64_t n = dump_len(dump);
    put_varint(into, n);
    for (uint64_t i = 0; i < n && dump->at.ok; i++)
        if (!read_consumer(dump, type, pending, into))
            return false;
    return dump->at.ok;
}

static bool read_entries(struct dump *dump, GByteArray *into)
{
    g_autoptr(GArray) fields = g_array_new(FALSE, FALSE, sizeof(struct slice));
    g_autoptr(GByteArray) entries = g_byte_array_new();
    struct reading reading = {.dump = dump, .fields = fields, .entries = entries};
    uint64_t nodes = dump_len(dump);
    for (uint64_t i = 0; i < nodes && dump->at.ok; i++)
        if (!read_node(&reading))
            return false;
    put_varint(into, reading.n);
    put_bytes(into, slice_of(entries->data, entries->len));
    return dump_len(dump) == reading.n && dump->at.ok;
}

bool dump_read_stream(struct dump *dump, uint8_t type, GByteArray *into)
{
    if (!read_entries(dump, into))
        return dump_fail(dump);
    put_id(into, read_lens(dump));
    read_lens(dump); /* the first entry's id */
    put_id(into, read_lens(dump));
    put_varint(into, dump_len(dump));
    uint64_t groups = dump_len(dump);
    put_varint(into, groups);
    for (uint64_t i = 0; i < groups && dump->at.ok; i++)
        if (!read_group(dump, type, into))
            return false;
    return dump->at.ok;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* As the servers' own stream-node-max-entries and -bytes. */
enum { NODE_ENTRIES = 100, NODE_BYTES = 4096 };

struct node {
    GByteArray *bytes; /* a listpack without its head and end */
    GArray *fields;    /* of struct slice */
    struct id master;
    uint32_t items, entries;
};

struct writing {
    GByteArray *nodes;
    struct node node;
    struct id first, last;
    uint64_t n_nodes, n;
};

static struct id take_id(struct reader *content)
{
    uint64_t ms = reader_varint(content);
    return (struct id){ms, reader_varint(content)};
}

static void put_node_integer(struct node *node, int64_t value)
{
    dump_listpack_put_integer(node->bytes, value);
    node->items++;
}

static void put_node_string(struct node *node, struct slice bytes)
{
    dump_listpack_put_string(node->bytes, bytes);
    node->items++;
}

/* The master entry is known when the node is full: it holds the number of entries. */
static void end_node(struct writing *writing)
{
    struct node *node = &writing->node;
    if (node->entries == 0)
        return;
    g_autoptr(GByteArray) entries = node->bytes;
    uint32_t items = node->items;
    node->items = 0;
    node->bytes = g_byte_array_new();
    put_node_integer(node, node->entries);
    put_node_integer(node, 0);
    put_node_integer(node, node->fields->len);
    for (guint i = 0; i < node->fields->len; i++)
        put_node_string(node, g_array_index(node->fields, struct slice, i));
    put_node_integer(node, 0);
    put_bytes(node->bytes, slice_of(entries->data, entries->len));
    dump_put_len(writing->nodes, 16);
    dump_put_id(writing->nodes, node->master.ms, node->master.seq);
    dump_put_listpack(writing->nodes, slice_of(node->bytes->data, node->bytes->len), node->items + items);
    writing->n_nodes++;
    node->entries = node->items = 0;
    g_byte_array_set_size(node->bytes, 0);
}

static bool same_fields(const struct node *node, const GArray *names)
{
    if (node->fields->len != names->len)
        return false;
    for (guint i = 0; i < names->len; i++)
        if (!slice_equal(g_array_index(node->fields, struct slice, i), g_array_index(names, struct slice, i)))
            return false;
    return true;
}

static void put_entry(struct writing *writing, struct id id, const GArray *names, const GArray *values)
{
    struct node *node = &writing->node;
    if (node->entries >= NODE_ENTRIES || node->bytes->len >= NODE_BYTES)
        end_node(writing);
    if (node->entries == 0) {
        node->master = id;
        g_array_set_size(node->fields, 0);
        if (names->len)
            g_array_append_vals(node->fields, names->data, names->len);
    }
    bool same = same_fields(node, names);
    put_node_integer(node, same ? SAME_FIELDS : 0);
    put_node_integer(node, (int64_t)(id.ms - node->master.ms));
    put_node_integer(node, (int64_t)(id.seq - node->master.seq));
    if (!same)
        put_node_integer(node, names->len);
    for (guint i = 0; i < names->len; i++) {
        if (!same)
            put_node_string(node, g_array_index(names, struct slice, i));
        put_node_string(node, g_array_index(values, struct slice, i));
    }
    put_node_integer(node, (int64_t)names->len + 3 + (same ? 0 : (int64_t)names->len + 1));
    node->entries++;
}

static bool write_entry(struct reader *content, struct writing *writing, GArray *names, GArray *values)
{
    struct id id = take_id(content);
    uint64_t n = reader_varint(content);
    g_array_set_size(names, 0);
    g_array_set_size(values, 0);
    if (!content->ok || n == 0 || n > reader_left(content) || (writing->n > 0 && id_compare(writing->last, id) >= 0))
        return false;
    for (uint64_t i = 0; i < n; i++) {
        struct slice name = reader_prefixed(content), value = reader_prefixed(content);
        g_array_append_val(names, name);
        g_array_append_val(values, value);
    }
    if (!content->ok)
        return false;
    if (writing->n++ == 0)
        writing->first = id;
    writing->last = id;
    put_entry(writing, id, names, values);
    return true;
}

static bool write_entries(struct reader *content, struct writing *writing)
{
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(struct slice));
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(struct slice));
    uint64_t n = reader_varint(content);
    for (uint64_t i = 0; i < n; i++)
        if (!write_entry(content, writing, names, values))
            return false;
    end_node(writing);
    return content->ok;
}

/* Sorted names, each once. */
static bool take_name(struct reader *content, bool first, struct slice *io_last)
{
    struct slice name = reader_prefixed(content);
    bool ok = content->ok && (first || slice_compare(*io_last, name) < 0);
    *io_last = name;
    return ok;
}

static bool write_consumer(struct reader *content, GArray *pending, GByteArray *into)
{
    put_u64(into, reader_varint(content));
    uint64_t n = reader_varint(content);
    if (n > reader_left(content))
        return false;
    dump_put_len(into, n);
    for (uint64_t i = 0; i < n && content->ok; i++) {
        struct pending one = {.id = take_id(content)};
        one.delivered_ms = reader_varint(content);
        one.count = reader_varint(content);
        g_array_append_val(pending, one);
        dump_put_id(into, one.id.ms, one.id.seq);
    }
    return content->ok;
}

/* An entry is pending for one consumer only; all of the group's stand before the consumers. */
static bool write_pending(GArray *pending, GByteArray *into)
{
    g_array_sort(pending, by_id);
    dump_put_len(into, pending->len);
    for (guint i = 0; i < pending->len; i++) {
        const struct pending *one = &g_array_index(pending, struct pending, i);
        if (i > 0 && by_id(one - 1, one) == 0)
            return false;
        dump_put_id(into, one->id.ms, one->id.seq);
        put_u64(into, one->delivered_ms);
        dump_put_len(into, one->count);
    }
    return true;
}

static void put_lens(GByteArray *into, struct id id)
{
    dump_put_len(into, id.ms);
    dump_put_len(into, id.seq);
}

static bool write_group(struct reader *content, GByteArray *into)
{
    g_autoptr(GArray) pending = g_array_new(FALSE, FALSE, sizeof(struct pending));
    g_autoptr(GByteArray) consumers = g_byte_array_new();
    struct slice name = SLICE_EMPTY;
    put_lens(into, take_id(content));
    dump_put_len(into, reader_varint(content));
    uint64_t n = reader_varint(content);
    for (uint64_t i = 0; i < n; i++) {
        if (!take_name(content, i == 0, &name))
            return false;
        dump_put_string(consumers, name);
        if (!write_consumer(content, pending, consumers))
            return false;
    }
    if (!write_pending(pending, into))
        return false;
    dump_put_len(into, n);
    put_bytes(into, slice_of(consumers->data, consumers->len));
    return content->ok;
}

static bool write_groups(struct reader *content, GByteArray *into)
{
    struct slice name = SLICE_EMPTY;
    uint64_t n = reader_varint(content);
    dump_put_len(into, n);
    for (uint64_t i = 0; i < n; i++) {
        if (!take_name(content, i == 0, &name))
            return false;
        dump_put_string(into, name);
        if (!write_group(content, into))
            return false;
    }
    return content->ok && reader_left(content) == 0;
}

bool dump_write_stream(struct reader *content, GByteArray *into)
{
    struct writing writing = {.nodes = g_byte_array_new()};
    writing.node.bytes = g_byte_array_new();
    writing.node.fields = g_array_new(FALSE, FALSE, sizeof(struct slice));
    bool ok = write_entries(content, &writing);
    dump_put_len(into, writing.n_nodes);
    put_bytes(into, slice_of(writing.nodes->data, writing.nodes->len));
    g_byte_array_unref(writing.nodes);
    g_byte_array_unref(writing.node.bytes);
    g_array_unref(writing.node.fields);
    if (!ok)
        return false;
    dump_put_len(into, writing.n);
    put_lens(into, take_id(content));
    put_lens(into, writing.first);
    put_lens(into, take_id(content));
    dump_put_len(into, reader_varint(content));
    return write_groups(content, into);
}
