/* What people are shown of a verification's differences: counts by class and field, the first keys of each, the first
 * lines of the report as they are; and the digest of all lines, by which the report is known again. Bounded, however
 * many differences there are. One thread at a time. */
#pragma once

#include <jansson.h>

#include "verify/verify.h"

#define PICTURE_FIELDS 200 /* of all classes; what comes later is counted together */
#define PICTURE_KEYS   5   /* of each field */
#define PICTURE_LINES  100
#define PICTURE_BYTES  4096u /* of a document's text; the rest is left out */

struct picture_field {
    enum verify_class class;
    char *name;
    uint64_t count;
    GPtrArray *keys; /* of char *: JSON */
};

/* One of the first lines of the report; JSON, each, as exact as there. */
struct picture_line {
    enum verify_class class;
    char *key, *wanted, *live; /* empty: absent */
    char *why;                 /* NULL: the class says it */
};

struct difference;
struct picture;
/* `hidden`: what comes from records, keys and documents, is not kept: they are not for who can only read the page. */
struct picture *picture_new(bool hidden);
void picture_free(struct picture *picture);
/* A difference, and the names of the fields that differ in it. */
void picture_add(struct picture *picture, const struct difference *difference, const json_t *fields);
void picture_add_line(struct picture *picture); /* one that is of no key that was compared */
/* What is written of it into the report, as it is written: for the digest. */
void picture_add_bytes(struct picture *picture, const char *line);
bool picture_hides(const struct picture *picture);

uint64_t picture_lines(const struct picture *picture);
/* BLAKE2b-256 of the report's bytes. */
void picture_digest(const struct picture *picture, uint8_t ret[32]);
/* Of struct picture_field, in the order in which they were met; and how many differing fields were not kept apart. */
const GPtrArray *picture_fields(const struct picture *picture, uint64_t *ret_more);
const GPtrArray *picture_kept(const struct picture *picture); /* of struct picture_line */
