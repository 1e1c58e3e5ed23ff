/* A file of fixtures with any bytes in it: what is taken lies in its own memory and has names; what is refused is
 * refused with words. */
#include "fuzz.h"
#include "memory.h"
#include "transform/fixture.h"

#define PATH "/t.tests.ndjson"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct memory memory;
    g_autoptr(GError) error = NULL;
    memory_init(&memory);
    memory_put(&memory, PATH, data, len);
    auto_(fixtures) fixtures = NULL;
    if (fixtures_read(&fixtures, &memory.world, PATH, &error))
        g_assert(fixtures->text.len == len && (fixtures->n == 0 || fixtures->fixtures));
    else
        g_assert(error && error->message[0]);
    memory_done(&memory);
    return 0;
}
