#include "verify/sealed.h"

#include <jansson.h>

#include "base/hex.h"

#define FIRST "{\"sealed\":\"reports\",\"run\":\""
#define LINE  "{\"sealed\":\""
#define END   "\"}"

static bool find_key(struct report_seal *io, GError **error)
{
    return world_seal_key(io->world, io->run_uid, "reports", &io->key, &io->sealed, error);
}

bool report_seal_find(struct report_seal *ret, const struct verify_input *input, GError **error)
{
    struct report_seal seal = {.world = input->world};
    if (input->run_uid) {
        memcpy(seal.run_uid, input->run_uid, sizeof seal.run_uid);
        if (!find_key(&seal, error))
            return false;
    }
    *ret = seal;
    return true;
}

bool report_seal_read(struct report_seal *ret, const struct world *world, struct slice first, bool *ret_first,
                      GError **error)
{
    struct report_seal seal = {.world = world};
    size_t begin = strlen(FIRST), uid = 2 * sizeof seal.run_uid;
    *ret_first = first.len == begin + uid + strlen(END) && memcmp(first.data, FIRST, begin) == 0 &&
                 hex_parse(slice_of(first.data + begin, uid), seal.run_uid, sizeof seal.run_uid);
    if (*ret_first && !find_key(&seal, error))
        return false;
    if (*ret_first && !seal.sealed)
        return error_set(
            error, SLUICE_ERROR_REFUSED,
            "it is sealed, and its key is not in this home: it has expired, or the file is of another home");
    *ret = seal;
    return true;
}

char *report_seal_first(const struct report_seal *seal)
{
    char uid[HEX_TEXT(sizeof seal->run_uid)];
    return g_strdup_printf(FIRST "%s" END "\n", hex_text(seal->run_uid, sizeof seal->run_uid, uid));
}

/* What a sealed line belongs to. */
static char *about(const struct report_seal *seal)
{
    char uid[HEX_TEXT(sizeof seal->run_uid)];
    return g_strdup_printf("report %s", hex_text(seal->run_uid, sizeof seal->run_uid, uid));
}

void report_seal_line(const struct report_seal *seal, GString *io)
{
    if (!seal->sealed)
        return;
    g_autofree char *whose = about(seal);
    g_autofree char *text = seal_text(&seal->key, seal->world, slice_of_text(whose), slice_of(io->str, io->len - 1));
    g_string_printf(io, LINE "%s" END "\n", text);
}

bool report_seal_open(const struct report_seal *seal, struct slice line, GString *into)
{
    size_t begin = strlen(LINE), end = strlen(END);
    if (line.len < begin + end || memcmp(line.data, LINE, begin) != 0)
        return false;
    g_autofree char *whose = about(seal);
    return seal_text_open(&seal->key, slice_of_text(whose), slice_of(line.data + begin, line.len - begin - end), into);
}
