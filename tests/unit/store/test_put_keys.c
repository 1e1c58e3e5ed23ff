#include "base/thread.h"
#include "kit/kit.h"
#include "store/rocksdb/put_keys.h"

enum { KEYS = 200000, THREADS = 4, MANY = 17 << 20 };

static struct slice key_of(uint32_t n, char into[16])
{
    g_snprintf(into, 16, "key%08u", n);
    return slice_of_text(into);
}

static void what_was_put_is_never_lacking_and_nearly_all_else_is(void **state)
{
    auto_(put_keys) keys = put_keys_new();
    char text[16];
    uint32_t wrong = 0;
    assert_true(put_keys_lack(keys, key_of(0, text)));
    for (uint32_t n = 0; n < KEYS; n++)
        put_keys_note(keys, key_of(n, text));
    for (uint32_t n = 0; n < KEYS; n++)
        assert_false(put_keys_lack(keys, key_of(n, text)));
    for (uint32_t n = KEYS; n < 2 * KEYS; n++)
        wrong += !put_keys_lack(keys, key_of(n, text));
    assert_in_range(wrong, 0, KEYS / 100);
}

static void beyond_the_keys_for_which_it_pays_nothing_is_lacking(void **state)
{
    auto_(put_keys) keys = put_keys_new();
    const struct slice same = slice_of_text("the same one"), other = slice_of_text("another one");
    for (uint32_t n = 0; n < MANY; n++)
        put_keys_note(keys, same);
    assert_false(put_keys_lack(keys, other));
}

struct noter {
    struct put_keys *keys;
    uint32_t first;
};

static void note_and_look(void *data)
{
    const struct noter *noter = data;
    char text[16];
    for (uint32_t n = noter->first; n < KEYS; n += THREADS) {
        put_keys_note(noter->keys, key_of(n, text));
        if (put_keys_lack(noter->keys, key_of(n, text)))
            abort();
    }
}

static void from_many_threads_no_key_is_lost(void **state)
{
    auto_(put_keys) keys = put_keys_new();
    struct noter noters[THREADS];
    struct thread *threads[THREADS];
    char text[16];
    for (uint32_t i = 0; i < THREADS; i++) {
        noters[i] = (struct noter){.keys = keys, .first = i};
        assert_true(thread_start(&threads[i], "noter", note_and_look, &noters[i], NULL));
    }
    for (uint32_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    for (uint32_t n = 0; n < KEYS; n++)
        assert_false(put_keys_lack(keys, key_of(n, text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_never_lacking_and_nearly_all_else_is),
        cmocka_unit_test(beyond_the_keys_for_which_it_pays_nothing_is_lacking),
        cmocka_unit_test(from_many_threads_no_key_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
