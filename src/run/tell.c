#include "run/tell.h"

void run_tell(const struct run_config *config, const struct run_event *event)
{
    if (config->event)
        config->event(config->event_self, event);
}
