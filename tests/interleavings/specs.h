/* The specs that the interleavings are driven with. */
#pragma once

/* Read it, fix it, write it back; the transform counts how often it was applied. */
#define SAME_DATASET                                                                                                   \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items }\npartitions: { size: 4 }\nworkers: 1\n"

/* From another dataset that is as live as the target: `more` are further keys of `target`. KEYED_BY_FIELD: there a
 * record's key is its field `to`, so that several want one. */
#define ELSEWHERE(more)      FROM_ORIGIN("", more)
#define KEYED_BY_FIELD(more) FROM_ORIGIN(", key: to", more)
#define FROM_ORIGIN(key, more)                                                                                         \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin" key " }\ntransform: { lua: t.lua }\n"          \
    "target: { store: \"mem:s\", dataset: items" more " }\npartitions: { size: 4 }\nworkers: 1\n"
#define FILL      ELSEWHERE("")
#define OVERWRITE ELSEWHERE(", write: in-place, conflict: overwrite")

/* From files, of which a record has an `id` and a version `at`. ALL_STATES: each of several of one key is written. */
#define FROM_FILES(more) FROM_FILES_OF("", more)
#define ALL_STATES       FROM_FILES_OF(", duplicates: all", ", write: in-place, conflict: newer-wins")
#define FROM_FILES_OF(of, more)                                                                                        \
    "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id, version: at" of " }\n"        \
    "target: { store: \"mem:s\", dataset: items" more " }\npartitions: { size: 4 }\nworkers: 1\n"

#define ONCE_MORE "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n"
