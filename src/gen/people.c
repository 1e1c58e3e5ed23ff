#include "gen/people.h"

static const struct people_word FIRST[] = {
    {"ada", "Ada"},     {"ben", "Ben"},       {"chloe", "Chloé"}, {"dmitri", "Dmitri"}, {"elif", "Elif"},
    {"femi", "Femi"},   {"grete", "Grete"},   {"hiro", "Hiro"},   {"ines", "Inês"},     {"jonas", "Jonas"},
    {"kofi", "Kofi"},   {"lucia", "Lucía"},   {"mei", "Mei"},     {"noor", "Noor"},     {"olga", "Olga"},
    {"pavel", "Pavel"}, {"quinn", "Quinn"},   {"rosa", "Rosa"},   {"soren", "Søren"},   {"tara", "Tara"},
    {"umar", "Umar"},   {"vera", "Vera"},     {"wen", "Wen"},     {"xavier", "Xavier"}, {"yusuf", "Yusuf"},
    {"zofia", "Zofia"}, {"anke", "Anke"},     {"bjorn", "Björn"}, {"carmen", "Carmen"}, {"desta", "Desta"},
    {"emre", "Emre"},   {"fatima", "Fatima"},
};
static const struct people_word LAST[] = {
    {"adeyemi", "Adeyemi"}, {"berg", "Berg"},       {"castro", "Castro"},     {"dubois", "Dubois"},
    {"eriksen", "Eriksen"}, {"fischer", "Fischer"}, {"garcia", "García"},     {"hansen", "Hansen"},
    {"ivanov", "Ivanov"},   {"jansen", "Jansen"},   {"kowalski", "Kowalski"}, {"lopez", "López"},
    {"muller", "Müller"},   {"nguyen", "Nguyễn"},   {"okafor", "Okafor"},     {"papadakis", "Papadakis"},
    {"quist", "Quist"},     {"rossi", "Rossi"},     {"sato", "Sato"},         {"tanaka", "Tanaka"},
    {"ueda", "Ueda"},       {"vogel", "Vogel"},     {"wang", "Wang"},         {"yilmaz", "Yılmaz"},
};

struct people_name people_rolled(struct dice *dice, uint64_t number)
{
    struct people_name name = {.number = number};
    name.first = &FIRST[dice_roll(dice, G_N_ELEMENTS(FIRST))];
    name.last = &LAST[dice_roll(dice, G_N_ELEMENTS(LAST))];
    return name;
}

struct people_name people_named(const struct gen_wish *customers, uint64_t line)
{
    struct dice dice = dice_of(customers->seed, line);
    dice_roll(&dice, 2); /* what fault the customer's line bears */
    return people_rolled(&dice, chance_shuffled(customers->seed, customers->records, line));
}

void people_put_name(struct pen *pen, const struct people_name *of)
{
    pen_text(pen, of->first->shown);
    pen_text(pen, " ");
    pen_text(pen, of->last->shown);
}

void people_put_username(struct pen *pen, const struct people_name *of)
{
    pen_text(pen, of->first->plain);
    pen_text(pen, "_");
    pen_text(pen, of->last->plain);
    pen_text(pen, "_");
    pen_number(pen, of->number);
}

void people_put_username_spaced(struct pen *pen, const struct people_name *of)
{
    people_put_name(pen, of);
    pen_text(pen, " ");
    pen_number(pen, of->number);
}
