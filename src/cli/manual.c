/* sluice(1), as man(1) reads it: from the tables of commands, options and exit codes. */
#include "cli/cli.h"

/* A text as roff: nothing in it is a request or an escape, what stands in backquotes is bold, and what is not ASCII is
 * written by its number, so that no reader has to guess the encoding. */
static void put(FILE *out, const char *text)
{
    bool bold = false, begins = true;
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (begins && (c == '.' || c == '\''))
            fputs("\\&", out);
        begins = c == '\n';
        if (c == '`')
            fputs((bold = !bold) ? "\\fB" : "\\fR", out);
        else if (c == '\\')
            fputs("\\e", out);
        else if (c == '-')
            fputs("\\-", out);
        else if (c > 0x7F)
            fprintf(out, "\\[u%04X]", c);
        else
            fputc((int)c, out);
    }
}

static void put_line(FILE *out, const char *before, const char *text, const char *after)
{
    fputs(before, out);
    put(out, text);
    fputs(after, out);
}

static void put_option(FILE *out, enum option option)
{
    const char *form = option_value_form(option);
    g_autofree char *variable = option_variable(option);
    put_line(out, ".TP\n\\fB\\-\\-", option_name(option), "\\fR");
    if (form)
        put_line(out, " \\fI", form, "\\fR");
    put_line(out, "\n", option_words(option), "");
    put_line(out, " (\\fB", variable, "\\fR)\n");
}

static void put_command(FILE *out, const struct command *command)
{
    put_line(out, ".TP\n\\fBsluice ", command->name, "\\fR");
    if (*command->arguments)
        put_line(out, " \\fI", command->arguments, "\\fR");
    put_line(out, "\n", command->words, ".\n");
    if (*command->more)
        put_line(out, "", command->more, "\n");
    if (command->options[0] == OPTION_COUNT)
        return;
    fputs(".br\nOptions:", out);
    for (size_t i = 0; command->options[i] != OPTION_COUNT; i++)
        put_line(out, i ? ", \\fB\\-\\-" : " \\fB\\-\\-", option_name(command->options[i]), "\\fR");
    fputs(".\n", out);
}

static void put_options(FILE *out, bool common)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_is_common((enum option)i) == common)
            put_option(out, (enum option)i);
}

static void put_exits(FILE *out)
{
    for (size_t i = 0; exit_row_at(i); i++) {
        fprintf(out, ".TP\n\\fB%d\\fR\n", exit_row_at(i)->status);
        put_line(out, "", exit_row_at(i)->words, "\n");
    }
}

void help_manual(FILE *out)
{
    fputs(".TH SLUICE 1 \"\" \"sluice " SLUICE_VERSION "\" \"User Commands\"\n"
          ".SH NAME\nsluice \\- staged backfills on live NoSQL clusters\n"
          ".SH SYNOPSIS\n\\fBsluice\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR] [\\fB\\-\\-\\fIOPTION\\fR ...]\n"
          ".SH DESCRIPTION\n"
          "sluice moves, recomputes, checks and, when it must, takes back data: in stages, at the pace the cluster can "
          "take.\nA spec says what is to be done, a run does it, and \\fBsluice rollback\\fR undoes it.\n"
          "Options may stand anywhere; \\fB\\-\\-\\fR ends them.\n"
          "A \\fIRUN\\fR is \\fINAME.N\\fR; \\fINAME\\fR alone is its newest run.\n"
          ".SH COMMANDS\n",
          out);
    for (size_t i = 0; command_at(i); i++)
        put_command(out, command_at(i));
    fputs(".SH COMMON OPTIONS\nEvery command takes these. Each option may also be given as the variable in "
          "parentheses; of a flag \"\" and 0 switch it off.\n",
          out);
    put_options(out, true);
    fputs(".SH OPTIONS\nThese are taken by the commands that name them.\n", out);
    put_options(out, false);
    fputs(".SH EXIT STATUS\n", out);
    put_exits(out);
    fputs(".SH FILES\n.TP\n\\fI./.sluice\\fR\nthe home, unless \\fB\\-\\-home\\fR or \\fBSLUICE_HOME\\fR names "
          "another one: runs, checkpoints, the undo log, the ledger.\n"
          ".SH EXAMPLES\n.nf\n"
          "sluice init \\-\\-template repair\nsluice doctor repair.yaml\nsluice try repair.yaml \\-\\-sample 5\n"
          "sluice run repair.yaml\nsluice watch\nsluice rollback repair\\-customers\n.fi\n",
          out);
}
