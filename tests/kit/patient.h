/* The real world, but for a clock that stands: who sleeps in it has slept at once, and how long is counted. What is
 * paced then waits as long as its pace says, however busy the machine is. */
#pragma once

#include "base/world.h"
#include "pace/servers.h"

/* How long a server is felt before anything is sent. */
#define PATIENT_FELT_US INT64_C(4000000)

struct patient {
    struct world world;
    struct world_clock clock;
    int64_t slept_us;
    bool goes; /* its clock does, as well */
    int sleeps, gave_way;
    void *self; /* whose it is */
};

void patient_init(struct patient *patient, bool goes);
/* Until there is a baseline of the server on that port of this machine, and the least of all windows: one command every
 * PATIENT_GAP_US. */
#define PATIENT_GAP_US INT64_C(50000)
void patient_feel(struct patient *patient, struct pace *pace, uint16_t port);
