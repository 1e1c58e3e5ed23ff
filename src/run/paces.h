/* What is told of the pace of servers (run/run.h, PACE): of each of them what holds the run back there, once as it
 * changes, and how much may be in flight, as often as that has doubled or halved. A lull goes as it came, and is not
 * told of. One thread at a time. */
#pragma once

#include "run/run.h"

struct paces;
struct paces *paces_new(void);
void paces_free(struct paces *paces); /* NULL: nothing */
AUTO_DEFINE(paces, paces_free)

/* What has changed by now (govern_json(); NULL: nothing is paced any more), since it was told last: each is told by
 * `tell`, in words and figures. Servers that are not named any more are forgotten, once that is told. */
struct paces_change {
    struct run_pace pace;
    char text[640];
};
void paces_look(struct paces *paces, const char *json, void (*tell)(void *self, const struct paces_change *change),
                void *self);
