/* Who may do what to a run: by owner.may of the frozen plan, and for an approval by its gate too. */
#include "base/person.h"
#include "catalog/ledger.h"
#include "kit/scene.h"
#include "plan/environment.h"
#include "run/rights.h"

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
                           "owner: { may: { approve: [root, ops], deny: [ops], rollback: [root] } }\n"
                           "stages: [{ name: full, scope: 100%, gate: { approve: root } }]\n";

static char *NO_GROUPS[] = {"users", NULL}, *OPS[] = {"users", "ops", NULL}, *ROOTS[] = {"root", NULL};
static const struct person ANN = {.user = "ann", .groups = NO_GROUPS}, BOB = {.user = "bob", .groups = OPS},
                           CID = {.user = "cid", .groups = ROOTS}, ROOT = {.user = "root", .groups = NO_GROUPS},
                           AT = {.user = "cid@corp", .groups = ROOTS};

static struct scene scene;
static struct store_registry *registry;

static int setup(void **state)
{
    scene_init(&scene, SPEC, "function transform(doc) return doc end\n");
    scene.actor = "cid@desk";
    scene_put(&scene, "items", "a", "{\"n\": 1}");
    scene_plan(&scene);
    registry = store_registry_new(&scene.fake.world, scene.ours);
    return 0;
}

static int teardown(void **state)
{
    store_registry_free(registry);
    scene_done(&scene);
    return 0;
}

/* The newest entry of the ledger says who was refused what. */
static void assert_noted(struct catalog *catalog, const char *why)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct ledger_entries entries;
    uint8_t head[32];
    uint64_t number;
    kit_ok(ledger_head(catalog, &number, head, &error));
    kit_ok(ledger_read(catalog, number, 1, mem, &entries, &error));
    assert_string_equal(entries.rows[0].action, "refused");
    assert_non_null(strstr(entries.rows[0].details, why));
}

static void open_as(const struct person *person, struct run_config *config, struct catalog **catalog)
{
    GError *error = NULL;
    scene.person = person;
    *config = scene_config(&scene, registry);
    kit_ok(catalog_open(catalog, config->world, config->home, CATALOG_EXISTING, &error));
}

static void who_is_not_named_may_not_and_what_is_not_named_everyone_may(void **state)
{
    static const struct {
        const struct person *person;
        enum spec_may_what what;
        const char *refused; /* NULL: may */
    } ROWS[] = {
        {&ANN, SPEC_MAY_PAUSE, NULL},
        {&ANN, SPEC_MAY_SET, NULL},
        {&ANN, SPEC_MAY_ABORT, NULL},
        {NULL, SPEC_MAY_RESUME, NULL},
        {&BOB, SPEC_MAY_DENY, NULL},
        {&ROOT, SPEC_MAY_ROLLBACK, NULL},
        {&CID, SPEC_MAY_ROLLBACK, NULL},
        {&BOB, SPEC_MAY_APPROVE, NULL},
        {&ANN, SPEC_MAY_DENY, "job.1: ann may not deny it; its plan says owner.may.deny: [ops]"},
        {&ROOT, SPEC_MAY_DENY, "root may not deny it"},
        {&BOB, SPEC_MAY_ROLLBACK, "bob may not rollback it; its plan says owner.may.rollback: [root]"},
        {&ANN, SPEC_MAY_APPROVE, "owner.may.approve: [root, ops] (users or groups of this system)"},
        {NULL, SPEC_MAY_DENY, "nobody may not deny it"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        auto_(catalog) catalog = NULL;
        auto_(arena) mem = arena_new(1 << 20);
        struct run_config config;
        struct run_row run = scene_row(&scene, mem);
        open_as(ROWS[i].person, &config, &catalog);
        if (ROWS[i].refused) {
            kit_refused(rights_may(&config, catalog, &run, ROWS[i].what, mem, &error), NOT_PERMITTED, ROWS[i].refused);
            assert_noted(catalog, ROWS[i].refused);
        } else
            kit_ok(rights_may(&config, catalog, &run, ROWS[i].what, mem, &error));
    }
}

static void an_approval_is_the_gates_and_never_the_authors(void **state)
{
    static const struct {
        const struct person *person;
        const char *author, *refused; /* NULL: may */
        bool open;                    /* its plan names nobody who may */
    } ROWS[] = {
        {NULL, "cid@desk", "waits for the approval of root (a user or group of this system), and nobody is neither",
         true},
        {&ANN, "cid@desk", "and ann is neither", true},
        {&ROOT, "cid@desk", NULL, true},
        {&ROOT, "cid@desk", NULL},
        {&CID, "ann@desk", NULL},
        {&CID, "ci@desk", NULL},
        {&CID, "cid2@desk", NULL},
        {&CID, NULL, NULL},
        {&BOB, "cid@desk",
         "stage full waits for the approval of root (a user or group of this system), and bob is neither"},
        {&ANN, "cid@desk", "ann may not approve it"},
        {NULL, "cid@desk", "nobody may not approve it"},
        {&CID, "cid@desk", "cid planned this run; somebody else of root must approve stage full"},
        {&CID, "cid@another-host", "cid planned this run"},
        {&ROOT, "root@desk", "root planned this run"},
        {&AT, "cid@corp@desk", "cid@corp planned this run"},
        {&AT, "cid@desk", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        auto_(catalog) catalog = NULL;
        auto_(arena) mem = arena_new(1 << 20);
        struct plan_rights rights;
        struct run_config config;
        struct run_row run = scene_row(&scene, mem);
        open_as(ROWS[i].person, &config, &catalog);
        kit_ok(plan_rights_read(catalog, &run, mem, &rights, &error));
        run.author = ROWS[i].author;
        if (ROWS[i].open)
            rights.may[SPEC_MAY_APPROVE] = (struct spec_may){0};
        if (ROWS[i].refused)
            kit_refused(rights_may_approve(&config, catalog, &run, &rights, &rights.stages[0], &error), NOT_PERMITTED,
                        ROWS[i].refused);
        if (ROWS[i].refused)
            assert_noted(catalog, ROWS[i].refused);
        else
            kit_ok(rights_may_approve(&config, catalog, &run, &rights, &rights.stages[0], &error));
    }
}

/* Where its environment asks for one; what stops a run or takes it back never waits for words. */
static void who_widens_a_run_gives_the_reason_that_its_environment_asks_for(void **state)
{
    static const struct environment ASKS = {.name = "live", .reason = true}, LETS = {.name = "desk"};
    static const struct {
        const struct environment *environment;
        const char *reason;
        bool may;
    } ROWS[] = {{NULL, NULL, true}, {&LETS, NULL, true},   {&ASKS, NULL, false},
                {&ASKS, "", false}, {&ASKS, " \n", false}, {&ASKS, "INC-1", true}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        auto_(catalog) catalog = NULL;
        auto_(arena) mem = arena_new(1 << 20);
        struct plan_rights rights;
        struct run_config config;
        struct run_row run = scene_row(&scene, mem);
        open_as(&ROOT, &config, &catalog);
        kit_ok(plan_rights_read(catalog, &run, mem, &rights, &error));
        rights.environment = ROWS[i].environment;
        config.act.reason = ROWS[i].reason;
        if (ROWS[i].may)
            kit_ok(rights_may_approve(&config, catalog, &run, &rights, &rights.stages[0], &error));
        else
            kit_refused(rights_may_approve(&config, catalog, &run, &rights, &rights.stages[0], &error), NOT_PERMITTED,
                        "it is in the environment 'live', where approve needs a reason: give one with --reason");
    }
}

static void the_author_is_who_planned_it(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    assert_string_equal(scene_row(&scene, mem).author, "cid@desk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_not_named_may_not_and_what_is_not_named_everyone_may),
        cmocka_unit_test(an_approval_is_the_gates_and_never_the_authors),
        cmocka_unit_test(who_widens_a_run_gives_the_reason_that_its_environment_asks_for),
        cmocka_unit_test(the_author_is_who_planned_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
