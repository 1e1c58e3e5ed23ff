#include "store/rocksdb/put_keys.h"

#include <glib.h>
#include <xxhash.h>

/* 8 MiB: of the ten bits that a key needs for one wrong answer in a hundred, 6.7 million keys have all. */
enum { LINE_WORDS = 8, LINES = 1 << 17, PROBES = 6, KEYS_MOST = 16 << 20 };

_Static_assert(sizeof(atomic_uint_fast64_t) == 8, "a line is 64 bytes");

struct put_keys {
    atomic_uint_fast64_t words[LINES][LINE_WORDS];
    atomic_uint_fast64_t noted;
};

/* The line and, by nine bits a probe, the bits in it. */
struct probe {
    atomic_uint_fast64_t *line;
    uint64_t bits;
};

static struct probe probe_of(struct put_keys *keys, struct slice key)
{
    uint64_t hash = XXH3_64bits(key.data, key.len);
    return (struct probe){.line = keys->words[hash % LINES], .bits = hash * UINT64_C(0x9e3779b97f4a7c15) >> 10};
}

static atomic_uint_fast64_t *probe_next(struct probe *probe, uint64_t *ret_mask)
{
    unsigned bit = probe->bits & 511u;
    probe->bits >>= 9;
    *ret_mask = UINT64_C(1) << (bit % 64);
    return &probe->line[bit / 64];
}

struct put_keys *put_keys_new(void)
{
    return g_new0(struct put_keys, 1);
}

void put_keys_free(struct put_keys *keys)
{
    g_free(keys);
}

void put_keys_note(struct put_keys *keys, struct slice key)
{
    struct probe probe = probe_of(keys, key);
    for (int i = 0; i < PROBES; i++) {
        uint64_t mask;
        atomic_uint_fast64_t *word = probe_next(&probe, &mask);
        atomic_fetch_or_explicit(word, mask, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&keys->noted, 1, memory_order_relaxed);
}

bool put_keys_lack(struct put_keys *keys, struct slice key)
{
    struct probe probe = probe_of(keys, key);
    if (atomic_load_explicit(&keys->noted, memory_order_relaxed) > KEYS_MOST)
        return false;
    for (int i = 0; i < PROBES; i++) {
        uint64_t mask;
        atomic_uint_fast64_t *word = probe_next(&probe, &mask);
        if (!(atomic_load_explicit(word, memory_order_relaxed) & mask))
            return true;
    }
    return false;
}
