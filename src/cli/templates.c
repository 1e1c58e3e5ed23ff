#include "cli/templates.h"

#include <string.h>

static const struct {
    const char *name, *text;
} FILES[] = {
#define TEMPLATE_FILE(name, text) {name, text},
#include "cli/template_files.h"
#undef TEMPLATE_FILE
};

const char *templates_text(const char *name)
{
    size_t i = 0;
    while (strcmp(FILES[i].name, name) != 0)
        i++;
    return FILES[i].text;
}
