/* Private to spec/spec*.c: the spec's own forms and its table. */
#pragma once

#include "spec/spec.h"

extern const struct row_form form_store;    /* const char *: a URI, its secrets checked but not replaced */
extern const struct row_form form_expires;  /* struct spec_target */
extern const struct row_form form_after;    /* const char ** and, right behind it, size_t: names of other specs */
extern const struct row_form form_hours;    /* const char ** and, right behind it, size_t: windows of base/hours.h */
extern const struct row_form form_scope;    /* struct spec_stage */
extern const struct row_form form_verify;   /* nothing itself: full, or what a sample must prove */
extern const struct row_form form_sure;     /* double: a share above 0 and below 100%, of a sample */
extern const struct row_form form_params;   /* nothing: spec/params.h has read them */
extern const struct row_form form_node;     /* const struct yaml_node *: a scalar */
extern const struct row_form form_range;    /* struct spec_range: a map whose ends are in their order */
extern const struct row_form form_only;     /* struct spec_only */
extern const struct row_form form_spans;    /* const struct spec_span * and, right behind it, size_t */
extern const struct row_form form_ends;     /* struct spec_only: from and to */
extern const struct row_form form_until;    /* struct spec_until */
extern const struct row_form form_moment;   /* int64_t microseconds, of a range's end */
extern const struct row_form form_bytes;    /* uint64_t above 0: 20GiB */
extern const struct row_form form_length;   /* int64_t milliseconds above 0: 6h */
extern const struct row_form form_events;   /* uint32_t: a set of events */
extern const struct row_form form_command;  /* const char *shell and, right behind it, const char **argv: one of them */
extern const struct row_form form_url;      /* const char *: http or https, its secrets checked but not replaced */
extern const struct row_form form_secret;   /* const char *: nothing but ${…} */
extern const struct row_form form_hooks;    /* struct spec: hooks and n_hooks */
extern const struct row_form form_value;    /* struct slice: a document whose one field `is` is the value */
extern const struct row_form form_figure;   /* the same of a number */
extern const struct row_form form_document; /* struct slice: a document */
extern const struct row_form form_expect;   /* struct spec: expects and n_expects */
extern const struct row_form form_measures; /* struct spec: measures and n_measures */
extern const struct row_form form_buckets;  /* struct spec: buckets and n_buckets */
extern const struct row_form form_baseline; /* struct spec_baseline */
extern const struct row_form form_mail;     /* const char *: addresses with `, ` between them */
extern const struct row_form form_escalate; /* struct spec: escalate and n_escalate */
extern const struct row_form form_stages;   /* struct spec: stages and n_stages */
/* double: a limit of the guard that the row's key names, in its unit; the guard is given from then on. */
extern const struct row_form form_guard_share, form_guard_duration, form_guard_bytes, form_guard_count, form_guard_rate,
    form_guard_times, form_guard_word;
extern const struct row_form form_number;  /* double */
extern const struct row_form form_signals; /* struct spec: protect.signals and n_signals */
extern const struct row_form form_switch;  /* struct spec_switch */
/* uint64_t: millionths; char[MONEY_CURRENCY]; struct money_within, of `in` and of `within` */
extern const struct row_form form_amount, form_price, form_currency, form_burn, form_deadline;

/* A param as it is declared; values are spec/params.h. */
struct param_wish {
    enum spec_param_type type;
    const struct yaml_node *fallback; /* NULL: none */
};

struct rows spec_table(void);

/* Whether the ${…} in a text can be replaced; *ret_why says why not. */
bool spec_secret_check(const char *text, const char **ret_why);

/* Rules about several keys; adds to the diags. */
void spec_check(struct rows_reader *reader, struct spec *spec);
