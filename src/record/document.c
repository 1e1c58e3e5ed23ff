#include "record/document.h"

#include "record/element.h"
#include "record/key_set.h"
#include "record/text.h"

struct check {
    struct slice document;
    size_t depth;
    struct key_set keys;
    GError **error;
};

static bool refuse(struct check *check, const struct element *element, const char *what)
{
    char quote[TEXT_QUOTE];
    return error_set(check->error, SLUICE_ERROR_BAD_RECORD, "field '%s': %s", text_quote(element->name, quote), what);
}

static bool check_members(struct check *check, struct slice document, bool array);

static bool check_value(struct check *check, const struct element *element)
{
    switch (element->type) {
    case BSON_TYPE_UTF8:
        return text_is_utf8(element_string(element), NULL) || refuse(check, element, "the string is not UTF-8");
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        if (check->depth == DOCUMENT_DEPTH)
            return refuse(check, element, "nested deeper than 100 objects and arrays");
        return check_members(check, element->value, element->type == BSON_TYPE_ARRAY);
    default:
        return true;
    }
}

static bool check_name(struct check *check, struct key_frame *frame, const struct element *element, bool array)
{
    if (!text_is_utf8(element->name, NULL))
        return refuse(check, element, "the key is not UTF-8");
    if (array)
        return true;
    size_t at = (size_t)(element->name.data - check->document.data);
    switch (key_set_add(&check->keys, frame, check->document.data, at, element->name.len)) {
    case KEY_TWICE:
        return refuse(check, element, "the key stands twice in one object");
    case KEY_NO_MEMORY:
        return error_set(check->error, SLUICE_ERROR_TOO_BIG, "an object has too many keys: memory ran out");
    case KEY_NEW:
        break;
    }
    return true;
}

static bool check_members(struct check *check, struct slice document, bool array)
{
    struct elements elements;
    struct element element;
    struct key_frame frame;
    enum element_result result = ELEMENT_DAMAGED;
    check->depth++;
    key_set_open(&check->keys, &frame);
    if (elements_of(document, &elements))
        while ((result = element_next(&elements, &element)) == ELEMENT_OK)
            if (!check_name(check, &frame, &element, array) || !check_value(check, &element))
                return false;
    if (result != ELEMENT_END)
        return element_fault(result, &element, check->error);
    key_set_close(&check->keys, &frame);
    check->depth--;
    return true;
}

bool document_check(struct slice bytes, GError **error)
{
    if (bytes.len > DOCUMENT_BYTES)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a record of %zu bytes; a record has at most 16 MiB", bytes.len);
    struct check check; /* the key set is not cleared */
    check.document = bytes;
    check.depth = 0;
    check.error = error;
    key_set_init(&check.keys);
    bool ok = check_members(&check, bytes, false);
    key_set_done(&check.keys);
    return ok;
}

struct slice document_empty(void)
{
    static const uint8_t bytes[] = {5, 0, 0, 0, 0};
    return slice_of(bytes, sizeof bytes);
}
