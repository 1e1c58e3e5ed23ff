/* What a valkey:// or redis:// URI says. Pure. Secrets have been replaced before; no message repeats user or password.
 */
#pragma once

#include "base/error.h"
#include "base/net.h"

struct valkey_host {
    char *host;
    uint16_t port; /* 6379 where none is given; 26379 with a sentinel */
};

struct valkey_uri {
    struct valkey_host *hosts;
    size_t n_hosts;
    char *user, *password; /* NULL: none; percent-decoded */
    uint32_t db;
    bool tls;
    char *sentinel; /* NULL: none; the master's name */
    char *sentinel_user, *sentinel_password;
    struct net_tls tls_files; /* ?ca=, ?cert=, ?key=, ?server_name=, ?insecure=1; relative to base_dir */
    int64_t timeout_ms;       /* ?timeout=: of one call to one node; 5,000 */
    int64_t failover_ms;      /* ?failover=: how long a failover may take; 30,000 */
    uint32_t protocol;        /* ?protocol=2|3; 0: 3 where the server speaks it */
    char *client_name;        /* what CLIENT LIST shows; "sluice" unless whoever opens the store knows better */
};

/* USAGE names what is wrong with which part, and the nearest option of an unknown one. */
bool valkey_uri_parse(struct valkey_uri **ret, const char *uri, const char *base_dir, GError **error);
void valkey_uri_free(struct valkey_uri *uri);
AUTO_DEFINE(valkey_uri, valkey_uri_free)
/* The same for every way to write it: hosts sorted, defaults left out, without secrets and options that do not choose
 * the place. The caller frees. */
char *valkey_uri_place(const struct valkey_uri *uri);
