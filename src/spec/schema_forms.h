/* How values are written, as JSON Schema: what the readers of forms.c, spec_forms.c and contract/ take by its shape
 * alone. tests/system/schemas.py holds the two against each other. */
#pragma once

#define SCHEMA_TEXT "{\"type\": \"string\", \"minLength\": 1}"

/* Without ${…}. */
#define SCHEMA_PLAIN "{\"type\": \"string\", \"minLength\": 1, \"not\": {\"pattern\": \"\\\\$\\\\{\"}}"

#define SCHEMA_LIST(of) "{\"type\": \"array\", \"maxItems\": 1000, \"items\": " of "}"

#define SCHEMA_PATTERN(pattern) "{\"type\": \"string\", \"pattern\": \"^" pattern "$\"}"
#define SCHEMA_NUMBER           "[0-9]+(\\\\.[0-9]+)?"
#define SCHEMA_ABOVE_ZERO       "(?=[^1-9]*[1-9])"

/* Names joined by dots; a backslash before a dot or a backslash that is part of a name. */
#define SCHEMA_PATH_NAME  "([^.\\\\\\\\]|\\\\\\\\[.\\\\\\\\])+"
#define SCHEMA_PATH_NAMES SCHEMA_PATH_NAME "(\\\\." SCHEMA_PATH_NAME ")*"
#define SCHEMA_PATH                                                                                                    \
    "{\"type\": \"string\", \"pattern\": \"^" SCHEMA_PATH_NAMES "$\", \"not\": "                                       \
    "{\"pattern\": \"\\\\$\\\\{\"}}"

#define SCHEMA_HUNDRED  "0*100(\\\\.0+)?"
#define SCHEMA_PER_CENT "0*[0-9]{1,2}(\\\\.[0-9]+)?"
#define SCHEMA_SHARE    SCHEMA_PATTERN("(" SCHEMA_HUNDRED "|" SCHEMA_PER_CENT ")%")
#define SCHEMA_SURE     SCHEMA_PATTERN(SCHEMA_ABOVE_ZERO SCHEMA_PER_CENT "%")

/* Each term of a smaller unit than the one before it. */
#define SCHEMA_TERM(unit) "(" SCHEMA_NUMBER unit ")?"
#define SCHEMA_TERMS                                                                                                   \
    SCHEMA_TERM("w") SCHEMA_TERM("d") SCHEMA_TERM("h") SCHEMA_TERM("m") SCHEMA_TERM("s") SCHEMA_TERM("ms")
#define SCHEMA_DURATION SCHEMA_PATTERN("(?=.)" SCHEMA_TERMS)
#define SCHEMA_AFTER    SCHEMA_PATTERN(SCHEMA_ABOVE_ZERO SCHEMA_TERMS)

/* A bare number of bytes may be an integer of YAML too. */
#define SCHEMA_BYTES                                                                                                   \
    "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 1}, " SCHEMA_PATTERN(SCHEMA_ABOVE_ZERO SCHEMA_NUMBER            \
                                                                            "(B|[kKMGTP]B|[KMGTP]iB)?") "]}"

#define SCHEMA_MICROS SCHEMA_NUMBER "(us|ms|s)"
#define SCHEMA_MORE   "\\\\+(" SCHEMA_NUMBER "%|" SCHEMA_MICROS ")"
#define SCHEMA_LIVE   SCHEMA_PATTERN(SCHEMA_ABOVE_ZERO "(none|" SCHEMA_MICROS "|" SCHEMA_MORE "( or " SCHEMA_MORE ")?)")
#define SCHEMA_RATE   SCHEMA_PATTERN(SCHEMA_ABOVE_ZERO SCHEMA_NUMBER "/(s|m|h|d)")
#define SCHEMA_DAY    "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
#define SCHEMA_DAYS   SCHEMA_DAY "(-" SCHEMA_DAY ")?"
#define SCHEMA_CLOCK  "([01][0-9]|2[0-3]):[0-5][0-9]"
#define SCHEMA_WINDOW                                                                                                  \
    SCHEMA_PATTERN("(" SCHEMA_DAYS "(," SCHEMA_DAYS ")* )?" SCHEMA_CLOCK "-(" SCHEMA_CLOCK "|24:00) [^ ]+")
#define SCHEMA_HOURS "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": 1000, \"items\": " SCHEMA_WINDOW "}"

#define SCHEMA_TIME                                                                                                    \
    "[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\\\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
#define SCHEMA_MOMENT SCHEMA_PATTERN(" *" SCHEMA_TIME "( +[A-Za-z][^ ]*)?( *[+-] *[0-9][^ ]*)* *")

/* ${name} in place of any scalar. */
#define SCHEMA_PARAM "{\"type\": \"string\", \"pattern\": \"\\\\$\\\\{[A-Za-z][A-Za-z0-9_-]*\\\\}\"}"

#define SCHEMA_SCOPE                                                                                                   \
    "{\"anyOf\": [" SCHEMA_PATTERN(                                                                                    \
        SCHEMA_ABOVE_ZERO                                                                                              \
        "((" SCHEMA_HUNDRED "|" SCHEMA_PER_CENT                                                                        \
        ")%|[0-9]+ +(partition|record)s?)") ", {\"type\": \"object\", \"properties\": {\"keys\": " SCHEMA_PLAIN        \
                                            "}, \"required\": [\"keys\"], \"additionalProperties\": false}]}"
