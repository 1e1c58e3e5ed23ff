#include "verify/page.h"

#include "base/hex.h"
#include "base/units.h"
#include "verify/cause.h"
#include "verify/expect.h"
#include "verify/measures.h"
#include "verify/plots.h"
#include "verify/theirs.h"
#include "verify/times.h"

static const char HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri "
    "'none'; form-action 'none'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#1c1c1c;"
    "background:#fff}\n"
    "h1{font-size:1.6em}h2{font-size:1.15em;margin-top:2em}\n"
    ".pass{color:#0a5c2b}.fail{color:#a01515}\n"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.25em .8em .25em 0;"
    "border-bottom:1px solid #ddd}td:first-child{min-width:9em}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}\n"
    ".before{fill:#9a9a9a}.after{fill:#2b6cb0}.baseline{fill:#d08a1d}.wide{overflow-x:auto}.narrow{width:auto}"
    ".wide td,small{font-size:13px}.wide "
    "td:first-child{min-width:0}td.t{white-space:nowrap}td:last-child{overflow-wrap:anywhere}"
    "small{display:block;max-width:24em}\n"
    "@media (prefers-color-scheme:dark){body{color:#e4e4e4;background:#161616}.pass{color:#6fd394}.fail{color:#ff8a80}"
    "th,td{border-color:#3a3a3a}}\n</style>\n";

/* --- escaping
 * ---------------------------------------------------------------------------------------------------------- */

static const char *entity_of(gunichar c)
{
    static const struct {
        char c;
        const char *entity;
    } ENTITIES[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (size_t i = 0; i < G_N_ELEMENTS(ENTITIES); i++)
        if (c == (gunichar)ENTITIES[i].c)
            return ENTITIES[i].entity;
    return NULL;
}

static void put_char(GString *page, gunichar c)
{
    const char *entity = entity_of(c);
    if (entity)
        g_string_append(page, entity);
    else if (g_unichar_isprint(c))
        g_string_append_unichar(page, c);
    else
        g_string_append_printf(page, "\\u{%x}", (unsigned)c);
}

void page_escape(GString *page, const char *text)
{
    while (*text) {
        gunichar c = g_utf8_get_char_validated(text, -1);
        if (c == (gunichar)-1 || c == (gunichar)-2) {
            g_string_append_printf(page, "\\x%02x", (unsigned)(uint8_t)*text++);
            continue;
        }
        put_char(page, c);
        text = g_utf8_next_char(text);
    }
}

static void put_cell(GString *page, const char *text)
{
    g_string_append(page, "<td>");
    page_escape(page, text);
    g_string_append(page, "</td>");
}

static void put_code(GString *page, const char *text)
{
    g_string_append(page, "<td><code>");
    page_escape(page, text);
    g_string_append(page, "</code></td>");
}

static void put_count(GString *page, uint64_t count)
{
    char text[UNITS_TEXT];
    g_string_append_printf(page, "<td class=\"n\">%s</td>", units_count(count, text));
}

/* --- the parts
 * --------------------------------------------------------------------------------------------------------- */

static void put_row(GString *page, const char *what, const char *text)
{
    if (!text)
        return;
    g_string_append(page, "<tr>");
    put_cell(page, what);
    put_cell(page, text);
    g_string_append(page, "</tr>\n");
}

static void put_verdict(GString *page, const struct page *of)
{
    const char *verdict = of->result->pass ? "pass" : "fail";
    g_string_append(page, "<title>");
    page_escape(page, of->input->run ? of->input->run : "");
    g_string_append_printf(page, ": %s</title></head><body>\n<h1 class=\"%s\">%s</h1>\n<p>", verdict, verdict, verdict);
    page_escape(page, of->result->sentence);
    g_string_append(page, "</p>\n");
}

static void put_what(GString *page, const struct page *of)
{
    uint8_t digest[32];
    char hex[HEX_TEXT(sizeof digest)], sums[UNITS_TEXT], full[UNITS_TEXT];
    picture_digest(of->picture, digest);
    g_autofree char *report = g_path_get_basename(of->result->report_path);
    g_autofree char *parts =
        g_strdup_printf("%s told by the sums of their gates, %s compared key by key",
                        units_count(of->result->by_sums, sums), units_count(of->result->in_full, full));
    g_autofree char *lines = g_strdup_printf("%s, %" G_GUINT64_FORMAT " lines, BLAKE2b-256 %s", report,
                                             picture_lines(of->picture), hex_text(digest, sizeof digest, hex));
    g_string_append(page, "<h2>What was proven</h2>\n<table>\n");
    put_row(page, "run or spec", of->input->run);
    put_row(page, "target", of->input->target_name);
    put_row(page, "partitions", parts);
    put_row(page, "differences", lines);
    g_autoptr(GString) judged = g_string_new(NULL);
    theirs_words(of->theirs, judged);
    g_autofree char *cause = of->input->cause ? cause_words(of->input->cause) : NULL;
    put_row(page, "root cause", cause);
    put_row(page, "another judge", judged->len ? judged->str + strlen("; ") : NULL);
    g_string_append(page, "</table>\n");
}

static void put_classes(GString *page, const struct page *of)
{
    g_string_append(page, "<h2>Every key has one class</h2>\n<table>\n<tr><th>class</th><th>keys</th><th>what it "
                          "means</th></tr>\n");
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++) {
        const struct verify_class_row *row = verify_class_row((enum verify_class)i);
        g_string_append(page, "<tr>");
        put_cell(page, row->word);
        put_count(page, of->result->of[i]);
        put_cell(page, row->words);
        g_string_append(page, "</tr>\n");
    }
    g_string_append(page, "</table>\n");
}

static void put_expected(GString *page, const struct page *of)
{
    const GArray *expected = of->result->expected;
    if (!expected)
        return;
    g_string_append(page, "<h2>What was expected</h2>\n<table>\n<tr><th>expectation</th><th>holds</th><th>what stands "
                          "there</th></tr>\n");
    for (guint i = 0; i < expected->len; i++) {
        const struct expect_result *one = &g_array_index(expected, struct expect_result, i);
        g_autofree char *words = expect_words(one);
        g_string_append(page, "<tr>");
        put_cell(page, one->of->name);
        put_cell(page, one->holds ? "yes" : "no");
        put_code(page, one->holds ? one->found : words);
        g_string_append(page, "</tr>\n");
    }
    g_string_append(page, "</table>\n");
}

static void put_measures(GString *page, const struct page *of)
{
    const struct measures *measures = of->input->measures;
    if (!of->result->measured)
        return;
    g_string_append(page,
                    "<h2>What was measured</h2>\n<table>\n<tr><th>measure</th><th>is what it may become</th><th>figures"
                    "</th><th>why</th></tr>\n");
    for (size_t i = 0; i < measures->n; i++) {
        g_autofree char *why = NULL, *words = measures_words(measures, i);
        bool holds = measures_hold(measures, i, &why);
        g_string_append(page, "<tr>");
        put_cell(page, measures->of[i].name);
        put_cell(page, holds ? "yes" : "no");
        put_code(page, words);
        put_cell(page, why ? why : "");
        g_string_append(page, "</tr>\n");
    }
    g_string_append(page, "</table>\n");
}

static void put_field(GString *page, const struct picture_field *field)
{
    g_autoptr(GString) keys = g_string_new(NULL);
    for (guint i = 0; i < field->keys->len; i++)
        g_string_append_printf(keys, "%s%s", i ? ", " : "", (const char *)field->keys->pdata[i]);
    g_string_append(page, "<tr>");
    put_cell(page, verify_class_row(field->class)->word);
    put_code(page, field->name);
    put_count(page, field->count);
    put_code(page, keys->str);
    g_string_append(page, "</tr>\n");
}

static void put_fields(GString *page, const struct page *of)
{
    uint64_t more;
    const GPtrArray *fields = picture_fields(of->picture, &more);
    if (fields->len == 0)
        return;
    g_string_append(page, "<h2>Which fields differ</h2>\n<table>\n<tr><th>class</th><th>field</th><th>keys</th>"
                          "<th>such as</th></tr>\n");
    for (guint i = 0; i < fields->len; i++)
        put_field(page, fields->pdata[i]);
    g_string_append(page, "</table>\n");
    if (more)
        g_string_append_printf(page, "<p>%" G_GUINT64_FORMAT " more, of other fields.</p>\n", more);
}

static void put_line(GString *page, const struct picture_line *line)
{
    g_string_append(page, "<tr>");
    put_code(page, line->key);
    put_cell(page, verify_class_row(line->class)->word);
    put_code(page, line->wanted);
    put_code(page, line->live);
    put_cell(page, line->why ? line->why : "");
    g_string_append(page, "</tr>\n");
}

static void put_lines(GString *page, const struct page *of)
{
    const GPtrArray *kept = picture_kept(of->picture);
    if (kept->len == 0)
        return;
    g_string_append_printf(page,
                           "<h2>The first %u of %" G_GUINT64_FORMAT " lines of the report</h2>\n<table>\n"
                           "<tr><th>key</th><th>class</th><th>wanted</th><th>the target holds</th><th>why</th></tr>\n",
                           kept->len, picture_lines(of->picture));
    for (guint i = 0; i < kept->len; i++)
        put_line(page, kept->pdata[i]);
    g_string_append(page, "</table>\n");
}

GString *page_of(const struct page *page)
{
    GString *text = g_string_new(HEAD);
    put_verdict(text, page);
    put_what(text, page);
    put_classes(text, page);
    put_expected(text, page);
    put_measures(text, page);
    times_put(text, page->result->times);
    if (page->strata)
        strata_put(page->strata, text);
    put_fields(text, page);
    if (picture_hides(page->picture))
        g_string_append(text,
                        "<p>Keys, documents and what the fields hold are not shown: the run has a key, and the report "
                        "beside this page is sealed. <code>sluice dump</code> opens it.</p>\n");
    else
        plots_put(text, page->shift, page->input->baseline);
    put_lines(text, page); /* the longest comes last */
    return g_string_append(text, "</body></html>\n");
}
