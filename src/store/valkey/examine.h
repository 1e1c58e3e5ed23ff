/* What `sluice doctor` asks of the servers: version, rights, memory, replicas, durability. Writes nothing: rights are
 * asked for, not tried (`redis.acl_check_cmd` in a script). */
#pragma once

#include "store/valkey/route.h"

struct examine_wish {
    struct router *router;
    const struct topology *topology;
    const char *user; /* whom the connections speak as; NULL: default */
    bool insecure;    /* TLS takes any certificate */
    const char *key;  /* one that a record of the dataset could have */
    enum dataset_form form;
    const char *glob; /* of the dataset's keys, for messages */
    bool writes;      /* the dataset is a target */
    bool members;     /* of the sets of an index: the rights that reading them takes, and no others */
};

/* Appends struct store_remark, texts in call->mem. A server that cannot be asked is an error; what it refuses is a
 * remark. */
bool examine_servers(const struct examine_wish *wish, const struct call *call, GArray *into, GError **error);
/* The same of the members of sets: nothing where no right is missing. */
bool examine_members(const struct examine_wish *wish, const struct call *call, GArray *into, GError **error);
