#include "record/version.h"

#include "base/int.h"
#include "record/datetime.h"
#include "record/decimal.h"
#include "record/digest.h"
#include "record/path_element.h"

static bool refuse(const struct path *path, GError **error, const char *what)
{
    return error_set(error, SLUICE_ERROR_BAD_RECORD,
                     "the version '%s' is %s; expected an integer, a datetime, or a time in RFC 3339 form",
                     path_text(path), what);
}

bool version_of(const struct path *path, struct slice document, struct version *ret, GError **error)
{
    struct element element;
    struct version version = {.kind = VERSION_INTEGER};
    bson_decimal128_t decimal;
    if (!path_element(path, document, &element) || element.type == BSON_TYPE_NULL) {
        *ret = (struct version){.kind = VERSION_NONE};
        return true;
    }
    switch (element.type) {
    case BSON_TYPE_INT32:
        version.value = element_i32(&element);
        break;
    case BSON_TYPE_INT64:
        version.value = element_i64(&element);
        break;
    case BSON_TYPE_DECIMAL128:
        decimal = element_decimal(&element);
        if (!decimal_to_i64(&decimal, &version.value))
            return refuse(path, error, "a decimal that is no integer of 64 bits");
        break;
    case BSON_TYPE_DATE_TIME:
        version.kind = VERSION_TIME;
        if (__builtin_mul_overflow(element_i64(&element), INT64_C(1000), &version.value))
            return refuse(path, error, "a datetime too far from 1970");
        break;
    case BSON_TYPE_UTF8:
        if (int_parse_i64(element_string(&element), &version.value))
            break;
        version.kind = VERSION_TIME;
        if (!datetime_parse_us(element_string(&element), DATETIME_ZONE_REQUIRED, NULL, &version.value, error))
            return error_add(error, "the version '%s'", path_text(path));
        break;
    default:
        return refuse(path, error, element_type_name(&element));
    }
    *ret = version;
    return true;
}

/* The moment that stands for none is as long past as the one behind it. */
static int64_t expiry_ms(int64_t at_us)
{
    int64_t ms = at_us / 1000;
    return ms == EXPIRES_NEVER ? ms + 1 : ms;
}

bool version_expiry(const struct path *path, struct slice document, int64_t *ret_ms, GError **error)
{
    struct version at;
    if (!version_of(path, document, &at, error))
        return false;
    if (at.kind == VERSION_INTEGER)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "expires.from %s: a point in time was expected",
                         path_text(path));
    *ret_ms = at.kind == VERSION_TIME ? expiry_ms(at.value) : EXPIRES_NEVER;
    return true;
}

enum version_order version_compare(struct version a, struct version b, int64_t skew_ms)
{
    if (a.kind != b.kind || a.kind == VERSION_NONE)
        return VERSION_UNORDERED;
    __int128 apart = (__int128)a.value - b.value, tie = a.kind == VERSION_TIME ? (__int128)skew_ms * 1000 : 0;
    if (apart == 0 || (apart < tie && -apart < tie))
        return VERSION_TIE;
    return apart < 0 ? VERSION_OLDER : VERSION_NEWER;
}
