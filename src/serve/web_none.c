#include "serve/web.h"

const struct web_file web_files[] = {{0}};
const size_t n_web_files = 0;
