/* completion: scripts for shells, which ask this program what may stand next. */
#include "cli/cli.h"

/* The words are taken from the line, and not from COMP_WORDS, which bash breaks at = and : as well; what it has broken
 * off already must not stand in its answers. */
static const char BASH[] =
    "# bash completion for sluice: what fits is asked of the program itself.\n"
    "_sluice() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} current reply path head breaks='' words\n"
    "    read -ra words <<<\"$line\"\n"
    "    [[ $line == *[[:space:]] ]] && words+=('')\n"
    "    current=${words[${#words[@]} - 1]} path=${current#--*=}\n"
    "    [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='\n"
    "    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'\n"
    "    head=${breaks:+${current%\"${current##*[\"$breaks\"]}\"}}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r reply; do\n"
    "        case $reply in\n"
    "            :*) compopt -o filenames ;;&\n"
    "            :dirs | :specs) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- \"$path\") ;;&\n"
    "            :files) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$path\") ;;\n"
    "            :specs) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$path\" | grep "
    "'[.]ya\\{0,1\\}ml$') ;;\n"
    "            :*) ;;\n"
    "            *[=:]) compopt -o nospace ;;&\n"
    "            *) COMPREPLY+=(\"${reply#\"$head\"}\") ;;\n"
    "        esac\n"
    "    done < <(SLUICE_JSON='' \"${words[0]/#\\~/$HOME}\" completion words -- \"${words[@]:1}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _sluice sluice\n";

/* Both as a file of the fpath, where it is the function's body, and sourced. */
static const char ZSH[] = "#compdef sluice\n"
                          "# zsh completion for sluice: what fits is asked of the program itself.\n"
                          "_sluice() {\n"
                          "    local reply\n"
                          "    local -a replies\n"
                          "    replies=(\"${(@f)$(SLUICE_JSON='' ${~words[1]} completion words -- "
                          "\"${(@)words[2,CURRENT-1]}\" \"$PREFIX\" 2>/dev/null)}\")\n"
                          "    for reply in $replies; do\n"
                          "        [[ $reply == :* && $PREFIX == --*=* ]] && compset -P '*='\n"
                          "        case $reply in\n"
                          "            (:files) _files ;;\n"
                          "            (:dirs) _files -/ ;;\n"
                          "            (:specs) _files -g '*.(yaml|yml)' ;;\n"
                          "            (*[=:]) compadd -S '' -- $reply ;;\n"
                          "            (*) compadd -- $reply ;;\n"
                          "        esac\n"
                          "    done\n"
                          "}\n"
                          "if [[ ${funcstack[1]} == _sluice ]]; then _sluice \"$@\"; else compdef _sluice sluice; fi\n";

static const struct {
    const char *shell, *script;
} SCRIPTS[] = {{"bash", BASH}, {"zsh", ZSH}};

static void print_words(struct cli *cli)
{
    g_autoptr(GPtrArray) words = complete_words(cli, cli->args + 1, cli->n_args - 1);
    json_t *list = json_array();
    for (guint i = 0; i < words->len; i++) {
        json_array_append_new(list, shape_text(words->pdata[i]));
        if (!cli_has(cli, OPTION_JSON))
            fprintf(cli->out, "%s\n", (const char *)words->pdata[i]);
    }
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:O}", "type", "completion", "words", list));
    json_decref(list);
}

static void print_script(struct cli *cli, const char *script)
{
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:s}", "type", "completion", "shell", cli->args[0], "script", script));
    else
        fputs(script, cli->out);
}

int command_completion(struct cli *cli, GError **error)
{
    bool words = strcmp(cli->args[0], "words") == 0;
    for (size_t i = 0; i < G_N_ELEMENTS(SCRIPTS); i++)
        if (cli->n_args == 1 && strcmp(SCRIPTS[i].shell, cli->args[0]) == 0) {
            print_script(cli, SCRIPTS[i].script);
            return 0;
        }
    if (words) {
        print_words(cli);
        return 0;
    }
    error_set(error, SLUICE_ERROR_USAGE, "completion: bash, zsh or words was expected, not '%s'", cli->args[0]);
    return -1;
}
