/* What day.c and promises.c know of each other. */
#pragma once

#include "sim/day.h"
#include "sim/machine.h"

#define US_PER_S INT64_C(1000000)

enum { DAY_KEYS = 90, DAY_SLACK_S = 180 };

#define DAY_DATASET "items"

/* What the application wrote. */
struct state {
    int64_t value, expires_at_ms;
    bool present;
    uint64_t token;
};

struct day {
    struct executor *executor;
    struct cluster *cluster;
    struct world world; /* of the cluster: its clock is right */
    struct world_clock clock;
    struct machine here, elsewhere;
    char *dir, *spec_path;
    bool has_soak, has_approval, has_hours, has_shadow, goes_back, repairs;
    GArray *states[DAY_KEYS]; /* of struct state, the newest last */
    bool touched[DAY_KEYS];   /* the application has written it since the day began */
    uint64_t token;
    atomic_bool over;
    /* What keeps the run from writing, and since when (the executor's time); 0: it may. */
    int64_t lags_us, jumped_us, paused_us;
    uint8_t known_run[16]; /* of whose partitions `stages` speaks */
    GHashTable *stages;    /* partition → stage, of those that are known to be allowed */
    GArray *heads;         /* of uint8_t[32]: what was ever told of the ledger */
    struct process *process;
    enum command command; /* what the operator wants done: RUN, PROMOTE, REPAIR or BACK */
    char run[32];         /* and of which run */
    char verdict[256];    /* of the last verification */
    bool may_promote;     /* somebody has said that its shadow is to go live */
    uint64_t
        repairs_up_to; /* what the application wrote later than this a repair leaves alone; 0: nothing is repaired */
    uint64_t shadows_lost; /* records of shadows, before one was to go live */
    uint64_t failovers;    /* that there were before this run began */
    int tries;
    bool taken_back;
    struct day_met met;
};

#define broken(day, ...) executor_fail((day)->executor, __VA_ARGS__)

int64_t day_now_us(const struct day *day);
int64_t day_right_ms(const struct day *day);
void day_key_put(int key, char into[16]);
const struct state *day_newest(const struct day *day, int key);

/* For the cluster. */
void promises_at_write(void *self, const struct cluster_write *write);
void promises_at_loss(void *self, const char *dataset, struct slice key, uint64_t token);
/* At the end of the day: NULL, or what does not hold. The caller frees. */
char *promises_at_end(struct day *day);
