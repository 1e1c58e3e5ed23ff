/* Private to spec/: the parameters of a spec, and their values in the place of ${name}.
 *
 * `params` of the file declares them; a value comes from the command line (NAME=VALUE), else from the default, which
 * may hold other parameters. A scalar that is `${name}` and nothing else becomes what the parameter is (a number, a
 * boolean …), any other one a text. A value that cannot be found is told once, where it is asked for: its node is
 * `broken`, and whoever reads on leaves it alone. `sluice`, `name` and `params` itself hold none; in `reason` and
 * `owner` an unknown
 * ${…} is what it says. What has a colon (${env:NAME}) is a secret, and not looked at. */
#pragma once

#include "spec/rows.h"

struct spec;

/* Reads `params` of the file; values go into spec->params. `given`: NAME=VALUE, ends with NULL; NULL: none. false with
 * diags: the parameters that could be read are there all the same. */
bool params_read(struct rows_reader *reader, struct spec *spec, const char *const *given);

enum { TREE_MEMORY = 64 << 20 }; /* for YAML_NODES, and YAML_TEXT_BYTES of texts */

/* The tree with values in it, in `mem` (and as long as the yaml lives). What is unknown is a diag; also where the whole
 * becomes too large. */
const struct yaml_node *params_put(struct yaml *yaml, const struct spec *spec, struct arena *mem);
