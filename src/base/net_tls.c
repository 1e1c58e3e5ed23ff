#include "base/net_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

enum { READ_AHEAD_BYTES = 64 * 1024 };

struct net_tls_link {
    struct net_wire *wire;
    BIO_METHOD *method;
    SSL_CTX *context;
    SSL *ssl;
    bool failed; /* after a failure of its own nothing more may be said */
};

/* What the other side's refusals mean to the one who set TLS up. Reasons that are not here are told as they are. */
static const struct {
    int reason;
    enum error_code code;
    const char *words;
} reason_rows[] = {
    {SSL_R_WRONG_VERSION_NUMBER, SLUICE_ERROR_UNREACHABLE, "what answers does not speak TLS; is this its TLS port?"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SLUICE_ERROR_NOT_PERMITTED, "the server asks for a client certificate"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, SLUICE_ERROR_NOT_PERMITTED,
     "the server refuses the handshake; it may ask for a client certificate"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, SLUICE_ERROR_NOT_PERMITTED, "the server does not know who signed our certificate"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SLUICE_ERROR_NOT_PERMITTED, "the server refuses our certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SLUICE_ERROR_NOT_PERMITTED, "our certificate has expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SLUICE_ERROR_NOT_PERMITTED, "our certificate has been revoked"},
};

/* --- the wire, as OpenSSL sees it --------------------------------------------------------------------------------- */

static int wire_moved(BIO *bio, int64_t moved, void (*again)(BIO *bio))
{
    struct net_wire *wire = BIO_get_data(bio);
    if (moved >= 0)
        return (int)moved;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        again(bio);
    else
        wire->fault = errno;
    return -1;
}

static void again_later_read(BIO *bio)
{
    BIO_set_retry_read(bio);
}

static void again_later_write(BIO *bio)
{
    BIO_set_retry_write(bio);
}

static int wire_write(BIO *bio, const char *from, int len)
{
    struct net_wire *wire = BIO_get_data(bio);
    const struct world *world = wire->world;
    int64_t sent;
    BIO_clear_retry_flags(bio);
    do
        sent = world->net->send(world->net_self, wire->fd, from, (size_t)len);
    while (sent < 0 && errno == EINTR);
    return wire_moved(bio, sent, again_later_write);
}

static int wire_read(BIO *bio, char *into, int len)
{
    struct net_wire *wire = BIO_get_data(bio);
    const struct world *world = wire->world;
    int64_t got;
    BIO_clear_retry_flags(bio);
    do
        got = world->net->recv(world->net_self, wire->fd, into, (size_t)len);
    while (got < 0 && errno == EINTR);
    wire->closed |= got == 0;
    return wire_moved(bio, got, again_later_read);
}

static long wire_control(BIO *bio, int what, long number, void *pointer)
{
    const struct net_wire *wire = BIO_get_data(bio);
    if (what == BIO_CTRL_EOF)
        return wire->closed;
    return what == BIO_CTRL_FLUSH; /* nothing is kept back */
}

/* --- what went wrong ---------------------------------------------------------------------------------------------- */

bool net_wire_fail(const struct net_wire *wire, GError **error)
{
    if (wire->fault == ETIMEDOUT)
        return error_set(error, SLUICE_ERROR_TIMED_OUT, "%s", g_strerror(wire->fault));
    return error_set(error, SLUICE_ERROR_UNREACHABLE, "%s",
                     wire->fault ? g_strerror(wire->fault) : "the other side closed the connection");
}

static bool verify_fail(const struct net_tls_link *link, GError **error)
{
    long reason = SSL_get_verify_result(link->ssl);
    return error_set(error, SLUICE_ERROR_NOT_PERMITTED, "the server's certificate does not hold: %s",
                     X509_verify_cert_error_string(reason));
}

static bool reason_fail(int reason, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(reason_rows); i++)
        if (reason_rows[i].reason == reason)
            return error_set(error, reason_rows[i].code, "TLS: %s", reason_rows[i].words);
    const char *words = ERR_reason_error_string(ERR_peek_error());
    return error_set(error, SLUICE_ERROR_UNREACHABLE, "TLS: %s", words ? words : "failed, and nobody says why");
}

/* What the other side has said comes before what the wire says of it. */
static bool link_fail(struct net_tls_link *link, int failure, GError **error)
{
    int reason = failure == SSL_ERROR_SSL ? ERR_GET_REASON(ERR_peek_error()) : 0;
    link->failed = true;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        verify_fail(link, error);
    else if (reason && reason != SSL_R_UNEXPECTED_EOF_WHILE_READING)
        reason_fail(reason, error);
    else
        net_wire_fail(link->wire, error);
    ERR_clear_error();
    return false;
}

/* After a call that did not go: what to wait for, or why it never will. */
static bool link_waits(struct net_tls_link *link, int result, short *ret_event, GError **error)
{
    int failure = SSL_get_error(link->ssl, result);
    if (failure != SSL_ERROR_WANT_READ && failure != SSL_ERROR_WANT_WRITE)
        return link_fail(link, failure, error);
    *ret_event = failure == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    return true;
}

/* --- making one --------------------------------------------------------------------------------------------------- */

static bool file_fail(const char *what, const char *path, GError **error)
{
    const char *words = ERR_reason_error_string(ERR_peek_last_error());
    error_set(error, SLUICE_ERROR_NOT_PERMITTED, "TLS: %s '%s': %s", what, path, words ? words : "cannot be used");
    ERR_clear_error();
    return false;
}

static bool load_trust(SSL_CTX *context, const struct net_tls *tls, GError **error)
{
    if (tls->ca_file && !SSL_CTX_load_verify_file(context, tls->ca_file))
        return file_fail("the CA file", tls->ca_file, error);
    if (tls->ca_dir && !SSL_CTX_load_verify_dir(context, tls->ca_dir))
        return file_fail("the CA directory", tls->ca_dir, error);
    if (!tls->ca_file && !tls->ca_dir && !SSL_CTX_set_default_verify_paths(context))
        return file_fail("the CAs of", "the system", error);
    SSL_CTX_set_verify(context, tls->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return true;
}

static bool load_own(SSL_CTX *context, const struct net_tls *tls, GError **error)
{
    if (!tls->cert_file)
        return true;
    const char *key = tls->key_file ? tls->key_file : tls->cert_file;
    if (!SSL_CTX_use_certificate_chain_file(context, tls->cert_file))
        return file_fail("the certificate", tls->cert_file, error);
    return SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) || file_fail("the key", key, error);
}

static bool is_address(const char *name)
{
    unsigned char number[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, number) == 1 || inet_pton(AF_INET6, name, number) == 1;
}

/* What the certificate must be for. A name is also what SNI says; an address may not stand there. */
static bool expect_name(SSL *ssl, const char *name)
{
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

static BIO *wire_bio(struct net_tls_link *link)
{
    link->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sluice");
    BIO_meth_set_write(link->method, wire_write);
    BIO_meth_set_read(link->method, wire_read);
    BIO_meth_set_ctrl(link->method, wire_control);
    BIO *bio = BIO_new(link->method);
    BIO_set_data(bio, link->wire);
    BIO_set_init(bio, 1);
    return bio;
}

static bool link_begin(struct net_tls_link *link, const struct net_tls *tls, const char *name, GError **error)
{
    SSL_CTX_set_min_proto_version(link->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(link->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_read_buffer_len(link->context, READ_AHEAD_BYTES);
    SSL_CTX_set_read_ahead(link->context, 1);
    if (!load_trust(link->context, tls, error) || !load_own(link->context, tls, error))
        return false;
    link->ssl = SSL_new(link->context);
    if (!expect_name(link->ssl, name))
        return error_set(error, SLUICE_ERROR_USAGE, "TLS: '%s' cannot be the name of a server", name);
    BIO *bio = wire_bio(link);
    SSL_set_bio(link->ssl, bio, bio);
    SSL_set_connect_state(link->ssl);
    return true;
}

bool net_tls_new(struct net_tls_link **ret, const struct net_place *place, struct net_wire *wire, GError **error)
{
    struct net_tls_link *link = g_new0(struct net_tls_link, 1);
    ERR_clear_error();
    link->wire = wire;
    link->context = SSL_CTX_new(TLS_client_method());
    if (!link->context)
        g_error("OpenSSL has no memory for a connection, or is broken");
    link->failed = true; /* until hands are shaken there is no one to say good-bye to */
    if (!link_begin(link, place->tls, place->tls->server_name ? place->tls->server_name : place->host, error)) {
        net_tls_free(link);
        return false;
    }
    *ret = link;
    return true;
}

void net_tls_free(struct net_tls_link *link)
{
    if (!link)
        return;
    if (!link->failed)
        SSL_shutdown(link->ssl);
    SSL_free(link->ssl);
    SSL_CTX_free(link->context);
    BIO_meth_free(link->method);
    ERR_clear_error();
    g_free(link);
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

bool net_tls_shake(struct net_tls_link *link, short *ret_event, GError **error)
{
    ERR_clear_error();
    int result = SSL_do_handshake(link->ssl);
    if (result != 1)
        return link_waits(link, result, ret_event, error);
    link->failed = false;
    *ret_event = 0;
    return true;
}

static int cut_to_int(size_t len)
{
    return len > INT_MAX ? INT_MAX : (int)len;
}

bool net_tls_send(struct net_tls_link *link, struct slice bytes, size_t *ret, short *ret_event, GError **error)
{
    size_t sent = 0;
    short event = 0;
    ERR_clear_error();
    while (sent < bytes.len && !event) {
        int result = SSL_write(link->ssl, bytes.data + sent, cut_to_int(bytes.len - sent));
        if (result > 0)
            sent += (size_t)result;
        else if (!link_waits(link, result, &event, error))
            return false;
    }
    *ret = sent;
    *ret_event = event;
    return true;
}

/* What came before a failure is given first; the failure comes again with the next call. */
bool net_tls_receive(struct net_tls_link *link, void *into, size_t len, size_t *ret, short *ret_event, GError **error)
{
    size_t got = 0;
    short event = 0;
    ERR_clear_error();
    while (got < len && !event) {
        int result = SSL_read(link->ssl, (uint8_t *)into + got, cut_to_int(len - got));
        if (result > 0)
            got += (size_t)result;
        else if (!link_waits(link, result, &event, got ? NULL : error))
            break;
    }
    if (!got && !event && len)
        return false;
    *ret = got;
    *ret_event = event;
    return true;
}
