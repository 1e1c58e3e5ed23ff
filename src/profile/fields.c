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
    size_t next;       /* the field that is met next, as a rule */
    GByteArray *one;   /* a document of one value */
    GString *text;
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
    profile->one = g_byte_array_new();
    profile->text = g_string_new(NULL);
    return profile;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    g_ptr_array_unref(profile->fields);
    g_byte_array_unref(profile->one);
    g_string_free(profile->text, TRUE);
    g_free(profile);
}

void profile_set_records(struct profile *profile, uint64_t records)
{
    profile->records = records;
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

/* Most texts that are numbers are short and whole; false: this one is not. */
static bool whole_number(struct slice text, double *ret)
{
    enum { DIGITS = 15 }; /* of which a double holds each */
    bool negative = text.len > 0 && text.data[0] == '-';
    size_t at = negative, digits = text.len - at;
    int64_t value = 0;
    if (digits == 0 || digits > DIGITS || (digits > 1 && text.data[at] == '0'))
        return false;
    for (; at < text.len; at++) {
        if (text.data[at] < '0' || text.data[at] > '9')
            return false;
        value = 10 * value + (text.data[at] - '0');
    }
    *ret = (double)(negative ? -value : value);
    return true;
}

/* Most texts that are none show it at once: names begin with a letter, numbers of orders and places with a nought. */
static bool may_be_number(struct slice text)
{
    size_t at = text.len > 0 && text.data[0] == '-';
    if (at == text.len || text.data[at] < '0' || text.data[at] > '9')
        return false;
    return text.data[at] != '0' || at + 1 == text.len || text.data[at + 1] < '0' || text.data[at + 1] > '9';
}

static bool number_of_text(struct slice text, double *ret)
{
    bson_decimal128_t decimal;
    if (whole_number(text, ret))
        return true;
    if (!may_be_number(text) || !decimal_parse(text, &decimal, NULL))
        return false;
    *ret = g_ascii_strtod((const char *)text.data, NULL); /* a NUL follows */
    return true;
}

static bool number_of(const struct element *value, double *ret)
{
    bson_decimal128_t decimal;
    char text[DECIMAL_TEXT];
    switch (value->type) {
    case BSON_TYPE_INT32:
        *ret = (double)element_i32(value);
        return true;
    case BSON_TYPE_INT64:
    case BSON_TYPE_DATE_TIME:
        *ret = (double)element_i64(value);
        return true;
    case BSON_TYPE_DOUBLE:
        *ret = element_double(value);
        break;
    case BSON_TYPE_DECIMAL128:
        decimal = element_decimal(value);
        *ret = g_ascii_strtod(decimal_text(&decimal, text), NULL);
        break;
    case BSON_TYPE_UTF8:
        if (!number_of_text(element_string(value), ret))
            return false;
        break;
    default:
        return false;
    }
    return isfinite(*ret);
}

/* By itself, its name empty. */
static struct slice document_of(struct profile *profile, const struct element *value)
{
    enum { BEFORE = 6, BEHIND = 1 };
    uint8_t before[BEFORE] = {0}, behind[BEHIND] = {0};
    uint32_t len = GUINT32_TO_LE((uint32_t)(BEFORE + value->value.len + BEHIND));
    memcpy(before, &len, sizeof len);
    before[sizeof len] = value->type;
    g_byte_array_set_size(profile->one, 0);
    g_byte_array_append(profile->one, before, BEFORE);
    g_byte_array_append(profile->one, value->value.data, (guint)value->value.len);
    g_byte_array_append(profile->one, behind, BEHIND);
    return slice_of(profile->one->data, profile->one->len);
}

/* Of what is equal by value, however it was stored. */
static bool class_of(struct profile *profile, const struct element *value, struct digest *ret)
{
    enum { TEXTS = 1 }; /* a seed of their own */
    if (value->type != BSON_TYPE_UTF8)
        return digest_canonical(document_of(profile, value), 0, ret, NULL);
    *ret = digest_bytes(element_string(value), TEXTS);
    return true;
}

/* A new one is kept with its JSON, as far as it is shown. */
static void add_class(struct profile *profile, struct profile_field *field, const struct element *value)
{
    struct digest digest;
    if (!class_of(profile, value, &digest))
        return;
    if (!top_again(&field->top, digest.low)) {
        size_t around = strlen("{\"\":");
        g_string_truncate(profile->text, 0);
        if (!document_to_json(document_of(profile, value), profile->text, NULL))
            return;
        top_put(&field->top, digest.low, profile->text->str + around, profile->text->len - around - 1);
    }
    distinct_add(&field->distinct, digest.high);
}

/* Documents have their fields in one order, as a rule. */
struct profile_field *profile_field_of(struct profile *profile, struct slice name)
{
    guint n = profile->fields->len;
    for (guint i = 0; i < n; i++) {
        size_t at = (profile->next + i) % n;
        struct profile_field *field = profile_at(profile, at);
        if (slice_equal(slice_of_text(field->name), name)) {
            profile->next = at + 1;
            return field;
        }
    }
    if (n == PROFILE_FIELDS || name.len > PROFILE_NAME)
        return NULL;
    struct profile_field *field = g_new0(struct profile_field, 1);
    field->name = g_strndup((const char *)name.data, name.len);
    g_ptr_array_add(profile->fields, field);
    profile->next = 0;
    return field;
}

void profile_add_value(struct profile *profile, const struct element *value)
{
    struct profile_field *field = profile_field_of(profile, value->name);
    double number;
    if (!field)
        return;
    if (value->type == BSON_TYPE_NULL) {
        field->nulls++;
        return;
    }
    field->present++;
    add_class(profile, field, value);
    if (number_of(value, &number)) {
        field->numbers++;
        quantiles_add(&field->values, number);
    }
    if (value->type == BSON_TYPE_UTF8)
        quantiles_add(&field->lengths, (double)element_string(value).len);
}

bool profile_add_record(struct profile *profile, struct slice document, struct elements *ret)
{
    if (document.len == 0 || !elements_of(document, ret))
        return false;
    profile->records++;
    return true;
}

void profile_add(struct profile *profile, struct slice document)
{
    struct elements elements;
    struct element value;
    if (!profile_add_record(profile, document, &elements))
        return;
    while (element_next(&elements, &value) == ELEMENT_OK)
        profile_add_value(profile, &value);
}

void profile_merge(struct profile *into, struct profile *from)
{
    into->records += from->records;
    for (size_t i = 0; i < profile_count(from); i++) {
        struct profile_field *one = profile_at(from, i), *field = profile_field_of(into, slice_of_text(one->name));
        if (!field)
            continue;
        field->present += one->present;
        field->nulls += one->nulls;
        field->numbers += one->numbers;
        field->moved |= one->moved;
        distinct_merge(&field->distinct, &one->distinct);
        quantiles_merge(&field->values, &one->values);
        quantiles_merge(&field->lengths, &one->lengths);
        top_merge(&field->top, &one->top);
    }
}

static uint64_t times(uint64_t count, double by)
{
    return (uint64_t)llround((double)count * by);
}

static void top_scale(struct top *top, double by)
{
    for (size_t i = 0; i < top->n; i++) {
        top->of[i].count = times(top->of[i].count, by);
        top->of[i].over = times(top->of[i].over, by);
    }
    top->count = times(top->count, by);
    top->least = 0; /* it is sought again, where it is needed */
}

void profile_scale(struct profile *profile, double by)
{
    profile->records = times(profile->records, by);
    for (size_t i = 0; i < profile_count(profile); i++) {
        struct profile_field *field = profile_at(profile, i);
        field->present = times(field->present, by);
        field->nulls = times(field->nulls, by);
        field->numbers = times(field->numbers, by);
        quantiles_scale(&field->values, by);
        quantiles_scale(&field->lengths, by);
        top_scale(&field->top, by);
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
        if (!top_has(before, after->of[i].hash)) {
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
