#include "verify/theirs.h"

#include "base/hex.h"
#include "base/process.h"
#include "base/units.h"

#define BATCH_PAIRS  1000u
#define INPUT_BYTES  (4u << 20) /* one pair may be larger */
#define ANSWER_BYTES 1024u      /* of a pair, on the average */
#define WORD_BYTES   40u
#define WHY_CHARS    200
#define SHOWN_CHARS  60
#define EQUAL        "equal"

struct their_word {
    char word[WORD_BYTES + 1];
    uint64_t n;
};

struct theirs {
    const struct verify_input *input;
    char *words; /* the command */
    char **envp;
    pthread_mutex_t lock; /* guards: */
    uint64_t pairs;
    struct their_word tallies[THEIRS_WORDS];
    size_t n_tallies;
};

/* Some pairs, as they are sent. */
struct sending {
    struct theirs *theirs;
    struct arena *mem;
    GString *lines;
    GPtrArray *subjects; /* of struct subject */
};

/* --- what was planned --------------------------------------------------------------------------------------------- */

/* What the plan says of it need not be so any more when it is asked. */
static bool is_as_planned(const struct verify_input *input, const char *words, GError **error)
{
    uint8_t now[32];
    return spec_judge_digest(input->judge, input->world, now, error) &&
           (memcmp(now, input->judge_digest, sizeof now) == 0 ||
            error_set(error, SLUICE_ERROR_JUDGE,
                      "verify.command '%s': its file has changed since the run was planned; put it back, or run the "
                      "changed one with --supersede",
                      words));
}

bool theirs_new(struct theirs **ret, const struct verify_input *input, GError **error)
{
    g_autofree char *words = input->judge ? spec_judge_words(&input->judge->judge) : NULL;
    *ret = NULL;
    if (!words)
        return true;
    if (!is_as_planned(input, words, error))
        return false;
    struct theirs *theirs = g_new0(struct theirs, 1);
    theirs->input = input;
    theirs->words = g_steal_pointer(&words);
    theirs->envp = process_environment();
    pthread_mutex_init(&theirs->lock, NULL);
    *ret = theirs;
    return true;
}

void theirs_free(struct theirs *theirs)
{
    if (!theirs)
        return;
    pthread_mutex_destroy(&theirs->lock);
    g_strfreev(theirs->envp);
    g_free(theirs->words);
    g_free(theirs);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void put_pair(GString *lines, const struct subject *subject, enum verify_class class)
{
    bool present = subject->live.presence == RECORD_PRESENT;
    g_string_append_c(lines, '{');
    report_put_json(lines, "key", report_key_json(subject->key));
    if (subject->from.len && !slice_equal(subject->from, subject->key)) {
        g_string_append_c(lines, ',');
        report_put_json(lines, "from", report_key_json(subject->from));
    }
    g_string_append_printf(lines, ",\"class\":\"%s\"", verify_class_row(class)->word);
    report_put_document(lines, "before", subject->source);
    report_put_document(lines, "wanted", subject->want_absent ? SLICE_EMPTY : subject->document);
    report_put_document(lines, "found", present ? subject->live_document : SLICE_EMPTY);
    report_put_expiry(lines, "wanted_expires_at", subject->expiry_known ? subject->expires_at_ms : EXPIRES_NEVER);
    report_put_expiry(lines, "found_expires_at", present ? subject->live.expires_at_ms : EXPIRES_NEVER);
    g_string_append(lines, "}\n");
}

/* JUDGE, whatever it was: nobody is to take a judge that failed for a store that did. */
static bool failed(const struct theirs *theirs, GError *why, GError **error)
{
    if (!error_is(why, SLUICE_ERROR_CANCELLED)) {
        why->code = SLUICE_ERROR_JUDGE;
        error_add(&why, "verify.command '%s'", theirs->words);
    }
    g_propagate_error(error, why);
    return false;
}

static bool wrong(const struct theirs *theirs, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool wrong(const struct theirs *theirs, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    return error_set(error, SLUICE_ERROR_JUDGE,
                     "verify.command '%s': %s; the verification ends here, for nothing is "
                     "equal because a judge did not say otherwise",
                     theirs->words, why);
}

/* Its standard output, whole; the caller frees. */
static bool ask(const struct sending *sending, char **ret, GError **error)
{
    const struct verify_input *input = sending->theirs->input;
    const struct spec_judge *judge = &input->judge->judge;
    const char *shell[] = {"/bin/sh", "-c", judge->shell, NULL};
    size_t most = (size_t)sending->subjects->len * ANSWER_BYTES + ANSWER_BYTES;
    struct process_call call = {.argv = judge->shell ? shell : (const char *const *)judge->argv,
                                .envp = (const char *const *)sending->theirs->envp,
                                .dir = input->judge->dir,
                                .input = slice_of(sending->lines->str, sending->lines->len),
                                .timeout_us = judge->timeout_ms * 1000,
                                .cancel = input->cancel,
                                .keep_bytes = most,
                                .mute = true};
    struct process_end end = {0};
    GError *why = NULL;
    bool ended = process_run(input->world, &call, &end, &why);
    g_autofree char *printed = end.output;
    if (!ended)
        return failed(sending->theirs, why, error);
    if (end.status != 0)
        return wrong(sending->theirs, error, "it ended with %d", end.status);
    if (end.printed > most)
        return wrong(sending->theirs, error, "it printed more than %u bytes a pair", ANSWER_BYTES);
    if (memchr(printed, '\0', end.output_len))
        return wrong(sending->theirs, error, "it printed a byte of zero");
    *ret = g_steal_pointer(&printed);
    return true;
}

/* --- its verdicts ------------------------------------------------------------------------------------------------- */

static char *shown(const char *text, int most)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    if (g_utf8_strlen(valid, -1) <= most)
        return g_steal_pointer(&valid);
    g_autofree char *cut = g_utf8_substring(valid, 0, most);
    return g_strconcat(cut, "…", NULL);
}

static bool is_word(const char *word)
{
    size_t len = word ? strlen(word) : 0;
    return len > 0 && len <= WORD_BYTES && strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static bool is_about(const json_t *answer, const struct subject *subject)
{
    json_t *key = json_object_get(answer, "key");
    if (!key)
        return true;
    json_t *asked = report_key_json(subject->key);
    bool same = json_equal(key, asked);
    json_decref(asked);
    return same;
}

static bool keep(struct arena *mem, const char *text, const char **ret, GError **error)
{
    *ret = arena_text(mem, slice_of_text(text));
    return *ret || error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
}

static bool take_answer(const struct sending *sending, const json_t *answer, struct subject *subject, GError **error)
{
    const char *word = json_string_value(json_object_get(answer, "verdict"));
    const char *why = json_string_value(json_object_get(answer, "why"));
    if (strcmp(word, EQUAL) == 0)
        return true;
    if (!keep(sending->mem, word, &subject->word, error))
        return false;
    if (!why)
        return true;
    g_autofree char *cut = shown(why, WHY_CHARS);
    return keep(sending->mem, cut, &subject->theirs_why, error);
}

static bool take_line(const struct sending *sending, const char *line, size_t at, GError **error)
{
    struct subject *subject = sending->subjects->pdata[at];
    json_t *answer = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_object(answer) && is_word(json_string_value(json_object_get(answer, "verdict")));
    bool about = ok && is_about(answer, subject);
    if (about)
        ok = take_answer(sending, answer, subject, error);
    json_decref(answer);
    if (about)
        return ok;
    g_autofree char *said = shown(line, SHOWN_CHARS);
    return wrong(sending->theirs, error, "line %" G_GSIZE_FORMAT " of its answer to %u pairs is %s: '%s'", at + 1,
                 sending->subjects->len,
                 ok ? "about another key than that line of what it was asked"
                    : "no verdict such as {\"verdict\": \"equal\"}",
                 said);
}

static bool take_lines(const struct sending *sending, char *printed, GError **error)
{
    size_t n = sending->subjects->len, got = 0;
    g_assert(printed);
    for (char *line = printed, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        if (got < n && !take_line(sending, line, got, error))
            return false;
        got++;
    }
    return got == n ||
           wrong(sending->theirs, error, "it gave %" G_GSIZE_FORMAT " verdicts on %" G_GSIZE_FORMAT " pairs", got, n);
}

/* Under the lock. */
static bool count(struct theirs *theirs, const char *word)
{
    size_t at = 0;
    while (at < theirs->n_tallies && strcmp(theirs->tallies[at].word, word) != 0)
        at++;
    if (at == THEIRS_WORDS)
        return false;
    if (at == theirs->n_tallies)
        g_strlcpy(theirs->tallies[theirs->n_tallies++].word, word, sizeof theirs->tallies->word);
    theirs->tallies[at].n++;
    return true;
}

static bool count_all(const struct sending *sending, GError **error)
{
    struct theirs *theirs = sending->theirs;
    auto_hold(&theirs->lock);
    theirs->pairs += sending->subjects->len;
    for (guint i = 0; i < sending->subjects->len; i++) {
        const struct subject *subject = sending->subjects->pdata[i];
        if (subject->word && !count(theirs, subject->word))
            return wrong(theirs, error, "it has more than %d words for a difference", THEIRS_WORDS);
    }
    return true;
}

static bool send_pairs(struct sending *sending, GError **error)
{
    g_autofree char *printed = NULL;
    if (sending->subjects->len == 0)
        return true;
    if (!ask(sending, &printed, error) || !take_lines(sending, printed, error) || !count_all(sending, error))
        return false;
    g_string_truncate(sending->lines, 0);
    g_ptr_array_set_size(sending->subjects, 0);
    return true;
}

bool theirs_judge(struct pass *pass, GArray *subjects, GError **error)
{
    if (!pass->verification->theirs)
        return true;
    g_autoptr(GString) lines = g_string_new(NULL);
    g_autoptr(GPtrArray) due = g_ptr_array_new();
    struct sending sending = {.theirs = pass->verification->theirs, .mem = pass->mem, .lines = lines, .subjects = due};
    bool ok = true;
    for (guint i = 0; ok && i < subjects->len; i++) {
        struct subject *subject = &g_array_index(subjects, struct subject, i);
        enum verify_class class = judge_class(pass, subject);
        if (class != VERIFY_EQUAL && class != VERIFY_DIFFERING && class != VERIFY_MISSING)
            continue;
        if (!judge_documents(pass, subject, error))
            return false;
        put_pair(lines, subject, class);
        g_ptr_array_add(due, subject);
        if (due->len == BATCH_PAIRS || lines->len >= INPUT_BYTES)
            ok = send_pairs(&sending, error);
    }
    return ok && send_pairs(&sending, error);
}

/* --- told --------------------------------------------------------------------------------------------------------- */

void theirs_words(struct theirs *theirs, GString *into)
{
    char count[UNITS_TEXT];
    if (!theirs)
        return;
    g_string_append_printf(into, "; %s judged %s pair%s: ", theirs->words, units_count(theirs->pairs, count),
                           theirs->pairs == 1 ? "" : "s");
    for (size_t i = 0; i < theirs->n_tallies; i++)
        g_string_append_printf(into, "%s%s %s", i ? ", " : "", units_count(theirs->tallies[i].n, count),
                               theirs->tallies[i].word);
    if (theirs->n_tallies == 0)
        g_string_append(into, theirs->pairs ? "all equal" : "none was to be judged");
}

json_t *theirs_json(struct theirs *theirs)
{
    char hex[HEX_TEXT(32)];
    json_t *words = json_object();
    for (size_t i = 0; i < theirs->n_tallies; i++)
        json_object_set_new(words, theirs->tallies[i].word, json_integer((json_int_t)theirs->tallies[i].n));
    return json_pack("{s:s, s:s, s:I, s:o}", "command", theirs->words, "digest",
                     hex_text(theirs->input->judge_digest, 32, hex), "pairs", (json_int_t)theirs->pairs, "words",
                     words);
}
