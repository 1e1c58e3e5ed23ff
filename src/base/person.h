/* Who is at the keyboard: the user that the process runs as, and the groups that the user is in, as the operating
 * system tells them. Good enough to say who may approve what among people who share a machine; whoever can write the
 * home's files can do anything to it. */
#pragma once

#include <stdbool.h>

#include "base/auto.h"

struct person {
    char *user;    /* a name, or the number where it has none */
    char **groups; /* ends with NULL */
};

/* Asked of the operating system, once. */
struct person *person_here(void);
/* Somebody else: `groups`, with a blank between, are what they count as being in; NULL: none. */
struct person *person_of(const char *user, const char *groups);
void person_free(struct person *person);
AUTO_DEFINE(person, person_free)

/* Whether the name is the person's, or that of one of the groups. */
bool person_is(const struct person *person, const char *name);

/* Whether a user or a group of this machine is called so. */
bool person_known(const char *name);
