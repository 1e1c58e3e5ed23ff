#include "profile/fields.h"

#include <math.h>

#include "record/decimal.h"
#include "record/digest.h"

#define POINTS      100  /* at which two cumulative shares are compared */
#define BINS        10   /* of the stability index: shares of a tenth, before */
#define MOSTLY      0.9  /* of the values numbers: then they are compared as such */
#define MISSING     0.05 /* so much more or fewer records without a value are flagged */
#define MOST_VALUES 50.0 /* different ones: a field of classes has no more */

struct profile {
    uint64_t records;
    GPtrArray *fields; /* of struct profile_field */
};

static void field_free(void *data)
{
    struct profile_field *field = data;
    g_free(field->name);
    g_free(field);
}

struct profile *profile_new(void)
{
    struct profile *profile = g_new0(struct profile, 1);
    profile->fields = g_ptr_array_new_with_free_func(field_free);
    return profile;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    g_ptr_array_unref(profile->fields);
    g_free(profile);
}

uint64_t profile_records(const struct profile *profile)
{
    return profile->records;
}

size_t profile_count(const struct profile *profile)
{
    return profile->fields->len;
}

struct profile_field *profile_at(struct profile *profile, size_t i)
{
    return profile->fields->pdata[i];
}

struct profile_field *profile_find(struct profile *profile, const char *name)
{
    for (guint i = 0; i < profile->fields->len; i++)
        if (strcmp(profile_at(profile, i)->name, name) == 0)
            return profile_at(profile, i);
    return NULL;
}

/* --- adding ------------------------------------------------------------------------------------------------------- */

static bool number_of(const bson_iter_t *value, double *ret)
{
    bson_decimal128_t decimal;
    char text[DECIMAL_TEXT];
    switch ((int)bson_iter_type(value)) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        *ret = (double)bson_iter_as_int64(value);
        return true;
    case BSON_TYPE_DOUBLE:
        *ret = bson_iter_double(value);
        break;
    case BSON_TYPE_DATE_TIME:
        *ret = (double)bson_iter_date_time(value);
        return true;
    case BSON_TYPE_DECIMAL128:
        if (!bson_iter_decimal128(value, &decimal))
            return false;
        *ret = g_ascii_strtod(decimal_text(&decimal, text), NULL);
        break;
    case BSON_TYPE_UTF8:
        if (!decimal_parse(slice_of_text(bson_iter_utf8(value, NULL)), &decimal, NULL))
            return false;
        *ret = g_ascii_strtod(bson_iter_utf8(value, NULL), NULL);
        break;
    default:
        return false;
    }
    return isfinite(*ret);
}

/* Its JSON, as far as it is shown. */
static void add_class(struct profile_field *field, const bson_iter_t *value)
{
    bson_t one = BSON_INITIALIZER;
    g_autoptr(GString) text = g_string_new(NULL);
    struct digest digest;
    bson_append_iter(&one, "", 0, value);
    struct slice bytes = slice_of(bson_get_data(&one), one.len);
    if (digest_canonical(bytes, 0, &digest, NULL) && document_to_json(bytes, text, NULL)) {
        size_t around = strlen("{\"\":");
        distinct_add(&field->distinct, digest.high);
        top_add(&field->top, digest.low, text->str + around, text->len - around - 1);
    }
    bson_destroy(&one);
}

static void add_value(struct profile_field *field, const bson_iter_t *value)
{
    double number;
    uint32_t len = 0;
    if (BSON_ITER_HOLDS_NULL(value)) {
        field->nulls++;
        return;
    }
    field->present++;
    add_class(field, value);
    if (number_of(value, &number)) {
        field->numbers++;
        quantiles_add(&field->values, number);
    }
    if (BSON_ITER_HOLDS_UTF8(value)) {
        bson_iter_utf8(value, &len);
        quantiles_add(&field->lengths, len);
    }
}

void profile_add(struct profile *profile, struct slice document)
{
    bson_t view;
    bson_iter_t iter;
    if (document.len == 0 || !document_view(document, &view) || !bson_iter_init(&iter, &view))
        return;
    profile->records++;
    while (bson_iter_next(&iter)) {
        struct profile_field *field = profile_find(profile, bson_iter_key(&iter));
        if (!field && profile->fields->len == PROFILE_FIELDS)
            continue;
        if (!field) {
            field = g_new0(struct profile_field, 1);
            field->name = g_strdup(bson_iter_key(&iter));
            g_ptr_array_add(profile->fields, field);
        }
        add_value(field, &iter);
    }
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

/* The greatest distance of the two cumulative shares, at points of both. */
static double distance(struct quantiles *a, struct quantiles *b)
{
    double most = 0;
    for (int i = 0; i <= POINTS; i++) {
        double at[] = {quantiles_at(a, (double)i / POINTS), quantiles_at(b, (double)i / POINTS)};
        for (int k = 0; k < 2; k++)
            most = fmax(most, fabs(quantiles_share(a, at[k]) - quantiles_share(b, at[k])));
    }
    return most;
}

static double psi_of(struct quantiles *before, struct quantiles *after)
{
    double a[BINS], b[BINS], last_a = 0, last_b = 0;
    for (int i = 0; i < BINS; i++) {
        double at = quantiles_at(before, (double)(i + 1) / BINS), top = i + 1 == BINS;
        double share_a = top > 0 ? 1 : quantiles_share(before, at), share_b = top > 0 ? 1 : quantiles_share(after, at);
        a[i] = (share_a - last_a) * before->count;
        b[i] = (share_b - last_b) * after->count;
        last_a = share_a;
        last_b = share_b;
    }
    return drift_psi(a, b, BINS);
}

static void compare_numbers(struct profile_shift *shift, struct quantiles *before, struct quantiles *after)
{
    if (before->count <= 0 || after->count <= 0)
        return;
    shift->test = drift_ks(distance(before, after), before->count, after->count);
    shift->psi = psi_of(before, after);
}

/* The values of both, and all others together. */
static void compare_classes(struct profile_shift *shift, const struct top *before, const struct top *after)
{
    double a[2 * TOP_VALUES + 1], b[2 * TOP_VALUES + 1], rest_a = (double)before->count, rest_b = (double)after->count;
    size_t n = 0;
    for (size_t i = 0; i < before->n; i++, n++) {
        a[n] = (double)before->of[i].count;
        b[n] = (double)top_count(after, before->of[i].hash);
    }
    for (size_t i = 0; i < after->n; i++)
        if (top_count(before, after->of[i].hash) == 0) {
            a[n] = 0;
            b[n++] = (double)after->of[i].count;
        }
    for (size_t i = 0; i < n; i++) {
        rest_a -= a[i];
        rest_b -= b[i];
    }
    a[n] = fmax(rest_a, 0);
    b[n++] = fmax(rest_b, 0);
    shift->psi = drift_psi(a, b, n);
    shift->test = drift_chi_square(a, b, n);
}

static enum profile_how how_of(const struct profile_field *before, const struct profile_field *after)
{
    bool numbers = (double)before->numbers >= MOSTLY * (double)before->present &&
                   (double)after->numbers >= MOSTLY * (double)after->present;
    bool many = distinct_estimate(&before->distinct) > MOST_VALUES && distinct_estimate(&after->distinct) > MOST_VALUES;
    if (!many)
        return PROFILE_CLASSES;
    return numbers ? PROFILE_NUMBERS : PROFILE_LENGTHS;
}

static double missing(const struct profile_field *field, const struct profile *of)
{
    uint64_t with = field ? field->present : 0;
    return of->records ? (double)(of->records - MIN(with, of->records)) / (double)of->records : 0;
}

static bool is_flagged(const struct profile_shift *shift, const struct profile *before, const struct profile *after)
{
    if (before->records < PROFILE_LEAST || after->records < PROFILE_LEAST)
        return false;
    if (fabs(shift->missing_after - shift->missing_before) >= MISSING)
        return true;
    bool sure = shift->test.chance < DRIFT_CHANCE;
    if (shift->how == PROFILE_CLASSES)
        return sure && shift->psi >= DRIFT_PSI_SHIFT;
    return sure && shift->test.statistic >= DRIFT_KS_LEAST;
}

static void compare(struct profile_shift *shift)
{
    shift->test.chance = 1;
    if (!shift->before || !shift->after)
        return;
    shift->how = how_of(shift->before, shift->after);
    if (shift->how == PROFILE_CLASSES)
        compare_classes(shift, &shift->before->top, &shift->after->top);
    else if (shift->how == PROFILE_NUMBERS)
        compare_numbers(shift, &shift->before->values, &shift->after->values);
    else
        compare_numbers(shift, &shift->before->lengths, &shift->after->lengths);
}

static void add_shift(GArray *shifts, struct profile *before, struct profile *after, const char *name)
{
    struct profile_shift shift = {
        .name = name, .before = profile_find(before, name), .after = profile_find(after, name)};
    shift.missing_before = missing(shift.before, before);
    shift.missing_after = missing(shift.after, after);
    compare(&shift);
    shift.flagged = is_flagged(&shift, before, after);
    g_array_append_val(shifts, shift);
}

GArray *profile_compare(struct profile *before, struct profile *after)
{
    GArray *shifts = g_array_new(FALSE, TRUE, sizeof(struct profile_shift));
    for (size_t i = 0; i < profile_count(before); i++)
        add_shift(shifts, before, after, profile_at(before, i)->name);
    for (size_t i = 0; i < profile_count(after); i++)
        if (!profile_find(before, profile_at(after, i)->name))
            add_shift(shifts, before, after, profile_at(after, i)->name);
    return shifts;
}
