/* At which servers the workers of a process are, so that each goes where fewest of them are, and a slow server slows
 * its own partitions alone.
 *
 * Partitions of a store with ranks are stretches of neighbouring slots (listing/listing.h), and servers have ranges of
 * slots: nearly every partition is of one server, the one where it begins as the store knows it at the moment. One
 * that is split off, and the few that have a border within them, count for the server where they begin. */
#pragma once

#include <glib.h>
#include <pthread.h>

#include "catalog/catalog.h"
#include "plan/plan.h"

struct crowd {
    pthread_mutex_t lock; /* a leaf; guards what follows */
    GHashTable *at;       /* server → how many are there: of all that partitions were looked at of */
    GHashTable *first;    /* number of a partition that was looked at and waits still → its first key, as GBytes */
};

void crowd_init(struct crowd *crowd);
void crowd_done(struct crowd *crowd);

/* One of its workers; `place` is what it counts at. */
struct crowd_member {
    struct crowd *crowd;
    const struct plan *plan;
    const struct world *world;
    struct session *source;
    struct listing_reader *listing; /* owned; NULL: not open yet */
    char *place;                    /* owned; NULL: at no server */
    GBytes *first;                  /* owned: the first key of the partition that it has; NULL: nobody knows */
};
void crowd_leave(struct crowd_member *member); /* for good */
/* Whether it makes a difference where workers are. */
bool crowd_matters(const struct crowd_member *member);
/* How many are where the partition begins; 0 where nobody knows. `self` is the member: catalog.h's `burden`. */
uint32_t crowd_burden(void *self, const struct part_row *part);
/* How many are where fewest are: catalog.h's `content`. */
uint32_t crowd_fewest(const struct crowd_member *member);
/* It is there from now on; NULL: nowhere. */
void crowd_go(struct crowd_member *member, const struct part_row *part);
/* The first key of the partition that it has, where its keys are neighbours; else empty. Until it goes elsewhere. */
struct slice crowd_near(const struct crowd_member *member);
