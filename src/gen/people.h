/* Who stands in the records: a name and a username. Private to gen/. */
#pragma once

#include "gen/chance.h"
#include "gen/pen.h"

struct people_word {
    const char *plain, *shown; /* of a username, of a name */
};

struct people_name {
    const struct people_word *first, *last;
    uint64_t number;
};

struct people_name people_rolled(struct dice *dice, uint64_t number); /* the name as `dice` has it next */
struct people_name people_named(const struct gen_wish *customers,
                                uint64_t line); /* who stands in that line of gen_customers() */
void people_put_name(struct pen *pen, const struct people_name *of);
void people_put_username(struct pen *pen, const struct people_name *of);
void people_put_username_spaced(struct pen *pen, const struct people_name *of); /* as nobody should write it */
