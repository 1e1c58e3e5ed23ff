/* libcurl, loaded with the first request: see base/later.h. */
#include "base/http_curl.h"

#include <curl/curl.h>
#include <stdarg.h>

struct later http_curl = {.file = "libcurl.so.4", .package = "libcurl4"};

#define CURL_LATER(returns, name, parameters, arguments) LATER(http_curl, returns, name, parameters, arguments)

CURL_LATER(CURLcode, curl_global_init, (long flags), (flags))
CURL_LATER(void, curl_global_cleanup, (void), ())
CURL_LATER(CURL *, curl_easy_init, (void), ())
CURL_LATER(void, curl_easy_cleanup, (CURL * curl), (curl))
CURL_LATER(CURLcode, curl_easy_perform, (CURL * curl), (curl))
CURL_LATER(const char *, curl_easy_strerror, (CURLcode code), (code))
CURL_LATER(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *text), (list, text))
CURL_LATER(void, curl_slist_free_all, (struct curl_slist * list), (list))

/* One value follows: a long, a curl_off_t or a pointer, which go the same way where they are equally large. */
_Static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *), "a value of curl_easy_setopt()");

CURLcode(curl_easy_setopt)(CURL *curl, CURLoption option, ...)
{
    typeof(&(curl_easy_setopt)) set = (typeof(&(curl_easy_setopt)))later_find(&http_curl, "curl_easy_setopt");
    va_list values;
    va_start(values, option);
    void *value = va_arg(values, void *);
    va_end(values);
    return set(curl, option, value);
}

CURLcode(curl_easy_getinfo)(CURL *curl, CURLINFO info, ...)
{
    typeof(&(curl_easy_getinfo)) get = (typeof(&(curl_easy_getinfo)))later_find(&http_curl, "curl_easy_getinfo");
    va_list values;
    va_start(values, info);
    void *into = va_arg(values, void *);
    va_end(values);
    return get(curl, info, into);
}
