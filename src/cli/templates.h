/* The files of templates/, which stand in the program. */
#pragma once

/* Whole, ends with NUL; of a name that is among them. */
const char *templates_text(const char *name);
