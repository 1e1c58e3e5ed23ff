#include "profile/buckets.h"

#include <math.h>
#include <stdlib.h>

#define DAY_US           (INT64_C(24) * 3600 * 1000000)
#define WEEK_US          (7 * DAY_US)
#define ROUND            2 /* weeks, or days, before and behind */
#define MAD_TO_SIGMA     1.4826
#define NEIGHBOURS_LEAST 8u

struct bucket {
    int64_t at; /* so many widths since 1970 */
    uint64_t count;
    bson_decimal128_t sum;
};

struct buckets {
    int64_t width_us;
    GHashTable *of; /* of struct bucket, by `at` */
    const char *fault;
};

struct buckets *buckets_new(int64_t width_us)
{
    struct buckets *buckets = g_new0(struct buckets, 1);
    buckets->width_us = width_us;
    buckets->of = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    return buckets;
}

void buckets_free(struct buckets *buckets)
{
    if (!buckets)
        return;
    g_hash_table_unref(buckets->of);
    g_free(buckets);
}

size_t buckets_count(const struct buckets *buckets)
{
    return g_hash_table_size(buckets->of);
}

const char *buckets_fault(const struct buckets *buckets)
{
    return buckets->fault;
}

static int64_t floor_of(int64_t at_us, int64_t width_us)
{
    int64_t at = at_us / width_us;
    return at_us % width_us < 0 ? at - 1 : at;
}

static struct bucket *bucket_at(struct buckets *buckets, int64_t at)
{
    struct bucket *bucket = g_hash_table_lookup(buckets->of, &at);
    if (bucket)
        return bucket;
    if (buckets_count(buckets) == BUCKETS_MOST) {
        buckets->fault = "there are more buckets than 65 536: take a larger width";
        return NULL;
    }
    bucket = g_new0(struct bucket, 1);
    bucket->at = at;
    decimal_from_i64(0, &bucket->sum);
    g_hash_table_insert(buckets->of, &bucket->at, bucket);
    return bucket;
}

bool buckets_add(struct buckets *buckets, int64_t at_us, const bson_decimal128_t *value)
{
    struct bucket *bucket = buckets->fault ? NULL : bucket_at(buckets, floor_of(at_us, buckets->width_us));
    if (!bucket)
        return false;
    bucket->count++;
    if (value && !decimal_compute(DECIMAL_ADD, &bucket->sum, value, &bucket->sum, NULL))
        buckets->fault = "a sum needs more than 34 digits";
    return !buckets->fault;
}

/* --- the line ------------------------------------------------------------------------------------------------------
 */

/* A bucket, or a stretch of empty ones. */
struct step {
    int64_t at, n;
    double of[2]; /* by enum bucket_of: of each of the n */
};

struct line {
    const struct buckets *buckets;
    struct step *steps;
    size_t n;
    size_t first, end;  /* those that the data fills: before and behind them it thins out */
    double *running[2]; /* the sums of all steps before one; n + 1 */
};

static int by_time(const void *a, const void *b)
{
    const struct bucket *one = *(struct bucket *const *)a, *two = *(struct bucket *const *)b;
    return one->at < two->at ? -1 : one->at > two->at;
}

static double double_of(const bson_decimal128_t *number)
{
    char text[DECIMAL_TEXT];
    return g_ascii_strtod(decimal_text(number, text), NULL);
}

static void add_step(struct line *line, const struct step *step)
{
    for (int of = 0; of < 2; of++)
        line->running[of][line->n + 1] = line->running[of][line->n] + step->of[of] * (double)step->n;
    line->steps[line->n++] = *step;
}

static int by_value(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return one < two ? -1 : one > two;
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Up to where a bucket has half of what most have. */
static void find_ends(struct line *line)
{
    g_autofree double *counts = g_new(double, line->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < line->n; i++)
        if (line->steps[i].of[BUCKET_COUNT] > 0)
            counts[n++] = line->steps[i].of[BUCKET_COUNT];
    double least = n ? median(counts, n) / 2 : 0;
    line->end = line->n;
    while (line->first < line->end && line->steps[line->first].of[BUCKET_COUNT] < least)
        line->first++;
    while (line->end > line->first && line->steps[line->end - 1].of[BUCKET_COUNT] < least)
        line->end--;
}

static void line_init(struct line *line, const struct buckets *buckets)
{
    guint n;
    g_autofree struct bucket **all = (struct bucket **)g_hash_table_get_keys_as_array(buckets->of, &n);
    *line = (struct line){.buckets = buckets, .steps = g_new(struct step, 2 * (size_t)n + 1)};
    qsort(all, n, sizeof *all, by_time);
    for (int of = 0; of < 2; of++)
        line->running[of] = g_new0(double, 2 * (size_t)n + 2);
    for (guint i = 0; i < n; i++) {
        int64_t from = i ? all[i - 1]->at + 1 : all[i]->at;
        struct step empty = {.at = from, .n = all[i]->at - from};
        struct step full = {.at = all[i]->at, .n = 1, .of = {(double)all[i]->count, double_of(&all[i]->sum)}};
        if (empty.n > 0)
            add_step(line, &empty);
        add_step(line, &full);
    }
    find_ends(line);
}

static void line_done(struct line *line)
{
    for (int of = 0; of < 2; of++)
        g_free(line->running[of]);
    g_free(line->steps);
}

/* What all buckets before this one hold. */
static double before(const struct line *line, enum bucket_of of, int64_t at)
{
    size_t low = 0, high = line->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (line->steps[middle].at + line->steps[middle].n <= at)
            low = middle + 1;
        else
            high = middle;
    }
    double within = low < line->n ? (double)(at - line->steps[low].at) * line->steps[low].of[of] : 0;
    return line->running[of][low] + within;
}

/* --- what is expected ----------------------------------------------------------------------------------------------
 */

struct expected {
    double neighbours, deviation;
    double others[2 * ROUND]; /* the same hour of other weeks, or days */
    size_t n_others;
    bool weekly;
};

static bool ask_neighbours(const struct line *line, size_t i, enum bucket_of of, struct expected *io)
{
    double values[2 * BUCKETS_SIDE];
    size_t n = 0;
    for (size_t k = MAX(line->first + 1 + BUCKETS_SIDE, i) - BUCKETS_SIDE; k + 1 < line->end && k <= i + BUCKETS_SIDE;
         k++)
        if (k != i)
            values[n++] = line->steps[k].of[of];
    if (n < NEIGHBOURS_LEAST)
        return false;
    io->neighbours = median(values, n);
    for (size_t k = 0; k < n; k++)
        values[k] = fabs(values[k] - io->neighbours);
    io->deviation = median(values, n) * MAD_TO_SIGMA;
    return true;
}

/* The same stretch of so many periods before and behind. */
static void ask_others(const struct line *line, size_t i, enum bucket_of of, int64_t period_us, struct expected *io)
{
    const struct step *step = &line->steps[i];
    int64_t first = line->steps[line->first].at + 1, end = line->steps[line->end - 1].at;
    int64_t period = period_us / line->buckets->width_us;
    if (period == 0 || period_us % line->buckets->width_us != 0)
        return;
    for (int k = -ROUND; k <= ROUND; k++) {
        int64_t at = step->at + k * period;
        if (k != 0 && at >= first && at + step->n <= end)
            io->others[io->n_others++] = (before(line, of, at + step->n) - before(line, of, at)) / (double)step->n;
    }
}

static bool ask(const struct line *line, size_t i, enum bucket_of of, struct expected *io)
{
    if (!ask_neighbours(line, i, of, io))
        return false;
    ask_others(line, i, of, WEEK_US, io);
    io->weekly = io->n_others > 1;
    if (io->n_others == 0)
        ask_others(line, i, of, DAY_US, io);
    return true;
}

/* -1: a trough, 1: a spike, 0: in line. */
static int away(double found, double expected, double spread)
{
    double by = fabs(found - expected);
    double least = fabs(found) < fabs(expected) ? fabs(expected) / 2 : fabs(expected);
    return by <= BUCKETS_SPREADS * spread || by < least ? 0 : found < expected ? -1 : 1;
}

/* --- judged --------------------------------------------------------------------------------------------------------
 */

struct judged {
    int way;
    double expected;
};

/* What is chance: of counts the root of what is expected, of sums the same share of it. */
static double spread_of(double expected, double count, double deviation)
{
    return fmax(fabs(expected) / sqrt(fmax(count, 1)), deviation);
}

static struct judged of_others(double found, double count, const struct expected *asked)
{
    double others[2 * ROUND];
    size_t n = asked->n_others;
    struct judged judged = {0};
    memcpy(others, asked->others, sizeof others);
    judged.expected = median(others, n);
    for (size_t k = 0; k < n; k++)
        others[k] = fabs(asked->others[k] - judged.expected);
    double deviation = median(others, n) * MAD_TO_SIGMA;
    for (size_t k = 0; k < n; k++) {
        int way = away(found, asked->others[k], spread_of(asked->others[k], count, deviation));
        if (way == 0 || (k && way != judged.way))
            return (struct judged){0};
        judged.way = way;
    }
    return judged;
}

/* `count`: how many records are expected. */
static struct judged judge(double found, double count, const struct expected *asked)
{
    double spread = spread_of(asked->neighbours, count, asked->deviation);
    struct judged here = {away(found, asked->neighbours, spread), asked->neighbours};
    if (asked->n_others == 0)
        return here;
    struct judged there = of_others(found, count, asked);
    return asked->weekly || there.way == here.way ? there : (struct judged){0};
}

static double count_expected(const struct expected *count)
{
    double most = count->neighbours;
    for (size_t k = 0; k < count->n_others; k++)
        most = fmax(most, count->others[k]);
    return most;
}

static void add_flag(GArray *flags, const struct line *line, size_t i, enum bucket_of of, struct judged judged)
{
    const struct step *step = &line->steps[i];
    int64_t width = line->buckets->width_us;
    struct bucket_flag flag = {.of = of,
                               .spike = judged.way > 0,
                               .from_us = step->at * width,
                               .to_us = (step->at + step->n) * width,
                               .found = step->of[of] * (double)step->n,
                               .expected = judged.expected * (double)step->n};
    for (guint k = flags->len; k > 0 && k + 2 > flags->len; k--) {
        struct bucket_flag *last = &g_array_index(flags, struct bucket_flag, k - 1);
        if (last->of != of || last->spike != flag.spike || last->to_us != flag.from_us)
            continue;
        last->to_us = flag.to_us;
        last->found += flag.found;
        last->expected += flag.expected;
        return;
    }
    g_array_append_val(flags, flag);
}

static void judge_step(GArray *flags, const struct line *line, size_t i)
{
    struct expected count = {0}, sum = {0};
    if (!ask(line, i, BUCKET_COUNT, &count) || !ask(line, i, BUCKET_SUM, &sum))
        return;
    double records = count_expected(&count);
    if (fmax(records, line->steps[i].of[BUCKET_COUNT]) < BUCKETS_LEAST)
        return;
    struct judged of_count = judge(line->steps[i].of[BUCKET_COUNT], records, &count);
    struct judged of_sum = judge(line->steps[i].of[BUCKET_SUM], records, &sum);
    if (of_count.way)
        add_flag(flags, line, i, BUCKET_COUNT, of_count);
    if (of_sum.way && of_sum.way != of_count.way)
        add_flag(flags, line, i, BUCKET_SUM, of_sum);
}

GArray *buckets_judge(const struct buckets *buckets)
{
    struct line line;
    GArray *flags = g_array_new(FALSE, FALSE, sizeof(struct bucket_flag));
    line_init(&line, buckets);
    for (size_t i = line.first + 1; i + 1 < line.end; i++)
        judge_step(flags, &line, i);
    line_done(&line);
    return flags;
}
