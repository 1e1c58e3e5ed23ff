#include "cli/cli.h"
#include "kit/kit.h"

static void every_command_has_words_and_every_option_a_command_that_takes_it(void **state)
{
    bool taken[OPTION_COUNT] = {0};
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++) {
        assert_ptr_equal(command_find(command->name), command);
        assert_true(*command->words && command->max_args >= command->min_args && command->call);
        for (int k = 0; k < OPTION_COUNT; k++)
            taken[k] |= option_taken(command, (enum option)k);
    }
    for (int i = 0; i < OPTION_COUNT; i++) {
        assert_int_equal(option_find(option_name((enum option)i)), i);
        if (!taken[i] || !*option_words((enum option)i))
            fail_msg("--%s: no command takes it, or it has no words", option_name((enum option)i));
    }
}

static void completion_knows_what_every_value_and_argument_is_called(void **state)
{
    const struct command *command;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_value_form((enum option)i) && !complete_knows(option_value_form((enum option)i)))
            fail_msg("--%s %s: completion has no row for it", option_name((enum option)i),
                     option_value_form((enum option)i));
    for (size_t i = 0; (command = command_at(i)); i++) {
        g_auto(GStrv) forms = complete_forms(command);
        for (char **form = forms; *form; form++)
            if (**form && !complete_knows(*form))
                fail_msg("%s %s: completion has no row for '%s'", command->name, command->arguments, *form);
    }
    assert_false(complete_knows("WEATHER"));
    assert_false(complete_knows("SPEC|WEATHER"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_words_and_every_option_a_command_that_takes_it),
        cmocka_unit_test(completion_knows_what_every_value_and_argument_is_called),
    };
    return cmocka_run_group_tests_name("cli/tables", tests, NULL, NULL);
}
