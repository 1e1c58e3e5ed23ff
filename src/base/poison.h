/* Calls that nobody makes here: the compiler refuses them. Included before everything else, by the command line; what
 * system headers say about them must be read first. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Do not know how much room there is: g_strlcpy, snprintf, struct slice. */
#pragma GCC poison strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets
/* Keep state that threads share: g_strsplit, GDateTime. */
#pragma GCC poison strtok gmtime localtime asctime ctime tmpnam
/* Cannot say that it failed: int_parse_i64. */
#pragma GCC poison atoi atol atoll atof
