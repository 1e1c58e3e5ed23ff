#include "gen/gen.h"

#include "base/nearest.h"

static const struct gen_row GENERATORS[] = {
    {"customers", "customers with tiers, balances and addresses, as NDJSON", gen_customers, gen_customers_fault_at,
     false},
    {"events", "payments of those customers as they come in, in a month, as NDJSON", gen_events, gen_events_fault_at,
     true},
};

const struct gen_row *gen_at(size_t i)
{
    return i < G_N_ELEMENTS(GENERATORS) ? &GENERATORS[i] : NULL;
}

const struct gen_row *gen_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(GENERATORS); i++)
        if (strcmp(GENERATORS[i].name, name) == 0)
            return &GENERATORS[i];
    return NULL;
}

const struct gen_row *gen_nearest(const char *typed)
{
    const char *names[G_N_ELEMENTS(GENERATORS)];
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        names[i] = GENERATORS[i].name;
    const char *near = nearest_word(typed, names, G_N_ELEMENTS(names));
    return near ? gen_find(near) : NULL;
}
