/* The ledger: a chain that tells every change to what stood before a head that is known. */
#include "unit/catalog/fixture.h"

#include "base/hex.h"

#include <sodium.h>

static void append(struct fixture *fx, const char *action, const char *details)
{
    GError *error = NULL;
    struct ledger_entry entry = {
        .actor = "ann@desk", .action = action, .reason = "why not", .run = "fix.1", .details = details};
    memset(entry.digests.plan, 0x11, 32);
    memset(entry.digests.transform, 0x44, 32);
    kit_ok(ledger_append(fx->catalog, &entry, &error));
}

static struct ledger_verdict verify(struct fixture *fx, const uint8_t *head)
{
    GError *error = NULL;
    struct ledger_verdict verdict;
    kit_ok(ledger_verify(fx->catalog, head, fx->mem, &verdict, &error));
    assert_int_equal(verdict.ok, verdict.number == 0);
    return verdict;
}

static void assert_holds(struct fixture *fx, const uint8_t *head, uint64_t entries)
{
    struct ledger_verdict verdict = verify(fx, head);
    if (!verdict.ok)
        fail_msg("entry %ld: %s", (long)verdict.number, verdict.text);
    assert_int_equal(verdict.entries, entries);
}

/* --- what is written
 * -------------------------------------------------------------------------------------------------- */

static void an_empty_ledger_holds(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    uint64_t number = 9;
    uint8_t head[32], none[32] = {0};
    kit_ok(ledger_head(fx->catalog, &number, head, &error));
    assert_int_equal(number, 0);
    assert_memory_equal(head, none, 32);
    assert_holds(fx, NULL, 0);
    assert_holds(fx, none, 0);
}

static void entries_come_back(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct ledger_entries entries;
    fx->fake.wall_ms = -5;
    append(fx, "force-unlock", "{ \"b\" : [1, 2.5, \"é\"], \"a\" : null }");
    append(fx, "export", NULL);
    kit_ok(ledger_read(fx->catalog, 1, 100, fx->mem, &entries, &error));
    assert_int_equal(entries.n, 2);
    const struct ledger_entry *first = &entries.rows[0], *second = &entries.rows[1];
    assert_int_equal(first->number, 1);
    assert_int_equal(first->at_ms, -5);
    assert_string_equal(first->actor, "ann@desk");
    assert_string_equal(first->action, "force-unlock");
    assert_string_equal(first->reason, "why not");
    assert_string_equal(first->run, "fix.1");
    assert_int_equal(first->digests.plan[31], 0x11);
    assert_int_equal(first->digests.spec[0], 0);
    assert_string_equal(first->details, "{\"a\":null,\"b\":[1,2.5,\"é\"]}");
    assert_null(second->details);
    assert_memory_equal(second->previous, first->digest, 32);
    kit_ok(ledger_read(fx->catalog, 2, 100, fx->mem, &entries, &error));
    assert_int_equal(entries.n, 1);
    assert_int_equal(entries.rows[0].number, 2);
    kit_ok(ledger_read(fx->catalog, 1, 1, fx->mem, &entries, &error));
    assert_int_equal(entries.n, 1);
    kit_ok(ledger_read(fx->catalog, 3, 1, fx->mem, &entries, &error));
    assert_int_equal(entries.n, 0);
}

static void details_that_are_no_object_are_refused(void **state)
{
    static const char *const BAD[] = {"", "x", "[]", "{\"a\":1,\"a\":2}", "{} {}"};
    GError *error = NULL;
    struct fixture *fx = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++) {
        struct ledger_entry entry = {.actor = "a", .action = "b", .details = BAD[i]};
        kit_refused(ledger_append(fx->catalog, &entry, &error), INTERNAL, "no JSON object");
    }
    assert_holds(fx, NULL, 0);
}

static void every_act_is_one_entry_of_one_chain(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct run_move move = {.run = run.id, .from = RUN_PLANNED, .to = RUN_RUNNING, .act = FIXTURE_ACT};
    struct stage_move stage = {.run = run.id, .to = STAGE_RUNNING, .act = FIXTURE_ACT};
    struct wish wish = {.kind = WISH_PAUSE, .act = FIXTURE_ACT};
    int64_t id;
    kit_ok(catalog_run_move(fx->catalog, &move, &error));
    kit_ok(catalog_stage_move(fx->catalog, &stage, &error));
    kit_ok(catalog_wish_add(fx->catalog, run.id, &wish, &id, &error));
    append(fx, "force-unlock", NULL);
    fixture_rows_are(fx, "SELECT number, action FROM ledger",
                     "1|planned\n2|running\n3|stage.running\n4|wish\n5|force-unlock\n");
    assert_holds(fx, NULL, 5);
}

static void every_digest_is_a_head_to_verify_against(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    uint64_t number;
    uint8_t heads[4][32];
    for (int i = 0; i < 4; i++) {
        append(fx, "export", NULL);
        kit_ok(ledger_head(fx->catalog, &number, heads[i], &error));
        assert_int_equal(number, i + 1);
    }
    for (int i = 0; i < 4; i++)
        assert_holds(fx, heads[i], 4);
    heads[2][0] ^= 1;
    struct ledger_verdict verdict = verify(fx, heads[2]);
    assert_false(verdict.ok);
    assert_non_null(strstr(verdict.text, "the head is not in the chain"));
}

/* --- the format
 * ------------------------------------------------------------------------------------------------------- */

static void put(GByteArray *into, const void *bytes, uint32_t len)
{
    uint8_t prefix[4] = {(uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16), (uint8_t)(len >> 24)};
    g_byte_array_append(into, prefix, 4);
    g_byte_array_append(into, bytes, len);
}

static char *page(void)
{
    GError *error = NULL;
    char *text;
    g_autofree char *path = g_build_filename(g_getenv("SLUICE_SOURCE") ?: ".", "docs/formats/ledger.md", NULL);
    kit_ok(g_file_get_contents(path, &text, NULL, &error));
    return text;
}

/* The bytes of the page's example, put together here by the page's words, and what the ledger makes of the same entry.
 */
static void the_worked_example_of_the_page_holds(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct ledger_entries entries;
    uint8_t digest[32], zeros[32] = {0};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree char *text = page();
    static const char DETAILS[] = "{\"from\":\"planned\"}";
    struct ledger_entry entry = {
        .actor = "ann@desk", .action = "running", .run = "fix-tiers.1", .details = "{ \"from\": \"planned\" }"};
    memset(entry.digests.plan, 0x11, 32);
    memset(entry.digests.spec, 0x22, 32);
    memset(entry.digests.transform, 0x44, 32);
    fx->fake.wall_ms = 1752148800000;
    kit_ok(ledger_append(fx->catalog, &entry, &error));
    kit_ok(ledger_read(fx->catalog, 1, 1, fx->mem, &entries, &error));

    g_byte_array_append(bytes, (const uint8_t *)"sluice ledger 1\n", 16);
    put(bytes, "\x01\0\0\0\0\0\0", 8);
    put(bytes, "\x00\xf2\x34\xf4\x97\x01\0", 8);
    put(bytes, "ann@desk", 8);
    put(bytes, "running", 7);
    g_byte_array_append(bytes, (const uint8_t *)"\xff\xff\xff\xff", 4);
    put(bytes, "fix-tiers.1", 11);
    put(bytes, entry.digests.plan, 32);
    put(bytes, entry.digests.spec, 32);
    put(bytes, zeros, 32);
    put(bytes, entry.digests.transform, 32);
    put(bytes, DETAILS, sizeof DETAILS - 1);
    put(bytes, zeros, 32);
    crypto_generichash(digest, sizeof digest, bytes->data, bytes->len, NULL, 0);
    assert_memory_equal(entries.rows[0].digest, digest, 32);
    char digest_hex[HEX_TEXT(32)];
    hex_text(digest, 32, digest_hex);
    g_autofree char *size = g_strdup_printf("%u bytes", bytes->len);
    print_message("# %s, %s\n", digest_hex, size);
    assert_non_null(strstr(text, digest_hex));
    assert_non_null(strstr(text, size));
}

/* --- tampering
 * -------------------------------------------------------------------------------------------------------- */

enum { ENTRIES = 5 };

static void fill(struct fixture *fx)
{
    for (int i = 0; i < ENTRIES; i++)
        append(fx, i % 2 ? "export" : "report", "{\"a\":1}");
}

static void drop_triggers(struct fixture *fx)
{
    fixture_sql(fx, "DROP TRIGGER ledger_grows; DROP TRIGGER ledger_unchanged; DROP TRIGGER ledger_kept");
}

static void the_table_refuses_changes_by_itself(void **state)
{
    static const char *const SLIPS[] = {
        "UPDATE ledger SET actor = 'eve' WHERE number = 2", "DELETE FROM ledger WHERE number = 5",
        "INSERT OR REPLACE INTO ledger SELECT 3, at_ms, 'eve', action, reason, run, "
        "plan_digest, spec_digest, contract_digest, transform_digest, details, previous, "
        "digest FROM ledger WHERE number = 3",
        "INSERT INTO ledger SELECT 7, at_ms, actor, action, reason, run, plan_digest, "
        "spec_digest, contract_digest, transform_digest, details, previous, digest FROM "
        "ledger WHERE number = 3"};
    struct fixture *fx = *state;
    fill(fx);
    sqlite3 *handle = fixture_handle(fx);
    for (size_t i = 0; i < G_N_ELEMENTS(SLIPS); i++) {
        assert_int_equal(sqlite3_exec(handle, SLIPS[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
        assert_non_null(strstr(sqlite3_errmsg(handle), "ledger"));
    }
    sqlite3_close(handle);
    assert_holds(fx, NULL, ENTRIES);
}

/* Columns, and other values for them. */
static const struct tamper {
    const char *column, *to;
} TAMPERS[] = {
    {"number", "number + 100"},
    {"at_ms", "at_ms + 1"},
    {"at_ms", "-at_ms"},
    {"actor", "actor || 'x'"},
    {"actor", "''"},
    {"actor", "actor || char(0) || 'behind a zero byte'"},
    {"action", "'aborted'"},
    {"action", "actor"},
    {"reason", "NULL"},
    {"reason", "''"},
    {"reason", "substr(reason, 2)"},
    {"run", "NULL"},
    {"run", "'fix.2'"},
    {"plan_digest", "spec_digest"},
    {"plan_digest", "substr(plan_digest, 1, 31)"},
    {"spec_digest", "plan_digest"},
    {"contract_digest", "transform_digest"},
    {"transform_digest", "zeroblob(32)"},
    {"details", "NULL"},
    {"details", "'{\"a\":2}'"},
    {"details", "details || ' '"},
    {"previous", "digest"},
    {"previous", "zeroblob(31)"},
    {"previous", "x''"},
    {"digest", "plan_digest"},
    {"digest", "zeroblob(33)"},
    {"digest", "x''"},
};

static void any_change_to_any_column_of_any_entry_is_found(void **state)
{
    struct fixture *fx = *state;
    fill(fx);
    drop_triggers(fx);
    fixture_sql(fx, "CREATE TABLE genuine AS SELECT * FROM ledger");
    for (int entry = 1; entry <= ENTRIES; entry++)
        for (size_t i = 0; i < G_N_ELEMENTS(TAMPERS); i++) {
            g_autofree char *sql =
                g_strdup_printf("UPDATE ledger SET %s = %s WHERE number = %d", TAMPERS[i].column, TAMPERS[i].to, entry);
            fixture_sql(fx, sql);
            struct ledger_verdict verdict = verify(fx, NULL);
            if (entry == ENTRIES && strcmp(TAMPERS[i].column, "number") == 0)
                assert_int_equal(verdict.number, entry);
            else if (verdict.ok || verdict.number != (uint64_t)entry)
                fail_msg("%s: found at %ld", sql, (long)verdict.number);
            fixture_sql(fx, "DELETE FROM ledger; INSERT INTO ledger SELECT * FROM genuine");
        }
    assert_holds(fx, NULL, ENTRIES);
}

/* Each column of the table is tampered with above. */
static void no_column_is_forgotten(void **state)
{
    struct fixture *fx = *state;
    g_autofree char *columns = fixture_rows(fx, "SELECT name FROM pragma_table_info('ledger')");
    g_auto(GStrv) names = g_strsplit(g_strstrip(columns), "\n", 0);
    assert_int_equal(g_strv_length(names), 13);
    for (size_t i = 0; names[i]; i++) {
        bool found = false;
        for (size_t k = 0; k < G_N_ELEMENTS(TAMPERS); k++)
            found |= strcmp(TAMPERS[k].column, names[i]) == 0;
        if (!found)
            fail_msg("%s is not tampered with", names[i]);
    }
}

static void removed_and_moved_entries_are_found(void **state)
{
    static const struct {
        const char *sql;
        uint64_t number;
        const char *text;
    } CASES[] = {
        {"DELETE FROM ledger WHERE number = 1", 1, "entries are missing before it"},
        {"DELETE FROM ledger WHERE number = 3", 3, "entries are missing before it"},
        {"DELETE FROM ledger WHERE number = 1; UPDATE ledger SET number = number - 1", 1, "does not continue"},
        {"DELETE FROM ledger WHERE number = 3; UPDATE ledger SET number = number - 1 WHERE number > 3", 3,
         "does not continue"},
        {"UPDATE ledger SET number = 99 WHERE number = 2; UPDATE ledger SET number = 2 WHERE number = 3; UPDATE ledger "
         "SET "
         "number = 3 WHERE number = 99",
         2, "does not continue"},
    };
    struct fixture *fx = *state;
    fill(fx);
    drop_triggers(fx);
    fixture_sql(fx, "CREATE TABLE genuine AS SELECT * FROM ledger");
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        fixture_sql(fx, CASES[i].sql);
        struct ledger_verdict verdict = verify(fx, NULL);
        assert_int_equal(verdict.number, CASES[i].number);
        assert_non_null(strstr(verdict.text, CASES[i].text));
        fixture_sql(fx, "DELETE FROM ledger; INSERT INTO ledger SELECT * FROM genuine");
    }
}

/* A shorter chain holds by itself: only a head from elsewhere tells. */
static void a_shorter_ledger_is_found_by_its_head(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    uint64_t number;
    uint8_t head[32];
    fill(fx);
    kit_ok(ledger_head(fx->catalog, &number, head, &error));
    drop_triggers(fx);
    fixture_sql(fx, "DELETE FROM ledger WHERE number > 3");
    assert_holds(fx, NULL, 3);
    struct ledger_verdict verdict = verify(fx, head);
    assert_false(verdict.ok);
    assert_int_equal(verdict.number, 4);
    append(fx, "export", NULL); /* it grows again: still another chain */
    append(fx, "export", "{\"other\":1}");
    assert_false(verify(fx, head).ok);
    fixture_sql(fx, "DELETE FROM ledger");
    assert_int_equal(verify(fx, head).number, 1);
}

/* Someone who can write the file makes the whole chain anew from the second entry on, digests and all. */
static void a_chain_written_anew_is_found_by_its_head(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    uint64_t number;
    uint8_t head[32];
    fill(fx);
    kit_ok(ledger_head(fx->catalog, &number, head, &error));
    drop_triggers(fx);
    fixture_sql(fx, "DELETE FROM ledger WHERE number > 1");
    for (int i = 1; i < ENTRIES; i++)
        append(fx, "export", "{\"forged\":true}");
    assert_holds(fx, NULL, ENTRIES);
    assert_false(verify(fx, head).ok);
}

static void a_long_ledger_is_verified_in_steps(void **state)
{
    struct fixture *fx = *state;
    for (int i = 0; i < 600; i++)
        append(fx, "export", NULL);
    assert_holds(fx, NULL, 600);
    drop_triggers(fx);
    fixture_sql(fx, "UPDATE ledger SET reason = 'other' WHERE number = 513");
    assert_int_equal(verify(fx, NULL).number, 513);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_empty_ledger_holds),
        CASE(entries_come_back),
        CASE(details_that_are_no_object_are_refused),
        CASE(every_act_is_one_entry_of_one_chain),
        CASE(every_digest_is_a_head_to_verify_against),
        CASE(the_worked_example_of_the_page_holds),
        CASE(the_table_refuses_changes_by_itself),
        CASE(any_change_to_any_column_of_any_entry_is_found),
        CASE(no_column_is_forgotten),
        CASE(removed_and_moved_entries_are_found),
        CASE(a_shorter_ledger_is_found_by_its_head),
        CASE(a_chain_written_anew_is_found_by_its_head),
        CASE(a_long_ledger_is_verified_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
