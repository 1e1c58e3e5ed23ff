/* Inside store/file/: a range of a file, opened and being cut into records; where it is frozen, held against its
 * digest. */
#pragma once

#include "store/file/cutter.h"
#include "store/file/range.h"

struct source {
    const struct world *world;
    const char *path; /* borrowed, as the range's name is */
    struct file_form form;
    struct file_range range;
    const struct path *member; /* of JSON: NULL, or the list that holds the records */
    bool frozen, verified;
    struct file_stream *stream;
    struct cutter cutter;
};

/* A whole file as it is now; `frozen` false. */
struct file_range source_whole(const struct file_name *file);

/* Positions at `place`, or where that is NULL at the first record. SOURCE_MOVED where a frozen range's file has another
 * size, or its bytes another digest. The source is at a fixed place until source_close(). */
struct source_wish {
    const struct world *world;
    const char *path;
    struct file_form form;
    struct file_range range;
    bool frozen;
    const struct path *member;
    const struct file_place *place;
};
bool source_open(struct source *source, const struct source_wish *wish, GError **error);
void source_close(struct source *source);

/* The next record. A frozen range is verified before the first record behind which nothing more is read, and before the
 * end. */
bool source_next(struct source *source, struct piece *ret, GError **error);

/* Behind the newest record. */
void source_place(const struct source *source, struct file_place *ret);
