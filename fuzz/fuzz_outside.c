/* What those answer whom a run asks: Prometheus, an address, a program, and switches in a file, at an address and under
 * a key. The first byte says whom, the second how well it went; the rest is the answer. A number is one, of several the
 * worst; what gives none is told in words of a length that fits into a line, which hold no secret. */
#include <math.h>
#include <string.h>

#include "base/http.h"
#include "base/process.h"
#include "fuzz.h"
#include "guard/outside.h"
#include "memory.h"
#include "record/document.h"

#define SECRET "/secret"
#define TOKEN  "0f1e2d3c4b5a"
#define SWITCH "/switch"

enum { MESSAGE_MOST = 700 };

static struct {
    struct slice text;
    bool well;
} answer; /* one thread */

/* Nobody is asked: these stand in the place of what they are named after. */
bool __wrap_http_get(const struct http_call *call, struct http_answer *ret, GError **error);
bool __wrap_process_run(const struct world *world, const struct process_call *call, struct process_end *ret,
                        GError **error);
bool __wrap_store_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error);
bool __wrap_store_decode(const struct store_driver *driver, const struct dataset *ds, struct slice raw,
                         struct arena *mem, struct slice *ret, GError **error);
const struct store_driver *__wrap_session_driver(const struct session *session);

bool __wrap_http_get(const struct http_call *call, struct http_answer *ret, GError **error)
{
    g_assert(http_url_is(call->url) && call->headers[0] && strstr(call->headers[0], TOKEN));
    *ret =
        (struct http_answer){.status = answer.well ? 200 : 500,
                             .text = g_strndup((const char *)answer.text.data, MIN(answer.text.len, call->keep_bytes))};
    return true;
}

bool __wrap_process_run(const struct world *world, const struct process_call *call, struct process_end *ret,
                        GError **error)
{
    size_t kept = MIN(answer.text.len, call->keep_bytes);
    *ret = (struct process_end){
        .status = answer.well ? 0 : 127, .output = g_malloc0(kept + 1), .output_len = kept, .printed = answer.text.len};
    if (kept)
        memcpy(ret->output, answer.text.data + answer.text.len - kept, kept);
    return true;
}

const struct store_driver *__wrap_session_driver(const struct session *session)
{
    return NULL;
}

bool __wrap_store_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    io->presence = answer.well ? RECORD_PRESENT : RECORD_ABSENT;
    io->raw = answer.text;
    return true;
}

bool __wrap_store_decode(const struct store_driver *driver, const struct dataset *ds, struct slice raw,
                         struct arena *mem, struct slice *ret, GError **error)
{
    return document_from_json(raw, mem, ret, NULL, error);
}

static void check_refusal(const GError *failed)
{
    g_assert(failed && g_utf8_validate(failed->message, -1, NULL));
    g_assert(strlen(failed->message) <= MESSAGE_MOST && !strstr(failed->message, TOKEN));
}

static bool ask(const struct outside *outside, const struct spec_signal *signal, double *ret)
{
    g_autoptr(GError) failed = NULL;
    bool ok = outside_signal(outside, signal, ret, &failed);
    if (ok)
        g_assert(isfinite(*ret));
    else
        check_refusal(failed);
    return ok;
}

static void ask_number(const struct outside *outside, unsigned whom)
{
    struct spec_signal signals[] = {
        {.prometheus = "http://p", .query = "up", .token = "${file:" SECRET "}"},
        {.url = "http://u", .token = "${file:" SECRET "}"},
        {.shell = "true"},
    };
    double most, least;
    struct spec_signal *signal = &signals[whom];
    bool some = ask(outside, signal, &most);
    signal->below = true;
    g_assert(ask(outside, signal, &least) == some);
    g_assert(!some || (whom == 0 ? least <= most : least == most));
}

static void ask_switch(const struct outside *outside, unsigned whom)
{
    static const struct spec_switch SWITCHES[] = {
        {.file = SWITCH}, {.url = "http://u", .token = "${file:" SECRET "}"}, {.key = "k", .dataset = "d"}};
    struct dataset ds = {.name = "d"};
    struct outside_switch asked = {.of = &SWITCHES[whom], .target_ds = &ds};
    g_autoptr(GError) failed = NULL;
    bool on;
    if (!outside_enabled(outside, &asked, &on, &failed))
        check_refusal(failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct memory memory;
    struct outside outside = {.world = &memory.world, .base_dir = "/"};
    if (len < 2 || memmem(data, len, TOKEN, strlen(TOKEN)))
        return 0; /* it would not be we who tell it */
    memory_init(&memory);
    answer.well = data[1] < 0x80;
    answer.text = slice_of(data + 2, len - 2);
    memory_put(&memory, SECRET, TOKEN, strlen(TOKEN));
    memory_put(&memory, SWITCH, answer.text.data, answer.text.len);
    if (data[0] % 6 < 3)
        ask_number(&outside, data[0] % 3);
    else
        ask_switch(&outside, data[0] % 3);
    memory_done(&memory);
    return 0;
}
