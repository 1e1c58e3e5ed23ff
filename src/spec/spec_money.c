/* What a spec says of money and deadlines: prices, a cap, how fast it may be spent, by when what is to be done. */
#include "spec/schema_forms.h"
#include "spec/spec_rows.h"

static bool read_amount(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    const char *text = forms_quantity(reader, node, MONEY_FORM);
    return text && (money_parse(text, row_field(row, into)) || yaml_expected(reader->yaml, node, MONEY_FORM));
}

static bool read_price(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    const char *text = forms_quantity(reader, node, MONEY_PRICE_FORM);
    return text &&
           (money_parse_price(text, row_field(row, into)) || yaml_expected(reader->yaml, node, MONEY_PRICE_FORM));
}

#define CURRENCY_FORM "three capital letters such as EUR"

static bool read_currency(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                          void *into)
{
    const char *text = node->kind == YAML_TEXT ? node->text : "";
    if (strlen(text) != 3 || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
        return yaml_expected(reader->yaml, node, CURRENCY_FORM);
    g_strlcpy(row_field(row, into), text, MONEY_CURRENCY);
    return true;
}

static bool read_within(struct rows_reader *reader, const struct yaml_node *node, const char *word,
                        struct money_within *into)
{
    g_autofree char *expected = g_strdup_printf("a share and a time such as 50%% %s 1h", word);
    const char *text = forms_quantity(reader, node, expected);
    return text && (money_within_parse(text, word, into) || yaml_expected(reader->yaml, node, expected));
}

static bool read_burn(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    return read_within(reader, node, "in", row_field(row, into));
}

static bool read_deadline(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                          void *into)
{
    return read_within(reader, node, "within", row_field(row, into));
}

#define SCHEMA_AMOUNT                                                                                                  \
    "{\"anyOf\": [{\"type\": \"number\", \"exclusiveMinimum\": 0}, " SCHEMA_PATTERN(SCHEMA_ABOVE_ZERO                  \
                                                                                    "[0-9]+(\\\\.[0-9]{1,6})?") "]}"
#define SCHEMA_PRICE                                                                                                   \
    "{\"anyOf\": [{\"type\": \"number\", \"minimum\": 0}, " SCHEMA_PATTERN("[0-9]+(\\\\.[0-9]{1,6})?") "]}"
#define SCHEMA_WITHIN(word)                                                                                            \
    SCHEMA_PATTERN(SCHEMA_ABOVE_ZERO "(" SCHEMA_HUNDRED "|" SCHEMA_PER_CENT ")% " word " (?=[^1-9]*[1-9]"              \
                                     ")" SCHEMA_TERMS)

const struct row_form form_amount = {.read = read_amount, .schema = SCHEMA_AMOUNT};
const struct row_form form_price = {.read = read_price, .schema = SCHEMA_PRICE};
const struct row_form form_currency = {.read = read_currency, .schema = SCHEMA_PATTERN("[A-Z]{3}")};
const struct row_form form_burn = {.read = read_burn, .schema = SCHEMA_WITHIN("in")};
const struct row_form form_deadline = {.read = read_deadline, .schema = SCHEMA_WITHIN("within")};
