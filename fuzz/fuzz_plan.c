/* A plan in a file, as somebody hands it over: what is taken has the digest that it names. And the frozen text, behind
 * a digest that fits: what is taken has stages, limits that are limits, and is dealt with. The first byte says which.
 */
#include <math.h>

#include "fuzz.h"
#include "memory.h"
#include "plan/plan_file.h"
#include "plan/plan_parts.h"

#define PLAN "/plan.json"

static void open_file(struct memory *memory, struct slice bytes)
{
    auto_(plan_file) file = NULL;
    g_autoptr(GError) failed = NULL;
    memory_put(memory, PLAN, bytes.data, bytes.len);
    if (plan_file_open(&file, &memory->world, PLAN, &failed))
        g_assert(plan_file_digest(file) && plan_file_spec_path(file));
    else
        g_assert(g_utf8_validate(failed->message, -1, NULL));
}

static void read_text(struct memory *memory, struct slice bytes)
{
    struct plan_config config = {.world = &memory->world, .home = "/home"};
    auto_(plan) plan = plan_new(&config);
    g_autoptr(GError) failed = NULL;
    if (!plan_text_read(plan, bytes, &failed)) {
        g_assert(failed);
        return;
    }
    g_assert(plan->n_stages == 0 || plan->stages);
    g_assert(plan->limits.workers > 0 && plan->limits.priority <= 9);
    g_assert(isfinite(plan->limits.rate_max_per_s) && isfinite(plan->limits.errors));
    plan_deal_is(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct memory memory;
    if (len == 0)
        return 0;
    memory_init(&memory);
    (data[0] & 1 ? read_text : open_file)(&memory, slice_of(data + 1, len - 1));
    memory_done(&memory);
    return 0;
}
