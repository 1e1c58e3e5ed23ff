/* The page: files of web/dist, compressed by gzip once, and compiled into the program by the build. Where the page was
 * not built there are none, and
 * `/` says so in words (web_none.c). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct web_file {
    const char *path;     /* as it is asked for: "/", "/app.js" … */
    const char *type;     /* its Content-Type */
    const uint8_t *bytes; /* gzip's: sent as they are to whom takes that */
    size_t n;
};

extern const struct web_file web_files[];
extern const size_t n_web_files;
