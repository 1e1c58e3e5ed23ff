/* A profile as bytes, and back: docs/formats/profile.md. What is read is as bounded as what was written, and holds
 * nothing that the arithmetic of a comparison could not take. */
#include <math.h>

#include "profile/fields.h"

#define REGISTER_MOST (64 - DISTINCT_BITS + 1)
#define MOVED         1u
#define COUNT_MOST    (UINT64_C(1) << 53) /* which a double holds */

static void put_double(GByteArray *into, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_u64(into, bits);
}

static double get_double(struct reader *reader)
{
    uint64_t bits = reader_u64(reader);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t get_count(struct reader *reader)
{
    uint64_t count = reader_u64(reader);
    reader->ok &= count <= COUNT_MOST;
    return count;
}

static void put_quantiles(struct quantiles *quantiles, GByteArray *into)
{
    quantiles_scale(quantiles, 1); /* none waits */
    put_u32(into, (uint32_t)quantiles->n);
    if (quantiles->n == 0)
        return;
    put_double(into, quantiles->least);
    put_double(into, quantiles->greatest);
    for (size_t i = 0; i < quantiles->n; i++) {
        put_double(into, quantiles->of[i].mean);
        put_double(into, quantiles->of[i].weight);
    }
}

static bool get_centroid(struct reader *reader, double least, double greatest, struct centroid *ret)
{
    *ret = (struct centroid){.mean = get_double(reader)};
    ret->weight = get_double(reader);
    return reader->ok && ret->mean >= least && ret->mean <= greatest && ret->weight > 0 && isfinite(ret->weight);
}

/* Ascending, between two finite ends. */
static bool get_quantiles(struct reader *reader, struct quantiles *into)
{
    uint32_t n = reader_u32(reader);
    if (!reader->ok || n > QUANTILES_CENTROIDS)
        return false;
    if (n == 0)
        return true;
    double least = into->least = get_double(reader);
    into->greatest = get_double(reader);
    bool ok = reader->ok && isfinite(least) && isfinite(into->greatest);
    for (; ok && into->n < n; into->n++) {
        ok = get_centroid(reader, least, into->greatest, &into->of[into->n]);
        least = into->of[into->n].mean;
        into->count += into->of[into->n].weight;
    }
    return ok && isfinite(into->count);
}

static void put_top(const struct top *top, GByteArray *into)
{
    put_u64(into, top->count);
    put_u32(into, (uint32_t)top->n);
    for (size_t i = 0; i < top->n; i++) {
        put_u64(into, top->of[i].hash);
        put_u64(into, top->of[i].count);
        put_u64(into, top->of[i].over);
        put_prefixed(into, slice_of_text(top->of[i].text));
    }
}

static bool get_top_value(struct reader *reader, struct top *into)
{
    struct top_value *value = &into->of[into->n];
    value->hash = into->hashes[into->n] = reader_u64(reader);
    value->count = get_count(reader);
    value->over = get_count(reader);
    struct slice text = reader_prefixed(reader);
    if (!reader->ok || text.len > TOP_BYTES || !g_utf8_validate((const char *)text.data, (gssize)text.len, NULL))
        return false;
    memcpy(value->text, text.data, text.len);
    into->n++;
    return true;
}

static bool get_top(struct reader *reader, struct top *into)
{
    into->count = get_count(reader);
    uint32_t n = reader_u32(reader);
    bool ok = reader->ok && n <= TOP_VALUES;
    while (ok && into->n < n)
        ok = get_top_value(reader, into);
    return ok;
}

static bool get_distinct(struct reader *reader, struct distinct *into)
{
    struct slice registers = reader_bytes(reader, DISTINCT_REGISTERS);
    if (!reader->ok)
        return false;
    for (size_t i = 0; i < registers.len; i++) {
        if (registers.data[i] > REGISTER_MOST)
            return false;
        into->registers[i] = registers.data[i];
    }
    return true;
}

static void put_field(struct profile_field *field, GByteArray *into)
{
    put_prefixed(into, slice_of_text(field->name));
    put_u8(into, field->moved ? MOVED : 0);
    put_u64(into, field->present);
    put_u64(into, field->nulls);
    put_u64(into, field->numbers);
    put_bytes(into, slice_of(field->distinct.registers, DISTINCT_REGISTERS));
    put_quantiles(&field->values, into);
    put_quantiles(&field->lengths, into);
    put_top(&field->top, into);
}

/* Its name is no other's. */
static bool get_field(struct reader *reader, struct profile *into)
{
    struct slice name = reader_prefixed(reader);
    size_t before = profile_count(into);
    if (!reader->ok || !g_utf8_validate((const char *)name.data, (gssize)name.len, NULL))
        return false;
    struct profile_field *field = profile_field_of(into, name);
    if (!field || profile_count(into) == before)
        return false;
    field->moved = reader_u8(reader) & MOVED;
    field->present = get_count(reader);
    field->nulls = get_count(reader);
    field->numbers = get_count(reader);
    return reader->ok && get_distinct(reader, &field->distinct) && get_quantiles(reader, &field->values) &&
           get_quantiles(reader, &field->lengths) && get_top(reader, &field->top);
}

void profile_put(struct profile *profile, GByteArray *into)
{
    put_u64(into, profile_records(profile));
    put_u32(into, (uint32_t)profile_count(profile));
    for (size_t i = 0; i < profile_count(profile); i++)
        put_field(profile_at(profile, i), into);
}

struct profile *profile_get(struct reader *reader)
{
    auto_(profile) profile = profile_new();
    profile_set_records(profile, get_count(reader));
    uint32_t n = reader_u32(reader);
    bool ok = reader->ok && n <= PROFILE_FIELDS;
    for (uint32_t i = 0; ok && i < n; i++)
        ok = get_field(reader, profile);
    return ok ? g_steal_pointer(&profile) : NULL;
}
