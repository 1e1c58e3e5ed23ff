/* A dataset's name as a pattern of keys: a template with placeholders, or a glob. Pure; immutable, shared by threads.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct key_template;

/* In both, `{{` and `}}` are braces and a backslash takes the next character for itself. SPEC: an unclosed brace, an
 * empty placeholder, one that stands twice, two with nothing between them, placeholders and wildcards together, a class
 * without end, what matches sluice's own keys only. */
bool key_template_parse(struct key_template **ret, const char *dataset, GError **error);
void key_template_free(struct key_template *template);
AUTO_DEFINE(key_template, key_template_free)

/* Whether a dataset's name, which parses, has placeholders. */
bool valkey_name_is_template(const char *dataset);

size_t key_template_places(const struct key_template *template);               /* placeholders; 0: a glob */
const char *key_template_place(const struct key_template *template, size_t i); /* the path it names */
/* The glob for MATCH that finds at least all of its keys: text escaped, placeholders as `*`. */
const char *key_template_glob(const struct key_template *template);

/* Whether a server's key is sluice's own: it begins with `sluice:`. */
bool valkey_key_is_own(struct slice server);

/* Between the record's key and the server's; the one may be a slice of the other. Of several parts the record's key is
 * as record/key.h joins them. From the server: *ret_ours false where it is not of the dataset (or is sluice's own). A
 * key that cannot be (its parts have what the text between placeholders has, so that two records would share one) is
 * BAD_RECORD. */
bool key_template_to_server(const struct key_template *template, struct slice key, struct arena *mem, struct slice *ret,
                            GError **error);
bool key_template_from_server(const struct key_template *template, struct slice server, struct arena *mem,
                              struct slice *ret, bool *ret_ours, GError **error);

/* Whether there may be a key of both. Errs to true. */
bool key_template_overlap(const struct key_template *a, const struct key_template *b);
