/* A file of keys, one a line: what is taken is sorted, has no key twice, and is the same when it is written as JSON and
 * read again; what is refused is refused at a line. The first byte says in how little memory. */
#include "fuzz.h"
#include "memory.h"
#include "plan/plan_parts.h"

#define FILE_ "/keys"

static bool read_keys(struct plan *plan, struct memory *memory, struct slice bytes, struct plan_keys *ret)
{
    g_autoptr(GError) failed = NULL;
    memory_put(memory, FILE_, bytes.data, bytes.len);
    bool ok = plan_keys_read(plan, &memory->world, FILE_, ret, &failed);
    g_assert(ok || (g_utf8_validate(failed->message, -1, NULL) && g_str_has_prefix(failed->message, FILE_)));
    return ok;
}

static void write_keys(const struct plan_keys *keys, GString *into)
{
    for (size_t i = 0; i < keys->n; i++) {
        g_autofree char *base64 = g_base64_encode(keys->keys[i].data, keys->keys[i].len);
        g_string_append_printf(into, "{\"base64\": \"%s\"}\n", base64);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct memory memory;
    struct plan plan = {0}, other = {0};
    struct plan_keys keys, again;
    g_autoptr(GString) text = g_string_new(NULL);
    if (len == 0)
        return 0;
    memory_init(&memory);
    plan.mem = arena_new(data[0] < 0x80 ? 1 << 20 : (size_t)1 << (data[0] % 16));
    other.mem = arena_new(4 << 20);
    if (read_keys(&plan, &memory, slice_of(data + 1, len - 1), &keys)) {
        g_assert(keys.n > 0);
        for (size_t i = 0; i < keys.n; i++)
            g_assert(keys.keys[i].len > 0 && (i == 0 || slice_compare(keys.keys[i - 1], keys.keys[i]) < 0));
        write_keys(&keys, text);
        g_assert(read_keys(&other, &memory, slice_of(text->str, text->len), &again) && again.n == keys.n);
        for (size_t i = 0; i < keys.n; i++)
            g_assert(slice_equal(keys.keys[i], again.keys[i]));
    }
    arena_free(plan.mem);
    arena_free(other.mem);
    memory_done(&memory);
    return 0;
}
