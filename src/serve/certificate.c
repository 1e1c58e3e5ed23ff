/* Who asks, by the certificate of their connection: one that the authority of --tls-ca has signed for clients, and of
 * which a name is that of a token (`token create --certificate NAME`). */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "serve/server.h"

#define NAME_BYTES 256 /* ACCESS_CERTIFICATE_LONGEST and its end */
G_STATIC_ASSERT(NAME_BYTES > ACCESS_CERTIFICATE_LONGEST);

static gnutls_session_t session_of(const struct request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info ? info->tls_session : NULL;
}

/* Signed, of now, and not made for a server alone. */
static bool is_trusted(gnutls_session_t session)
{
    static const char PURPOSE[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)PURPOSE};
    unsigned wrong = 0;
    return gnutls_certificate_verify_peers(session, &purpose, 1, &wrong) == 0 && wrong == 0;
}

/* One with a zero byte in it is none. */
static bool stands_for(struct tokens *tokens, const char *name, size_t len, struct who *io)
{
    if (len == 0 || strlen(name) != len)
        return false;
    tokens_look_certificate(tokens, name, io);
    return io->token != 0;
}

static bool look_common(gnutls_x509_crt_t certificate, struct tokens *tokens, struct who *io)
{
    char name[NAME_BYTES] = {0};
    size_t len = sizeof name - 1;
    return gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) == 0 &&
           stands_for(tokens, name, len, io);
}

static void look_others(gnutls_x509_crt_t certificate, struct tokens *tokens, struct who *io)
{
    int kind = 0;
    for (unsigned i = 0; io->token == 0 && kind != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
        char name[NAME_BYTES] = {0};
        size_t len = sizeof name - 1;
        kind = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &len, NULL);
        if (kind == GNUTLS_SAN_DNSNAME || kind == GNUTLS_SAN_RFC822NAME || kind == GNUTLS_SAN_URI)
            stands_for(tokens, name, len, io);
        else if (kind < 0 && kind != GNUTLS_E_SHORT_MEMORY_BUFFER)
            return;
    }
}

/* For whom it has to be asked again while a stream of theirs stands. */
static GPtrArray *chain_of(const gnutls_datum_t *given, unsigned n)
{
    GPtrArray *chain = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (unsigned i = 0; i < n; i++)
        g_ptr_array_add(chain, g_bytes_new(given[i].data, given[i].size));
    return chain;
}

bool certificate_look(const struct request *request, struct who *io)
{
    gnutls_session_t session = request->server->ca ? session_of(request) : NULL;
    unsigned n = 0;
    const gnutls_datum_t *given = session ? gnutls_certificate_get_peers(session, &n) : NULL;
    gnutls_x509_crt_t certificate;
    if (!given || n == 0)
        return false;
    if (!is_trusted(session) || !revoked_lets(request->server->revoked, given, n) ||
        gnutls_x509_crt_init(&certificate) != 0)
        return true;
    if (gnutls_x509_crt_import(certificate, &given[0], GNUTLS_X509_FMT_DER) == 0 &&
        !look_common(certificate, request->server->tokens, io))
        look_others(certificate, request->server->tokens, io);
    gnutls_x509_crt_deinit(certificate);
    if (request->server->revoked)
        io->chain = chain_of(given, n);
    return true;
}
