/* Private to spec/spec*.c: the spec's own forms and its table. */
#pragma once

#include "spec/spec.h"

extern const struct row_form form_store;   /* const char *: a URI, its secrets checked but not replaced */
extern const struct row_form form_expires; /* struct spec_target */
extern const struct row_form form_hours;   /* const char ** and, right behind it, size_t: windows of base/hours.h */
extern const struct row_form form_scope;   /* struct spec_stage */
extern const struct row_form form_verify;  /* bool: whether a sample is asked for */
extern const struct row_form form_sure;    /* nothing: a share above 0 and below 100%, of a sample */
extern const struct row_form form_stages;  /* struct spec: stages and n_stages */

struct rows spec_table(void);

/* Whether the ${…} in a text can be replaced; *ret_why says why not. */
bool spec_secret_check(const char *text, const char **ret_why);

/* Rules about several keys; adds to the diags. */
void spec_check(struct rows_reader *reader, struct spec *spec);
