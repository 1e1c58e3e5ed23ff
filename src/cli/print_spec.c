/* Every value in force, and where it comes from: for `plan --show-spec`. */
#include "cli/cli.h"

struct provenance {
    const char *kind;  /* spec, default, option, variable */
    const char *where; /* `fix.yaml:7`, --home, SLUICE_HOME; NULL: default */
};

/* What is done with each value. */
struct shower {
    void (*show)(void *self, const char *key, const char *value, const struct provenance *origin);
    void *self;
};

/* A key of which nothing is said has its default; NULL: there is none. */
static const char *value_of(const struct plan *plan, const struct spec_value *value)
{
    const char *decided = value->text ? NULL : print_decided(plan, value->row->key);
    return value->text ? value->text : decided ? decided : value->row->fallback;
}

static struct provenance param_origin(const struct cli *cli)
{
    return cli->by_variable[OPTION_PARAM] ? (struct provenance){"variable", "SLUICE_PARAM"}
                                          : (struct provenance){"option", "--param"};
}

static void show_spec(const struct cli *cli, const struct plan *plan, const struct shower *shower)
{
    g_autoptr(GArray) values = spec_values(plan->spec);
    for (guint i = 0; i < values->len; i++) {
        const struct spec_value *value = &g_array_index(values, struct spec_value, i);
        g_autofree char *line = g_strdup_printf("%s:%" G_GUINT32_FORMAT, plan->spec->path, value->line);
        struct provenance origin = {value->line ? "spec" : "default", value->line ? line : NULL};
        if (value->given)
            origin = param_origin(cli);
        shower->show(shower->self, value->key, value_of(plan, value), &origin);
    }
}

/* Of the options only the home is something where nobody says it. */
static void show_options(struct cli *cli, const struct shower *shower)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        enum option option = (enum option)i;
        if ((!cli_has(cli, option) && option != OPTION_HOME) || option == OPTION_PARAM)
            continue;
        g_autofree char *name = g_strconcat("--", option_name(option), NULL), *variable = option_variable(option);
        struct provenance origin = {cli->by_variable[option] ? "variable" : "option",
                                    cli->by_variable[option] ? variable : name};
        const char *value = option_value_form(option) ? cli->values[option] : "on";
        if (!cli_has(cli, option))
            origin = cli_has(cli, OPTION_CATALOG) ? (struct provenance){"option", "--catalog"}
                                                  : (struct provenance){"default"};
        shower->show(shower->self, name, option == OPTION_HOME ? cli->home : value, &origin);
    }
}

static void put_line(void *self, const char *key, const char *value, const struct provenance *origin)
{
    fprintf(self, "    %-30s %-40s %s\n", key, value ? value : "none", origin->where ? origin->where : "default");
}

void print_spec(struct cli *cli, FILE *out, const struct plan *plan)
{
    struct shower shower = {put_line, out};
    fprintf(out, "  in force\n");
    show_spec(cli, plan, &shower);
    show_options(cli, &shower);
}

static void put_object(void *self, const char *key, const char *value, const struct provenance *origin)
{
    json_array_append_new(self, json_pack("{s:s, s:o, s:s, s:o}", "key", key, "value", shape_text(value), "origin",
                                          origin->kind, "where", shape_text(origin->where)));
}

json_t *print_spec_json(struct cli *cli, const struct plan *plan)
{
    json_t *list = json_array();
    struct shower shower = {put_object, list};
    show_spec(cli, plan, &shower);
    show_options(cli, &shower);
    return list;
}
