#include "kit/patient.h"

#define PROBE_US 5000

static int64_t wall_ms(void *self)
{
    return world_wall_ms(world_real());
}

static int64_t monotonic_us(void *self)
{
    const struct patient *patient = self;
    return PATIENT_FELT_US + patient->slept_us + (patient->goes ? world_monotonic_us(world_real()) : 0);
}

static void sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    struct patient *patient = self;
    patient->slept_us += us;
    patient->sleeps++;
}

static void give_way(void *self)
{
    ((struct patient *)self)->gave_way++;
}

void patient_init(struct patient *patient, bool goes)
{
    *patient = (struct patient){.world = *world_real(), .goes = goes};
    patient->clock = (struct world_clock){
        .wall_ms = wall_ms, .monotonic_us = monotonic_us, .sleep_us = sleep_us, .give_way = give_way};
    patient->world.clock = &patient->clock;
    patient->world.clock_self = patient;
}

void patient_feel(struct patient *patient, struct pace *pace, uint16_t port)
{
    g_autofree char *name = g_strdup_printf("127.0.0.1:%u", port);
    int64_t begun_us = monotonic_us(patient) - PATIENT_FELT_US;
    for (int64_t us = 0; us < PATIENT_FELT_US; us += PROBE_US) {
        pace_felt(pace_server(pace, name), begun_us + us, begun_us + us + 100);
        if (us % GOVERNOR_TICK_US == 0)
            pace_tick(pace, begun_us + us, us);
    }
}
