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
    into = put_digest(into, link->written);
    put_digest(into, link->pre);
}

void undo_link_get(const uint8_t from[UNDO_LINK_LEN], struct undo_link *ret)
{
    ret->key = get_digest(&from);
    ret->sequence = get_be(&from, 8);
    ret->spot = get_spot(&from);
    ret->flags = *from++;
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

/* The entries that stand, each upon what the one before it wrote: pushed in place, at the front of the array. What a
 * server lost and the run wrote once more stands upon what stood before the first time; a rollback that was lost and
 * done again leaves what it had left. */
static size_t standing_of(struct undo_link *links, size_t n)
{
    size_t standing = 0;
    for (size_t i = 0; i < n; i++) {
        const struct undo_link *link = &links[i];
        if (link->flags & UNDO_LINK_BACK) {
            bool again = standing && digest_equal(links[standing - 1].written, link->written);
            standing = again ? standing : left_after(links, standing, link);
            continue;
        }
        if (standing && !digest_equal(links[standing - 1].written, link->pre))
            standing = 0;
        links[standing++] = *link;
    }
    return standing;
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
