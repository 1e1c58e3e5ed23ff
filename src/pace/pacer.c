#include "pace/pacer.h"

#include <math.h>
#include <string.h>

#define STEP     0.03 /* how far one reply may move it: so it follows the median, and no reply that came late alone */
#define OUTLIER  4    /* times the usual one: what lies above tells of a thread that slept, not of a longer queue */
#define USUAL_US 5e6  /* what the usual one is an average of */
#define LASTS_US 2e6  /* … and while what is above it slows the rate: a burst of live load is over sooner */
#define SHARP    8    /* the rate falls with so high a power of the latency above the usual one */
#define SLOWEST  64
#define FIRST_US 1000 /* a latency, while none is known */
#define LEARN    16   /* replies of a kind, from which it is learnt what is usual … */
#define LEAP     0.25 /* … and how far each of them may move it: the first one may have been far out */
#define MOST     0.05 /* that one reply counts for in what is usual, however long the one before is ago */

void pacer_init(struct pacer *pacer, double window, int64_t now_us)
{
    *pacer = (struct pacer){.window = window, .at_us = (double)now_us};
}

/* The kind of that name; where it is new, in place of the one that was asked about longest ago. */
static struct pacer_kind *kind_of(struct pacer *pacer, uint64_t name)
{
    struct pacer_kind *oldest = &pacer->kinds[0];
    for (unsigned i = 0; i < pacer->known; i++) {
        if (pacer->kinds[i].name == name)
            return &pacer->kinds[i];
        if (pacer->kinds[i].asked_us < oldest->asked_us)
            oldest = &pacer->kinds[i];
    }
    struct pacer_kind *kind = pacer->known < PACER_KINDS ? &pacer->kinds[pacer->known++] : oldest;
    *kind = (struct pacer_kind){.name = name};
    return kind;
}

static double latency_now(const struct pacer *pacer, const struct pacer_kind *kind, int64_t now_us)
{
    double latency = kind->latency_us > 0 ? kind->latency_us : FIRST_US;
    if (pacer->waiting == 0)
        return latency;
    return fmax(latency, (double)(now_us - pacer->sent[0].us));
}

/* Between two commands, by the window and the latency as it stands. */
static double gap_us(const struct pacer *pacer, const struct pacer_kind *kind, int64_t now_us)
{
    double latency = latency_now(pacer, kind, now_us), gap = latency / pacer->window;
    if (latency > kind->usual_us && kind->usual_us > 0)
        gap *= fmin(SLOWEST, pow(latency / kind->usual_us, SHARP));
    return gap;
}

/* What a server, its kernel and we do to send and to wake is most of what a command costs; four at once cost little
 * more than one. A live request that comes then waits for all four: no longer than their reply takes. */
static unsigned together(const struct pacer *pacer, const struct pacer_kind *kind, double gap)
{
    if (kind->latency_us > 0 && kind->latency_us * PACER_SPARE <= pacer->allowed_us)
        return PACER_BATCH_MOST;
    if (gap >= PACER_GAP_US)
        return 1;
    double commands = ceil(PACER_GAP_US / gap);
    return commands < PACER_BATCH_MOST ? (unsigned)commands : PACER_BATCH_MOST;
}

unsigned pacer_ask(struct pacer *pacer, uint64_t kind, int64_t now_us, int64_t *ret_due_us)
{
    *ret_due_us = INT64_MAX;
    if (pacer->window <= 0 || pacer->waiting == PACER_IN_FLIGHT)
        return 0;
    struct pacer_kind *of = kind_of(pacer, kind);
    of->asked_us = now_us;
    double gap = gap_us(pacer, of, now_us), due_us = pacer->at_us + gap * pacer->commands;
    if (due_us <= (double)now_us)
        return together(pacer, of, gap);
    *ret_due_us = (int64_t)ceil(due_us);
    return 0;
}

void pacer_sent(struct pacer *pacer, uint64_t kind, int64_t now_us, unsigned commands)
{
    struct pacer_kind *of = kind_of(pacer, kind);
    double gap = gap_us(pacer, of, now_us), due_us = pacer->at_us + gap * pacer->commands, now = (double)now_us;
    /* Who wakes a little late does not lose it; who comes much later does not catch up in a burst. */
    pacer->at_us = fmin(now, fmax(due_us, now - gap * commands / 2));
    pacer->commands = commands;
    pacer->last = (unsigned)(of - pacer->kinds);
    pacer->sent[pacer->waiting++] = (struct pacer_sent){.us = now_us, .kind = kind};
}

/* false: it is not waited for. */
static bool take_back(struct pacer *pacer, int64_t sent_us, struct pacer_sent *ret)
{
    unsigned at = 0;
    while (sent_us && at < pacer->waiting && pacer->sent[at].us != sent_us)
        at++;
    if (at >= pacer->waiting)
        return false;
    *ret = pacer->sent[at];
    memmove(pacer->sent + at, pacer->sent + at + 1, (--pacer->waiting - at) * sizeof *pacer->sent);
    return true;
}

static double within(double value, double most)
{
    return fmax(-most, fmin(most, value));
}

/* A thread that seldom sends sleeps, and is woken late: the slower the rate, the longer its latencies. Were what is
 * usual to follow them as slowly as otherwise, a rate that has once fallen would stay there for many seconds. */
static void learn(struct pacer_kind *kind, double latency, int64_t now_us)
{
    double most = kind->replies < LEARN ? LEAP : STEP, us = kind->latency_us > kind->usual_us ? LASTS_US : USUAL_US;
    double since = fmin(MOST, 1 - exp((double)(kind->replied_us - now_us) / us));
    if (kind->replies == 0)
        kind->latency_us = latency;
    kind->latency_us += within(latency - kind->latency_us, most * kind->latency_us);
    if (kind->replies < LEARN)
        kind->usual_us = kind->latency_us;
    else
        kind->usual_us += since * (fmin(latency, OUTLIER * kind->usual_us) - kind->usual_us);
    kind->replies += kind->replies < LEARN;
    kind->replied_us = now_us;
}

void pacer_reply(struct pacer *pacer, int64_t sent_us, int64_t now_us)
{
    struct pacer_sent sent;
    if (!take_back(pacer, sent_us, &sent))
        return;
    learn(kind_of(pacer, sent.kind), (double)(now_us - sent.us), now_us);
}

void pacer_lost(struct pacer *pacer, int64_t sent_us)
{
    struct pacer_sent sent;
    take_back(pacer, sent_us, &sent);
}

double pacer_latency_us(const struct pacer *pacer)
{
    return pacer->kinds[pacer->last].latency_us;
}
