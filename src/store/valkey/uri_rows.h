/* ROW(name, value, take, tls, words): the options of a valkey:// URI. `tls`: with TLS only. docs/drivers/valkey.md
 * shows them. */
/* clang-format off */
ROW("sentinel",          "NAME",     take_sentinel,          false, "the hosts are Sentinels (port 26379), which are asked where the master of this name is")
ROW("sentinel_user",     "USER",     take_sentinel_user,     false, "who we are to the Sentinels")
ROW("sentinel_password", "PASSWORD", take_sentinel_password, false, "the Sentinels' password; the servers' own stands before the `@`")
ROW("ca",                "PATH",     take_ca,                true,  "a file of certificates of those who may sign the server's; a directory of such files where it ends in `/`; else the system's are taken")
ROW("cert",              "FILE",     take_cert,              true,  "our own certificate, with those between it and its root")
ROW("key",               "FILE",     take_key,               true,  "its key; where none is given it stands in the file of `cert`")
ROW("server_name",       "NAME",     take_server_name,       true,  "what the certificate must be for, where that is not the host's name or address")
ROW("insecure",          "0|1",      take_insecure,          true,  "1: any certificate is taken, and whoever sits between may read and change everything")
ROW("timeout",           "DURATION", take_timeout,           false, "how long one call to one server may take, the handshake included; 5s")
ROW("failover",          "DURATION", take_failover,          false, "for how long slots of a cluster may be without a server before that halts a run; 30s")
ROW("protocol",          "2|3",      take_protocol,          false, "the version of the protocol; else 3 where the server speaks it")
/* clang-format on */
