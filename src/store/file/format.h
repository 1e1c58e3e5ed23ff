/* Inside store/file/: what a file's name says of its form. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum file_format { FORMAT_NDJSON, FORMAT_JSON, FORMAT_CSV };
enum file_packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };

struct file_form {
    enum file_format format;
    enum file_packing packing;
};

/* By the name's end. false: no such form. *ret_stem (may be NULL): the length of the name without its extensions. */
bool file_form_of(const char *name, struct file_form *ret, size_t *ret_stem);

/* For messages: ".ndjson, .jsonl, .json or .csv, each also with .gz or .zst". */
extern const char file_form_words[];

/* Whether such a file is cut into ranges; else it is one. */
bool file_form_splits(struct file_form form);
