/* Private to spec/yaml*.c: the tree and how it is made. */
#pragma once

#include "base/arena.h"
#include "spec/yaml.h"

enum { YAML_MEMORY = 64 << 20 };

struct yaml {
    char *file;
    GBytes *bytes;
    struct diags *diags;
    struct arena *mem;  /* nodes and their texts */
    GStringChunk *kept; /* texts made later */
    const struct yaml_node *root;
};

/* From libfyaml's events to yaml->root. false with a diag where the text is no YAML, or more than we take. */
bool yaml_build(struct yaml *yaml);
