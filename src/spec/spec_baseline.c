/* What the values of a run are held against. */
#include "spec/spec_rows.h"

#define FILE_PREFIX "file:"
#define EXPECTED                                                                                                       \
    "latest, none, the name of a run such as nightly.3 or nightly, or a profile that was put aside such as "           \
    "file:july.profile"

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

static bool read_baseline(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                          void *into)
{
    static const struct {
        const char *word;
        enum spec_baseline_of of;
    } WORDS[] = {{"latest", BASELINE_LATEST}, {"none", BASELINE_NONE}};
    struct spec_baseline *baseline = row_field(row, into);
    if (!form_text.read(reader, &(struct spec_row){.key = row->key}, node, &baseline->name))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(WORDS); i++)
        if (strcmp(baseline->name, WORDS[i].word) == 0) {
            baseline->of = WORDS[i].of;
            return true;
        }
    if (g_str_has_prefix(baseline->name, FILE_PREFIX) && baseline->name[strlen(FILE_PREFIX)]) {
        baseline->of = BASELINE_FILE;
        baseline->name = forms_resolve(reader, baseline->name + strlen(FILE_PREFIX));
        return true;
    }
    baseline->of = BASELINE_RUN;
    return is_run(baseline->name) || yaml_expected(reader->yaml, node, EXPECTED);
}

const struct row_form form_baseline = {.read = read_baseline, .schema = SCHEMA};
