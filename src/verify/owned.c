/* Whose the records of a scan are, where no key tells: digests of their keys, sorted, merged with the owners that the
 * gates wrote down. */
#include "base/extsort.h"
#include "verify/verify_parts.h"

/* The files of the gates, each at its next key. */
struct owners {
    struct owners_reader **readers;
    struct owner *next;
    bool *more;
    size_t n;
    struct owned_parts parts;
};

static bool go_on(struct owners *owners, size_t i, GError **error)
{
    if (!owners_reader_next(owners->readers[i], &owners->next[i], &owners->more[i], error))
        return false;
    if (owners->more[i])
        owned_parts_count(&owners->parts, owners->next[i].part);
    return true;
}

static bool owners_open(struct owners *owners, const struct verify_input *input, GError **error)
{
    *owners = (struct owners){.readers = g_new0(struct owners_reader *, input->n_owners),
                              .next = g_new0(struct owner, input->n_owners),
                              .more = g_new0(bool, input->n_owners)};
    owned_parts_init(&owners->parts, input);
    for (; owners->n < input->n_owners; owners->n++)
        if (!owners_reader_open(&owners->readers[owners->n], input->world, input->owners[owners->n], error) ||
            !go_on(owners, owners->n, error))
            return false;
    return true;
}

static void owners_done(struct owners *owners, size_t n)
{
    for (size_t i = 0; i < n; i++)
        owners_reader_free(owners->readers[i]);
    g_free(owners->readers);
    g_free(owners->next);
    g_free(owners->more);
    owned_parts_done(&owners->parts);
}

/* Asked for in ascending order. *ret: the place of its partition; OWNED_NOWHERE: it is nobody's, or of one that has no
 * sum. */
static bool find(struct owners *owners, const uint8_t *key, size_t *ret, GError **error)
{
    *ret = OWNED_NOWHERE;
    for (size_t i = 0; i < owners->n; i++) {
        int order = 1;
        while (owners->more[i] && (order = memcmp(owners->next[i].key, key, 16)) < 0)
            if (!go_on(owners, i, error))
                return false;
        if (owners->more[i] && order == 0)
            *ret = owned_parts_place(&owners->parts, owners->next[i].part);
    }
    return true;
}

/* Those behind the last key that was asked for are counted. */
static bool go_to_the_end(struct owners *owners, GError **error)
{
    for (size_t i = 0; i < owners->n; i++)
        while (owners->more[i])
            if (!go_on(owners, i, error))
                return false;
    return true;
}

static bool merge(struct owners *owners, struct extsort *sort, struct set_digest *sums, GError **error)
{
    const uint8_t *item;
    size_t at;
    bool ok = extsort_finish(sort, error);
    while (ok && (ok = extsort_next(sort, &item, error)) && item) {
        ok = find(owners, item, &at, error);
        if (ok && at != OWNED_NOWHERE)
            set_digest_add(&sums[at], digest_get(item + 16));
    }
    return ok && go_to_the_end(owners, error);
}

bool owned_merge(const struct verify_input *input, struct extsort *sort, struct set_digest *sums, bool *ret_said,
                 GError **error)
{
    struct owners owners;
    g_autoptr(GError) failed = NULL;
    *ret_said = false;
    bool read = owners_open(&owners, input, &failed) && merge(&owners, sort, sums, &failed);
    bool ok = read ? owned_parts_whole(&owners.parts, ret_said, error) : verify_kept_says_nothing(&failed, error);
    owners_done(&owners, input->n_owners);
    return ok;
}
