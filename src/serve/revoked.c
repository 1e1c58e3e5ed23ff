/* --tls-crl: which certificates of clients their authority has taken back. What cannot be read, is not signed by an
 * authority of --tls-ca, or has passed its time lets nobody in until a good one stands in its place. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "base/file.h"
#include "serve/server.h"

#define LIST_MOST  (16u << 20)
#define CHAIN_MOST 16u /* what GnuTLS takes of a peer at the most */

struct revoked {
    const struct world *world;
    const char *path;
    gnutls_x509_crt_t *signers; /* those of --tls-ca; after the beginning nobody writes them */
    unsigned n_signers;
    pthread_mutex_t lock; /* what follows; a leaf */
    GBytes *bytes;        /* of the file, as it was read last; NULL: it could not be */
    gnutls_x509_crl_t *lists;
    unsigned n_lists; /* 0: there is no good one */
    uint64_t turn;    /* how many there have been */
};

static void drop_lists(gnutls_x509_crl_t *lists, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crl_deinit(lists[i]);
    gnutls_free(lists);
}

void revoked_free(struct revoked *revoked)
{
    if (!revoked)
        return;
    drop_lists(revoked->lists, revoked->n_lists);
    for (unsigned i = 0; i < revoked->n_signers; i++)
        gnutls_x509_crt_deinit(revoked->signers[i]);
    gnutls_free(revoked->signers);
    g_clear_pointer(&revoked->bytes, g_bytes_unref);
    pthread_mutex_destroy(&revoked->lock);
    g_free(revoked);
}

static gnutls_datum_t datum_of(GBytes *bytes)
{
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)data, .size = (unsigned)len};
}

/* Its next one is due later than now. */
static bool is_current(const struct revoked *revoked, gnutls_x509_crl_t list)
{
    int64_t due_s = gnutls_x509_crl_get_next_update(list);
    return due_s < 0 || due_s > world_wall_ms(revoked->world) / 1000;
}

/* Each of them signed and current, or none is taken. */
static bool take_lists(struct revoked *revoked, GBytes *bytes, gnutls_x509_crl_t **ret, unsigned *ret_n, GError **error)
{
    gnutls_datum_t text = datum_of(bytes);
    gnutls_x509_crl_t *lists = NULL;
    unsigned n = 0, wrong = 0;
    const char *why = "it holds no list of revoked certificates, PEM";
    bool good = gnutls_x509_crl_list_import2(&lists, &n, &text, GNUTLS_X509_FMT_PEM, 0) >= 0 && n > 0;
    for (unsigned i = 0; good && i < n; i++) {
        good = is_current(revoked, lists[i]);
        why = good ? "no authority of --tls-ca has signed it" : "it has expired: its authority has to make another";
        good = good && gnutls_x509_crl_verify(lists[i], revoked->signers, revoked->n_signers, 0, &wrong) == 0 &&
               wrong == 0;
    }
    if (!good) {
        drop_lists(lists, n);
        return error_set(error, SLUICE_ERROR_USAGE, "--tls-crl %s: %s", revoked->path, why);
    }
    *ret = lists;
    *ret_n = n;
    return true;
}

/* A good one that is as it was is not looked at again. */
static bool read_again(struct revoked *revoked, GError **error)
{
    GBytes *bytes = NULL;
    gnutls_x509_crl_t *lists = NULL;
    unsigned n = 0;
    bool read = file_read_all(revoked->world, revoked->path, LIST_MOST, &bytes, error) || error_add(error, "--tls-crl");
    if (read && revoked->n_lists > 0 && g_bytes_equal(bytes, revoked->bytes)) {
        g_bytes_unref(bytes);
        return true;
    }
    bool taken = read && take_lists(revoked, bytes, &lists, &n, error);
    auto_hold(&revoked->lock);
    drop_lists(revoked->lists, revoked->n_lists);
    g_clear_pointer(&revoked->bytes, g_bytes_unref);
    revoked->bytes = bytes;
    revoked->lists = lists;
    revoked->n_lists = n;
    revoked->turn++;
    return taken;
}

bool revoked_open(struct revoked **ret, const struct revoked_wish *wish, GError **error)
{
    struct revoked *revoked = g_new0(struct revoked, 1);
    gnutls_datum_t ca = {.data = (unsigned char *)(uintptr_t)wish->ca, .size = (unsigned)strlen(wish->ca)};
    revoked->world = wish->world;
    revoked->path = wish->path;
    pthread_mutex_init(&revoked->lock, NULL);
    bool known = gnutls_x509_crt_list_import2(&revoked->signers, &revoked->n_signers, &ca, GNUTLS_X509_FMT_PEM, 0) >= 0;
    if (!known)
        error_set(error, SLUICE_ERROR_USAGE, "--tls-ca: it holds no certificate, PEM");
    if (known && read_again(revoked, error)) {
        *ret = revoked;
        return true;
    }
    revoked_free(revoked);
    return false;
}

void revoked_tick(struct revoked *revoked)
{
    if (revoked)
        read_again(revoked, NULL);
}

bool revoked_stands(struct revoked *revoked)
{
    auto_hold(&revoked->lock);
    bool stands = revoked->n_lists > 0;
    for (unsigned i = 0; stands && i < revoked->n_lists; i++)
        stands = is_current(revoked, revoked->lists[i]);
    return stands;
}

/* Of the authority that has made it there has to be a list. */
static bool is_covered(const struct revoked *revoked, gnutls_x509_crt_t certificate)
{
    for (unsigned i = 0; i < revoked->n_lists; i++) {
        gnutls_datum_t made = {0}, listed = {0};
        bool same = gnutls_x509_crt_get_raw_issuer_dn(certificate, &made) == 0 &&
                    gnutls_x509_crl_get_raw_issuer_dn(revoked->lists[i], &listed) == 0 && made.size == listed.size &&
                    memcmp(made.data, listed.data, made.size) == 0;
        gnutls_free(made.data);
        gnutls_free(listed.data);
        if (same)
            return true;
    }
    return false;
}

static bool is_free(const struct revoked *revoked, const gnutls_datum_t *given, bool own)
{
    gnutls_x509_crt_t certificate;
    if (gnutls_x509_crt_init(&certificate) != 0)
        return false;
    bool ok = gnutls_x509_crt_import(certificate, given, GNUTLS_X509_FMT_DER) == 0 &&
              (!own || is_covered(revoked, certificate)) &&
              gnutls_x509_crt_check_revocation(certificate, revoked->lists, revoked->n_lists) == 0;
    gnutls_x509_crt_deinit(certificate);
    return ok;
}

bool revoked_lets(struct revoked *revoked, const gnutls_datum_t *chain, unsigned n)
{
    if (!revoked)
        return true;
    if (!revoked_stands(revoked))
        return false;
    auto_hold(&revoked->lock);
    bool ok = revoked->n_lists > 0;
    for (unsigned i = 0; ok && i < n; i++)
        ok = is_free(revoked, &chain[i], i == 0);
    return ok;
}

static uint64_t turn_of(struct revoked *revoked)
{
    auto_hold(&revoked->lock);
    return revoked->turn;
}

bool revoked_still_lets(struct revoked *revoked, const GPtrArray *chain, uint64_t *io_turn)
{
    gnutls_datum_t given[CHAIN_MOST];
    if (!revoked || !chain)
        return true;
    uint64_t turn = turn_of(revoked);
    if (!revoked_stands(revoked) || chain->len > CHAIN_MOST)
        return false;
    if (turn == *io_turn)
        return true;
    for (guint i = 0; i < chain->len; i++)
        given[i] = datum_of(chain->pdata[i]);
    *io_turn = turn;
    return revoked_lets(revoked, given, chain->len);
}
