#include "verify/picture.h"

#include <sodium.h>

#include "verify/verify_parts.h"

struct picture {
    crypto_generichash_state digest;
    bool hidden;
    uint64_t lines, more;
    GPtrArray *fields; /* of struct picture_field */
    GPtrArray *kept;   /* of struct picture_line */
};

static void field_free(void *data)
{
    struct picture_field *field = data;
    g_free(field->name);
    g_ptr_array_unref(field->keys);
    g_free(field);
}

static void line_free(void *data)
{
    struct picture_line *line = data;
    g_free(line->key);
    g_free(line->wanted);
    g_free(line->live);
    g_free(line->why);
    g_free(line);
}

struct picture *picture_new(bool hidden)
{
    struct picture *picture = g_new0(struct picture, 1);
    picture->hidden = hidden;
    crypto_generichash_init(&picture->digest, NULL, 0, 32);
    picture->fields = g_ptr_array_new_with_free_func(field_free);
    picture->kept = g_ptr_array_new_with_free_func(line_free);
    return picture;
}

void picture_free(struct picture *picture)
{
    if (!picture)
        return;
    g_ptr_array_unref(picture->fields);
    g_ptr_array_unref(picture->kept);
    g_free(picture);
}

/* NULL: there are too many already. */
static struct picture_field *field_of(struct picture *picture, enum verify_class class, const char *name)
{
    for (guint i = 0; i < picture->fields->len; i++) {
        struct picture_field *field = picture->fields->pdata[i];
        if (field->class == class && strcmp(field->name, name) == 0)
            return field;
    }
    if (picture->fields->len == PICTURE_FIELDS)
        return NULL;
    struct picture_field *field = g_new0(struct picture_field, 1);
    field->class = class;
    field->name = g_strdup(name);
    field->keys = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(picture->fields, field);
    return field;
}

static char *key_text(struct slice key)
{
    json_t *json = report_key_json(key);
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT), *copy = g_strdup(text ? text : "null");
    free(text);
    json_decref(json);
    return copy;
}

static void add_field(struct picture *picture, const struct difference *difference, const char *name)
{
    struct picture_field *field = field_of(picture, difference->class, name);
    if (!field) {
        picture->more++;
        return;
    }
    field->count++;
    if (!picture->hidden && field->keys->len < PICTURE_KEYS)
        g_ptr_array_add(field->keys, key_text(difference->key));
}

/* A text that is cut ends between two characters. */
static char *document_text(struct slice document)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (document.len == 0 || !document_to_json(document, text, NULL))
        return g_strdup("");
    if (text->len <= PICTURE_BYTES)
        return g_strdup(text->str);
    const char *end = g_utf8_find_prev_char(text->str, text->str + PICTURE_BYTES);
    return g_strdup_printf("%.*s…", (int)(end ? end - text->str : 0), text->str);
}

/* Why, where the class alone does not say it. */
static char *why_of(const struct difference *difference)
{
    if (difference->theirs)
        return g_strdup_printf("judged %s%s%s", difference->theirs, difference->theirs_why ? ": " : "",
                               difference->theirs_why ? difference->theirs_why : "");
    return g_strdup(difference->why ? difference->why : difference->expiry_differs ? "its expiry differs" : NULL);
}

static void keep(struct picture *picture, const struct difference *difference)
{
    struct picture_line *line = g_new0(struct picture_line, 1);
    *line = (struct picture_line){.class = difference->class,
                                  .key = key_text(difference->key),
                                  .wanted = document_text(difference->wanted),
                                  .live = document_text(difference->live),
                                  .why = why_of(difference)};
    g_ptr_array_add(picture->kept, line);
}

void picture_add(struct picture *picture, const struct difference *difference, const json_t *fields)
{
    picture->lines++;
    for (size_t i = 0; i < json_array_size(fields); i++)
        add_field(picture, difference, json_string_value(json_array_get(fields, i)));
    if (!picture->hidden && picture->kept->len < PICTURE_LINES)
        keep(picture, difference);
}

void picture_add_line(struct picture *picture)
{
    picture->lines++;
}

void picture_add_bytes(struct picture *picture, const char *line)
{
    crypto_generichash_update(&picture->digest, (const uint8_t *)line, strlen(line));
}

bool picture_hides(const struct picture *picture)
{
    return picture->hidden;
}

uint64_t picture_lines(const struct picture *picture)
{
    return picture->lines;
}

void picture_digest(const struct picture *picture, uint8_t ret[32])
{
    crypto_generichash_state state = picture->digest;
    crypto_generichash_final(&state, ret, 32);
}

const GPtrArray *picture_fields(const struct picture *picture, uint64_t *ret_more)
{
    *ret_more = picture->more;
    return picture->fields;
}

const GPtrArray *picture_kept(const struct picture *picture)
{
    return picture->kept;
}
