/* The contract's reader, and what it makes of a record: what comes out is a sound document, which goes through again as
 * it is. The text is the contract, up to the first byte of zero; what follows is the record, as JSON. */
#include "contract/contract.h"
#include "fuzz.h"
#include "yaml_leaks.h"

enum { ARENA_BYTES = 64 << 20 };

static void apply(struct contract_check *check, struct slice document, struct arena *mem)
{
    g_autoptr(GError) error = NULL;
    struct slice made, again;
    if (!contract_apply(check, document, mem, &made, &error)) {
        g_assert(g_utf8_validate(error->message, -1, NULL) && error->message[0]);
        return;
    }
    g_assert(document_check(made, NULL));
    g_assert(contract_apply(check, made, mem, &again, NULL));
    g_assert(again.data == made.data && again.len == made.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *nul = len ? memchr(data, 0, len) : NULL;
    size_t head = nul ? (size_t)(nul - data) : len;
    g_autoptr(GError) error = NULL;
    auto_(contract) contract = NULL;
    auto_(contract_check) check = NULL;
    auto_(arena) mem = arena_new(ARENA_BYTES);
    struct slice document = document_empty();
    if (!contract_parse(&contract, world_real(), "f", slice_of(data, head), &error)) {
        g_assert(g_utf8_validate(error->message, -1, NULL) && error->message[0]);
        return 0;
    }
    bool ok = contract_check_new(&check, contract, &error);
    g_assert(ok);
    if (!nul || document_from_json(slice_of(nul + 1, len - head - 1), mem, &document, NULL, NULL))
        apply(check, document, mem);
    return 0;
}
