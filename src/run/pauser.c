#include "run/pauser.h"

const char *pauser_of(const struct run_row *run)
{
    return run->guard ? run->guard : run->pauser ? run->pauser : run->actor;
}
