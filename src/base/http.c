#include "base/http.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/hex.h"
#include "base/http_curl.h"

struct talk {
    const struct http_call *call;
    const char *sends; /* the method of a request with a body; NULL: it is a GET */
    GString *answer;
    size_t came;
};

static size_t on_answer(char *data, size_t size, size_t n, void *self)
{
    struct talk *talk = self;
    size_t room = talk->call->keep_bytes - MIN(talk->call->keep_bytes, talk->answer->len);
    g_string_append_len(talk->answer, data, (gssize)MIN(room, size * n));
    talk->came += size * n;
    return size * n;
}

static int on_progress(void *self, curl_off_t down_of, curl_off_t down, curl_off_t up_of, curl_off_t up)
{
    const struct talk *talk = self;
    return talk->call->cancel && atomic_load(talk->call->cancel);
}

bool http_url_is(const char *url)
{
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
    const char *scheme = uri ? g_uri_get_scheme(uri) : "";
    bool http = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
    return http && g_uri_get_host(uri) && *g_uri_get_host(uri);
}

/* The first that fails is told; none of them reads what it is given before the call. */
static CURLcode configure(CURL *curl, struct talk *talk, struct curl_slist *headers)
{
    const struct http_call *call = talk->call;
    CURLcode codes[] = {
        curl_easy_setopt(curl, CURLOPT_URL, call->url),
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https"),
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L),
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L),
        talk->sends ? curl_easy_setopt(curl, CURLOPT_POST, 1L) : curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L),
        talk->sends ? curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, talk->sends) : CURLE_OK,
        talk->sends ? curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)call->body.data) : CURLE_OK,
        talk->sends ? curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len) : CURLE_OK,
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers),
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION),
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)MAX(call->timeout_us / 1000, 1)),
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer),
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, talk),
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress),
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, talk),
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L),
        call->ca ? curl_easy_setopt(curl, CURLOPT_CAINFO, call->ca) : CURLE_OK,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (codes[i] != CURLE_OK)
            return codes[i];
    return CURLE_OK;
}

static const struct {
    CURLcode code;
    enum error_code error;
} CODES[] = {
    {CURLE_OPERATION_TIMEDOUT, SLUICE_ERROR_TIMED_OUT},
    {CURLE_ABORTED_BY_CALLBACK, SLUICE_ERROR_CANCELLED},
    {CURLE_PEER_FAILED_VERIFICATION, SLUICE_ERROR_NOT_PERMITTED},
    {CURLE_SSL_CACERT_BADFILE, SLUICE_ERROR_NOT_PERMITTED},
};

static bool fail(CURLcode code, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(CODES); i++)
        if (CODES[i].code == code)
            return error_set(error, CODES[i].error, "%s", curl_easy_strerror(code));
    return error_set(error, SLUICE_ERROR_UNREACHABLE, "%s", curl_easy_strerror(code));
}

static CURLcode perform(CURL *curl, struct talk *talk, long *ret_status)
{
    struct curl_slist *headers = NULL;
    if (talk->sends) {
        const char *type = talk->call->type ? talk->call->type : "application/json";
        g_autofree char *typed = g_strconcat("Content-Type: ", type, NULL);
        headers = curl_slist_append(headers, typed);
        headers = curl_slist_append(headers, "Expect:"); /* no waiting for leave to go on */
    }
    for (const char *const *header = talk->call->headers; *header; header++)
        headers = curl_slist_append(headers, *header);
    CURLcode code = configure(curl, talk, headers);
    if (code == CURLE_OK)
        code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    curl_slist_free_all(headers);
    return code;
}

static bool request(const struct http_call *call, const char *sends, struct http_answer *ret, GError **error)
{
    if (!later_load(&http_curl, error))
        return false;
    struct talk talk = {.call = call, .sends = sends, .answer = g_string_new(NULL)};
    long status = 0;
    CURLcode code = CURLE_FAILED_INIT;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) { /* counted, and safe from every thread since 7.84 */
        CURL *curl = curl_easy_init();
        if (curl)
            code = perform(curl, &talk, &status);
        curl_easy_cleanup(curl);
        curl_global_cleanup();
    }
    char *text = g_string_free(talk.answer, FALSE);
    if (code != CURLE_OK) {
        g_free(text);
        return fail(code, error);
    }
    *ret = (struct http_answer){.status = status, .text = text, .came = talk.came};
    return true;
}

bool http_post(const struct http_call *call, struct http_answer *ret, GError **error)
{
    return request(call, "POST", ret, error);
}

bool http_put(const struct http_call *call, struct http_answer *ret, GError **error)
{
    return request(call, "PUT", ret, error);
}

bool http_get(const struct http_call *call, struct http_answer *ret, GError **error)
{
    return request(call, NULL, ret, error);
}

char *http_escape(const char *text)
{
    return g_uri_escape_string(text, NULL, FALSE);
}

char *http_sign(struct slice secret, const char *timestamp, struct slice body)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    g_autoptr(GString) signed_text = g_string_new(timestamp);
    g_string_append_c(signed_text, '.');
    g_string_append_len(signed_text, (const char *)body.data, (gssize)body.len);
    const uint8_t *made = HMAC(EVP_sha256(), secret.data, (int)secret.len, (const uint8_t *)signed_text->str,
                               signed_text->len, digest, &len);
    char *hex = g_malloc(HEX_TEXT(EVP_MAX_MD_SIZE));
    g_assert(made && len == 32);
    hex_text(digest, len, hex);
    return hex;
}
