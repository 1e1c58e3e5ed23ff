/* What the values of a run are held against. */
#include "spec/spec_rows.h"

#define FILE_PREFIX "file:"

/* NAME.N or NAME, as runs are called. */
#define NAME_MOST   63u
#define DIGITS_MOST 18u
#define SCHEMA                                                                                                         \
    "{\"type\": \"string\", \"pattern\": \"^([a-z0-9][a-z0-9-]{0,62}(\\\\.[1-9][0-9]{0,17})?|file:.+)$\", \"not\": "   \
    "{\"pattern\": \"\\\\$\\\\{\"}}"

static bool is_run(const char *text)
{
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    const char *number = text + name + 1;
    if (name == 0 || name > NAME_MOST || text[0] == '-')
        return false;
    if (text[name] == '\0')
        return true;
    size_t digits = strspn(number, "0123456789");
    return text[name] == '.' && number[0] != '0' && digits > 0 && digits <= DIGITS_MOST && !number[digits];
}

bool spec_baseline_parse(const char *text, struct spec_baseline *ret)
{
    static const struct {
        const char *word;
        enum spec_baseline_of of;
    } WORDS[] = {{"latest", BASELINE_LATEST}, {"none", BASELINE_NONE}};
    *ret = (struct spec_baseline){.of = BASELINE_RUN, .name = text};
    for (size_t i = 0; i < G_N_ELEMENTS(WORDS); i++)
        if (strcmp(text, WORDS[i].word) == 0) {
            ret->of = WORDS[i].of;
            return true;
        }
    if (!g_str_has_prefix(text, FILE_PREFIX))
        return is_run(text);
    *ret = (struct spec_baseline){.of = BASELINE_FILE, .name = text + strlen(FILE_PREFIX)};
    return *ret->name;
}

static bool read_baseline(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                          void *into)
{
    struct spec_baseline *baseline = row_field(row, into);
    const char *text;
    if (!form_text.read(reader, &(struct spec_row){.key = row->key}, node, &text))
        return false;
    if (!spec_baseline_parse(text, baseline))
        return yaml_expected(reader->yaml, node, SPEC_BASELINE_EXPECTED);
    if (baseline->of == BASELINE_FILE)
        baseline->name = forms_resolve(reader, baseline->name);
    return true;
}

const struct row_form form_baseline = {.read = read_baseline, .schema = SCHEMA};
