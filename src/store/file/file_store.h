/* Inside store/file/: the store, its sessions, and the driver's functions by file. */
#pragma once

#include "store/file/file.h"
#include "store/file/range.h"

struct file_store {
    struct store_base base;
    char *dir; /* its real path */
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
