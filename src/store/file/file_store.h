/* Inside store/file/: the store, its sessions, and the driver's functions by file. */
#pragma once

#include "base/lock.h"
#include "store/file/file.h"
#include "store/file/range.h"

struct file_store {
    struct store_base base;
    char *dir;            /* its real path */
    pthread_mutex_t lock; /* of the digests; a leaf */
    GHashTable
        *digests; /* name → struct known_digest: what was read to the end already, as long as it looks the same */
};

struct file_scan;

struct file_session {
    struct session_base base;
    struct file_scan *parked; /* closed before its end: whoever goes on from there need not read up to it again */
};

static inline struct file_store *file_store_of(struct session *session)
{
    return (struct file_store *)((struct session_base *)session)->store;
}

/* What has been read of a file to its end: the identity that is asked for next need not read it again. */
void file_store_digest_known(struct file_store *store, const struct file_name *file, struct digest digest);

/* scan.c */
bool file_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error);
bool file_scan_next(struct scan *scan, const struct call *call, struct batch *ret, GError **error);
void file_scan_close(struct scan *scan);
void file_scan_free(struct file_scan *scan);

/* split.c */
bool file_split(struct session *session, const struct call *call, const struct split_wish *wish, struct part_list *into,
                GError **error);

/* sink.c */
extern const struct sink_ops file_sink_ops;
