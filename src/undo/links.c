#include "undo/links.h"

/* Big-endian, so that bytewise order is numeric order. */
static uint8_t *put_be(uint8_t *into, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        into[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    return into + width;
}

static uint64_t get_be(const uint8_t **io, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value = value << 8 | (*io)[i];
    *io += width;
    return value;
}

static uint8_t *put_digest(uint8_t *into, struct digest digest)
{
    digest_put(digest, into);
    return into + 16;
}

static struct digest get_digest(const uint8_t **io)
{
    struct digest digest = digest_get(*io);
    *io += 16;
    return digest;
}

static uint8_t *put_spot(uint8_t *into, const struct undo_spot *spot)
{
    into = put_be(into, spot->at.segment, 4);
    into = put_be(into, spot->at.offset, 8);
    return put_be(into, spot->entry, 4);
}

static struct undo_spot get_spot(const uint8_t **io)
{
    struct undo_spot spot;
    spot.at.segment = (uint32_t)get_be(io, 4);
    spot.at.offset = get_be(io, 8);
    spot.entry = (uint32_t)get_be(io, 4);
    return spot;
}

void undo_link_put(const struct undo_link *link, uint8_t into[UNDO_LINK_LEN])
{
    into = put_digest(into, link->key);
    into = put_be(into, link->sequence, 8);
    into = put_spot(into, &link->spot);
    *into++ = link->flags;
    into = put_be(into, link->part, 4);
    into = put_be(into, link->open_from, 8);
    into = put_digest(into, link->written);
    put_digest(into, link->pre);
}

void undo_link_get(const uint8_t from[UNDO_LINK_LEN], struct undo_link *ret)
{
    ret->key = get_digest(&from);
    ret->sequence = get_be(&from, 8);
    ret->spot = get_spot(&from);
    ret->flags = *from++;
    ret->part = (uint32_t)get_be(&from, 4);
    ret->open_from = get_be(&from, 8);
    ret->written = get_digest(&from);
    ret->pre = get_digest(&from);
}

void undo_turn_put(const struct undo_turn *turn, uint8_t into[UNDO_TURN_LEN])
{
    put_digest(put_spot(into, &turn->spot), turn->written);
}

void undo_turn_get(const uint8_t from[UNDO_TURN_LEN], struct undo_turn *ret)
{
    ret->spot = get_spot(&from);
    ret->written = get_digest(&from);
}

static bool is_absent(struct digest digest)
{
    return digest.low == 0 && digest.high == 0;
}

/* Whether undoing `link` gives what the rollback left: its pre-image, or nothing where that has expired meanwhile. */
static bool undone_by(const struct undo_link *link, const struct undo_link *back)
{
    return digest_equal(link->pre, back->written) || (is_absent(back->written) && link->flags & UNDO_LINK_PRE_EXPIRES);
}

/* How many of the standing entries are left when a rollback has written over the topmost: those below the one whose
 * undoing gives what it wrote. */
static size_t left_after(const struct undo_link *standing, size_t n, const struct undo_link *back)
{
    while (n > 0 && !undone_by(&standing[n - 1], back))
        n--;
    return n > 0 ? n - 1 : 0;
}

/* The entries that stand, each upon what the one before it wrote: at the front of the array. */
struct standing {
    struct undo_link *links;
    size_t n;
    GArray *other;   /* of struct undo_link; empty: there is none */
    size_t fork;     /* where it begins: on what the entry at this place stands on, too */
    bool first_late; /* that entry may have been written when all of `other` was */
    bool on_other;   /* where the last entry went, and since which one of those there all went there */
    size_t since;
};

/* Of an entry at least. */
static struct undo_link *top_of(const struct standing *standing)
{
    return &standing->links[standing->n - 1];
}

static struct undo_link *top_of_other(const struct standing *standing)
{
    GArray *other = standing->other;
    return &g_array_index(other, struct undo_link, other->len - 1);
}

static bool stands_on(const struct undo_link *link, const struct undo_link *top)
{
    return digest_equal(top->written, link->pre);
}

/* Partitions log in one order and write in another: what one of them had logged upon what stood there it may have
 * written when others had put that very thing (nothing, as a rule) back in between. Of one partition the order is
 * certain, and so is that of what had been answered when the other was logged. */
static bool may_be_later(const struct undo_link *logged, const struct undo_link *than)
{
    return logged->part != than->part && logged->sequence >= than->open_from;
}

static bool forks(struct standing *standing, const struct undo_link *link)
{
    size_t at = standing->n;
    while (at > 0 && !digest_equal(standing->links[at - 1].pre, link->pre))
        at--;
    if (at == 0)
        return false;
    standing->fork = at - 1;
    standing->first_late = may_be_later(&standing->links[at - 1], link);
    standing->on_other = true;
    standing->since = 0;
    g_array_append_val(standing->other, *link);
    return true;
}

static void drop_before(struct standing *standing, size_t first)
{
    standing->n -= first;
    memmove(standing->links, &standing->links[first], standing->n * sizeof *standing->links);
}

static void append_other(struct standing *standing)
{
    GArray *other = standing->other;
    memcpy(&standing->links[standing->n], other->data, other->len * sizeof *standing->links);
    standing->n += other->len;
}

/* The one that came back to where both began was the first, if the other can have been the later one. Else something
 * else has put it back, and what was logged last stands on that. */
static void join(struct standing *standing)
{
    GArray *other = standing->other;
    if (other->len == 0)
        return;
    const struct undo_link *first = &standing->links[standing->fork];
    bool grown = !standing->on_other || standing->since > 0;
    if (grown && stands_on(first, top_of(standing))) {
        append_other(standing);
    } else if (standing->first_late && stands_on(first, top_of_other(standing))) {
        g_array_append_vals(other, first, (guint)(standing->n - standing->fork));
        standing->n = standing->fork;
        append_other(standing);
    } else if (standing->on_other) {
        standing->n = 0;
        append_other(standing);
        drop_before(standing, standing->since);
    } else {
        drop_before(standing, standing->since);
    }
    g_array_set_size(other, 0);
}

static void put_back(struct standing *standing, const struct undo_link *back)
{
    join(standing);
    if (standing->n == 0 || !digest_equal(top_of(standing)->written, back->written))
        standing->n = left_after(standing->links, standing->n, back);
}

/* Whether it went on one of the two. */
static bool put_on_fork(struct standing *standing, const struct undo_link *link)
{
    GArray *other = standing->other;
    if (other->len == 0)
        return false;
    bool on_other = stands_on(link, top_of_other(standing));
    if (!on_other &&
        (!stands_on(link, top_of(standing)) || !may_be_later(&g_array_index(other, struct undo_link, 0), link)))
        return false;
    if (on_other != standing->on_other)
        standing->since = on_other ? other->len : standing->n;
    standing->on_other = on_other;
    if (on_other)
        g_array_append_val(other, *link);
    else
        standing->links[standing->n++] = *link;
    return true;
}

static void put_link(struct standing *standing, const struct undo_link *link)
{
    if (put_on_fork(standing, link))
        return;
    join(standing);
    bool on_top = standing->n == 0 || stands_on(link, top_of(standing));
    if (!on_top && forks(standing, link))
        return;
    if (!on_top)
        standing->n = 0;
    standing->links[standing->n++] = *link;
}

/* What a server lost and the run wrote once more stands upon what stood before the first time; a rollback that was lost
 * and done again leaves what it had left. */
static size_t standing_of(struct undo_link *links, size_t n)
{
    g_autoptr(GArray) other = g_array_new(FALSE, FALSE, sizeof *links);
    struct standing standing = {.links = links, .other = other};
    for (size_t i = 0; i < n; i++) {
        const struct undo_link link = links[i];
        (link.flags & UNDO_LINK_BACK ? put_back : put_link)(&standing, &link);
    }
    join(&standing);
    return standing.n;
}

bool undo_turn_of(struct undo_link *links, size_t n, struct undo_turn *ret)
{
    size_t top = standing_of(links, n);
    while (top > 0 && !(links[top - 1].flags & UNDO_LINK_ASKED))
        top--;
    size_t bottom = top;
    while (bottom > 0 && links[bottom - 1].flags & UNDO_LINK_ASKED)
        bottom--;
    if (bottom == top)
        return false;
    *ret = (struct undo_turn){.spot = links[bottom].spot, .written = links[top - 1].written};
    return true;
}
