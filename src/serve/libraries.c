/* libmicrohttpd and GnuTLS, loaded with the server: see base/later.h. */
#include "serve/libraries.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <stdarg.h>

static struct later http = {.file = "libmicrohttpd.so.12", .package = "libmicrohttpd12"};
static struct later tls = {.file = "libgnutls.so.30", .package = "libgnutls30"};

bool libraries_load(GError **error)
{
    return later_load(&http, error) && later_load(&tls, error);
}

/* --- libmicrohttpd ------------------------------------------------------------------------------------------------ */

#define HTTP(returns, name, parameters, arguments) LATER(http, returns, name, parameters, arguments)

#if MHD_VERSION >= 0x00097601
typedef const void response_bytes;
#else
typedef void response_bytes;
#endif

HTTP(const union MHD_ConnectionInfo *, MHD_get_connection_info,
     (struct MHD_Connection * connection, enum MHD_ConnectionInfoType type, ...), (connection, type))
HTTP(const union MHD_DaemonInfo *, MHD_get_daemon_info, (struct MHD_Daemon * daemon, enum MHD_DaemonInfoType type, ...),
     (daemon, type))
HTTP(int, MHD_get_connection_values,
     (struct MHD_Connection * connection, enum MHD_ValueKind kind, MHD_KeyValueIterator each, void *self),
     (connection, kind, each, self))
HTTP(const char *, MHD_lookup_connection_value,
     (struct MHD_Connection * connection, enum MHD_ValueKind kind, const char *key), (connection, kind, key))
HTTP(void, MHD_suspend_connection, (struct MHD_Connection * connection), (connection))
HTTP(void, MHD_resume_connection, (struct MHD_Connection * connection), (connection))
HTTP(struct MHD_Response *, MHD_create_response_from_buffer_with_free_callback_cls,
     (size_t size, response_bytes *bytes, MHD_ContentReaderFreeCallback done, void *self), (size, bytes, done, self))
HTTP(struct MHD_Response *, MHD_create_response_from_callback,
     (uint64_t size, size_t block, MHD_ContentReaderCallback read, void *self, MHD_ContentReaderFreeCallback done),
     (size, block, read, self, done))
HTTP(enum MHD_Result, MHD_add_response_header, (struct MHD_Response * response, const char *name, const char *value),
     (response, name, value))
HTTP(enum MHD_Result, MHD_queue_response,
     (struct MHD_Connection * connection, unsigned status, struct MHD_Response *response),
     (connection, status, response))
HTTP(void, MHD_destroy_response, (struct MHD_Response * response), (response))
HTTP(MHD_socket, MHD_quiesce_daemon, (struct MHD_Daemon * daemon), (daemon))
HTTP(void, MHD_stop_daemon, (struct MHD_Daemon * daemon), (daemon))
HTTP(struct MHD_Daemon *, MHD_start_daemon_va,
     (unsigned flags, uint16_t port, MHD_AcceptPolicyCallback may, void *may_self, MHD_AccessHandlerCallback on_request,
      void *self, va_list options),
     (flags, port, may, may_self, on_request, self, options))

struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback may, void *may_self,
                                    MHD_AccessHandlerCallback on_request, void *self, ...)
{
    va_list options;
    va_start(options, self);
    struct MHD_Daemon *daemon = MHD_start_daemon_va(flags, port, may, may_self, on_request, self, options);
    va_end(options);
    return daemon;
}

/* --- GnuTLS ------------------------------------------------------------------------------------------------------- */

#define TLS(returns, name, parameters, arguments) LATER(tls, returns, name, parameters, arguments)

TLS(const gnutls_datum_t *, gnutls_certificate_get_peers, (gnutls_session_t session, unsigned *ret_n), (session, ret_n))
TLS(int, gnutls_certificate_verify_peers,
    (gnutls_session_t session, gnutls_typed_vdata_st *data, unsigned n, unsigned *ret_status),
    (session, data, n, ret_status))
TLS(int, gnutls_x509_crt_init, (gnutls_x509_crt_t * ret), (ret))
TLS(void, gnutls_x509_crt_deinit, (gnutls_x509_crt_t certificate), (certificate))
TLS(int, gnutls_x509_crt_import,
    (gnutls_x509_crt_t certificate, const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format),
    (certificate, data, format))
TLS(int, gnutls_x509_crt_list_import2,
    (gnutls_x509_crt_t * *ret, unsigned *ret_n, const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format,
     unsigned flags),
    (ret, ret_n, data, format, flags))
TLS(int, gnutls_x509_crt_check_revocation, (gnutls_x509_crt_t certificate, const gnutls_x509_crl_t *lists, unsigned n),
    (certificate, lists, n))
TLS(int, gnutls_x509_crt_get_dn_by_oid,
    (gnutls_x509_crt_t certificate, const char *oid, unsigned i, unsigned raw, void *into, size_t *io_len),
    (certificate, oid, i, raw, into, io_len))
TLS(int, gnutls_x509_crt_get_raw_issuer_dn, (gnutls_x509_crt_t certificate, gnutls_datum_t *ret), (certificate, ret))
TLS(int, gnutls_x509_crt_get_subject_alt_name,
    (gnutls_x509_crt_t certificate, unsigned i, void *into, size_t *io_len, unsigned *ret_critical),
    (certificate, i, into, io_len, ret_critical))
TLS(void, gnutls_x509_crl_deinit, (gnutls_x509_crl_t list), (list))
TLS(int, gnutls_x509_crl_list_import2,
    (gnutls_x509_crl_t * *ret, unsigned *ret_n, const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format,
     unsigned flags),
    (ret, ret_n, data, format, flags))
TLS(int, gnutls_x509_crl_verify,
    (gnutls_x509_crl_t list, const gnutls_x509_crt_t *signers, unsigned n, unsigned flags, unsigned *ret_status),
    (list, signers, n, flags, ret_status))
TLS(int, gnutls_x509_crl_get_raw_issuer_dn, (gnutls_x509_crl_t list, gnutls_datum_t *ret), (list, ret))
TLS(time_t, gnutls_x509_crl_get_next_update, (gnutls_x509_crl_t list), (list))

/* The library's is a variable that holds a function. */
static void free_theirs(void *memory)
{
    if (memory)
        (*(gnutls_free_function *)later_find(&tls, "gnutls_free"))(memory);
}
gnutls_free_function gnutls_free = free_theirs;
