#include "pace/pacer.h"

#include <math.h>

#define STEP     0.03 /* how far one reply may move it: so it follows the median, and no reply that came late alone */
#define OUTLIER  4    /* times the usual one: what lies above tells of a thread that slept, not of a longer queue */
#define USUAL_US 5e6  /* what the usual one is an average of */
#define SHARP    8    /* the rate falls with so high a power of the latency above the usual one */
#define SLOWEST  64
#define FIRST_US 1000 /* a latency, while none is known */

void pacer_init(struct pacer *pacer, double window, int64_t now_us)
{
    *pacer = (struct pacer){.window = window, .at_us = (double)now_us};
}

static double latency_now(const struct pacer *pacer, int64_t now_us)
{
    double latency = pacer->latency_us > 0 ? pacer->latency_us : FIRST_US;
    if (pacer->waiting == 0)
        return latency;
    return fmax(latency, (double)(now_us - pacer->sent_us[pacer->first]));
}

/* Between two commands, by the window and the latency as it stands. */
static double gap_us(const struct pacer *pacer, int64_t now_us)
{
    double latency = latency_now(pacer, now_us), gap = latency / pacer->window;
    if (latency > pacer->usual_us && pacer->usual_us > 0)
        gap *= fmin(SLOWEST, pow(latency / pacer->usual_us, SHARP));
    return gap;
}

static unsigned together(double gap)
{
    if (gap >= PACER_GAP_US)
        return 1;
    double commands = ceil(PACER_GAP_US / gap);
    return commands < PACER_BATCH_MOST ? (unsigned)commands : PACER_BATCH_MOST;
}

unsigned pacer_ask(const struct pacer *pacer, int64_t now_us, int64_t *ret_due_us)
{
    *ret_due_us = INT64_MAX;
    if (pacer->window <= 0 || pacer->waiting == PACER_IN_FLIGHT)
        return 0;
    double gap = gap_us(pacer, now_us), due_us = pacer->at_us + gap * pacer->commands;
    if (due_us <= (double)now_us)
        return together(gap);
    *ret_due_us = (int64_t)ceil(due_us);
    return 0;
}

void pacer_sent(struct pacer *pacer, int64_t now_us, unsigned commands)
{
    double gap = gap_us(pacer, now_us), due_us = pacer->at_us + gap * pacer->commands, now = (double)now_us;
    /* Who wakes a little late does not lose it; who comes much later does not catch up in a burst. */
    pacer->at_us = fmin(now, fmax(due_us, now - gap * commands / 2));
    pacer->commands = commands;
    pacer->sent_us[(pacer->first + pacer->waiting++) % PACER_IN_FLIGHT] = now_us;
}

void pacer_reply(struct pacer *pacer, int64_t now_us)
{
    if (pacer->waiting == 0)
        return;
    double latency = (double)(now_us - pacer->sent_us[pacer->first]);
    pacer->first = (pacer->first + 1) % PACER_IN_FLIGHT;
    pacer->waiting--;
    if (pacer->latency_us <= 0)
        pacer->latency_us = pacer->usual_us = latency;
    double since = 1 - exp((double)(pacer->replied_us - now_us) / USUAL_US);
    double step = STEP * pacer->latency_us;
    pacer->latency_us += fmax(-step, fmin(step, latency - pacer->latency_us));
    pacer->usual_us += since * (fmin(latency, OUTLIER * pacer->usual_us) - pacer->usual_us);
    pacer->replied_us = now_us;
}

void pacer_lost(struct pacer *pacer, unsigned batches)
{
    unsigned gone = batches < pacer->waiting ? batches : pacer->waiting;
    pacer->first = (pacer->first + gone) % PACER_IN_FLIGHT;
    pacer->waiting -= gone;
}

double pacer_rate_per_s(const struct pacer *pacer, int64_t now_us)
{
    return pacer->window > 0 ? 1e6 / gap_us(pacer, now_us) : 0;
}
