#include "cli/cli.h"

#define COMMAND(name, arguments, min, max, words, more, json, ...)                                                     \
    static const enum option options_##name[] = {__VA_ARGS__, OPTION_COUNT};
#include "cli/command_rows.h"
#undef COMMAND

static const struct command COMMANDS[] = {
#define COMMAND(command, arguments, min, max, words, more, json, ...)                                                  \
    {#command, arguments, words, more, options_##command, min, max, COMMAND_##json, command_##command},
#include "cli/command_rows.h"
#undef COMMAND
};

static const struct {
    const char *name, *value, *words;
} OPTIONS[OPTION_COUNT] = {
#define OPTION(symbol, name, value, words) [OPTION_##symbol] = {name, value, words},
#include "cli/option_rows.h"
#undef OPTION
};

const struct command *command_at(size_t i)
{
    return i < G_N_ELEMENTS(COMMANDS) ? &COMMANDS[i] : NULL;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(COMMANDS); i++)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return &COMMANDS[i];
    return NULL;
}

const char *option_name(enum option option)
{
    return OPTIONS[option].name;
}

const char *option_value_form(enum option option)
{
    return OPTIONS[option].value;
}

const char *option_words(enum option option)
{
    return OPTIONS[option].words;
}

bool option_is_common(enum option option)
{
    return option <= OPTION_NO_COLOR || option == OPTION_HELP;
}

bool option_taken(const struct command *command, enum option option)
{
    if (option_is_common(option))
        return true;
    for (size_t i = 0; command->options[i] != OPTION_COUNT; i++)
        if (command->options[i] == option)
            return true;
    return false;
}

enum option option_find(const char *name)
{
    int i = 0;
    while (i < OPTION_COUNT && strcmp(OPTIONS[i].name, name) != 0)
        i++;
    return (enum option)i;
}

char *option_variable(enum option option)
{
    g_autofree char *upper = g_ascii_strup(OPTIONS[option].name, -1);
    g_strdelimit(upper, "-", '_');
    return g_strconcat("SLUICE_", upper, NULL);
}
