/* Grants and checkpoints: who works on a partition, and how far it has got. */
#include "unit/catalog/fixture.h"

static struct grant grant_by(struct fixture *fx, struct grant_wish wish)
{
    GError *error = NULL;
    struct grant grant;
    kit_ok(catalog_grant(fx->catalog, &wish, fx->mem, &grant, &error));
    return grant;
}

static void keep(struct fixture *fx, int64_t run, const struct grant *grant, uint64_t number)
{
    GError *error = NULL;
    struct checkpoint cp = fixture_checkpoint(run, grant, number);
    kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
}

static void move_one(struct fixture *fx, int64_t run, uint32_t part, enum part_state to)
{
    GError *error = NULL;
    kit_ok(catalog_parts_move(fx->catalog, run, &part, 1, to, &error));
}

static void finish(struct fixture *fx, int64_t run, const struct grant *grant, uint64_t number)
{
    GError *error = NULL;
    struct checkpoint cp = fixture_checkpoint(run, grant, number);
    cp.last = true;
    kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
}

/* --- grants
 * ----------------------------------------------------------------------------------------------------------- */

static void a_first_grant_begins_at_the_beginning(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 20);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    assert_int_equal(grant.part.part, 0);
    assert_int_equal(grant.part.stage, 0);
    assert_int_equal(grant.part.lane, 1);
    assert_int_equal(grant.part.state, PART_RUNNING);
    assert_int_equal(grant.part.records, 5000);
    assert_int_equal(grant.part.bounds.len, 4);
    assert_false(grant.resumed);
    assert_int_equal(grant.checkpoint, 0);
    assert_int_equal(grant.cursor.len, 0);
    assert_int_equal(grant.from.segment, 1);
    assert_int_equal(grant.from.offset, 100);
}

static void a_grant_goes_on_at_the_newest_checkpoint(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 20);
    struct grant first = fixture_grant(fx, run.id, 0, "one");
    for (uint64_t i = 1; i <= 3; i++)
        keep(fx, run.id, &first, i);
    struct grant second = fixture_grant(fx, run.id, 0, "two");
    assert_int_equal(second.part.part, 0);
    assert_int_equal(second.part.lane, 2);
    assert_true(second.resumed);
    assert_int_equal(second.old_lane, 1);
    assert_int_equal(second.checkpoint, 3);
    assert_int_equal(second.settled_lane, 1);
    assert_int_equal(second.settled, 27);
    assert_int_equal(second.index, 30);
    assert_int_equal(second.from.segment, 2);
    assert_int_equal(second.from.offset, 3 * 4096);
    kit_equal_text(second.cursor, "at-k0042");
}

struct burdens {
    uint32_t of[5]; /* by partition: the first is of another stage */
    size_t asked;
};

static uint32_t burden(void *self, const struct part_row *candidate)
{
    struct burdens *burdens = self;
    burdens->asked++;
    return burdens->of[candidate->part];
}

static void a_grant_goes_where_fewest_are_and_what_a_dead_holder_left_comes_before_it(void **state)
{
    static const struct {
        struct burdens burdens;
        bool left;    /* the first partition, by a dead holder */
        bool resumed; /* nothing else is wanted */
        uint32_t part;
        size_t asked;
    } ROWS[] = {
        {{.of = {0, 2, 1, 3, 1}}, false, false, 2, 4}, /* the first of two */
        {{.of = {0, 2, 1, 0, 0}}, false, false, 3, 3}, /* nobody is there: no other is looked at */
        {{.of = {0, 0, 0, 0, 0}}, false, false, 1, 1}, {{.of = {0, 9, 9, 9, 8}}, false, false, 4, 4},
        {{.of = {0, 9, 0, 0, 0}}, true, false, 1, 0},  {{.of = {0, 9, 0, 0, 0}}, true, true, 1, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        void *own;
        assert_int_equal(fixture_setup(&own), 0);
        struct fixture *fx = own;
        struct run_row run = fixture_run(fx, G_N_ELEMENTS(ROWS[i].burdens.of));
        struct burdens burdens = ROWS[i].burdens;
        if (ROWS[i].left)
            grant_by(fx, (struct grant_wish){.run = run.id, .stage = 1, .holder = "dead"});
        struct grant_wish wish = {.run = run.id,
                                  .stage = 1,
                                  .holder = "me",
                                  .only_resumed = ROWS[i].resumed,
                                  .burden = burden,
                                  .self = &burdens};
        struct grant grant = grant_by(fx, wish);
        if (grant.part.part != ROWS[i].part || burdens.asked != ROWS[i].asked)
            fail_msg("row %zu: partition %u of %zu", i, grant.part.part, burdens.asked);
        fixture_teardown(&own);
    }
}

/* One of many waits where nobody is, behind all that nobody wanted. */
enum { MANY = 60, FIRST = MANY / 10, AT = 50 }; /* those before the first are of another stage */

static uint32_t but_one(void *self, const struct part_row *candidate)
{
    size_t *asked = self;
    ++*asked;
    return candidate->part == AT ? 1 : 2;
}

static void behind_what_nobody_wanted_is_looked_only_as_far_as_it_is_worth_it(void **state)
{
    static const struct {
        uint32_t content, part;
        size_t asked;
    } ROWS[] = {{0, AT, MANY - FIRST}, {1, AT, AT - FIRST + 1}, {2, FIRST, 16}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        void *own;
        size_t asked = 0;
        assert_int_equal(fixture_setup(&own), 0);
        struct fixture *fx = own;
        struct run_row run = fixture_run(fx, MANY);
        struct grant_wish wish = {
            .run = run.id, .stage = 1, .holder = "me", .burden = but_one, .content = ROWS[i].content, .self = &asked};
        struct grant grant = grant_by(fx, wish);
        if (grant.part.part != ROWS[i].part || asked != ROWS[i].asked)
            fail_msg("row %zu: partition %u of %zu", i, grant.part.part, asked);
        fixture_teardown(&own);
    }
}

/* Two holders died before their first checkpoint: what the first one left is still to be read. */
static void without_a_checkpoint_the_first_grants_place_stays(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    grant_by(fx, (struct grant_wish){.run = run.id, .holder = "one", .here = {.segment = 1, .offset = 100}});
    grant_by(fx, (struct grant_wish){.run = run.id, .holder = "two", .here = {.segment = 2, .offset = 50}});
    struct grant third =
        grant_by(fx, (struct grant_wish){.run = run.id, .holder = "three", .here = {.segment = 3, .offset = 10}});
    assert_int_equal(third.part.lane, 3);
    assert_int_equal(third.old_lane, 2);
    assert_true(third.resumed);
    assert_int_equal(third.checkpoint, 0);
    assert_int_equal(third.from.segment, 1);
    assert_int_equal(third.from.offset, 100);
}

/* The checkpoint is lane 1's, two lanes after it died without one: everything since lies behind its place. */
static void lanes_after_a_checkpoint_do_not_move_its_place(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    struct grant first = fixture_grant(fx, run.id, 0, "one");
    keep(fx, run.id, &first, 1);
    grant_by(fx, (struct grant_wish){.run = run.id, .holder = "two", .here = {.segment = 7}});
    struct grant third = grant_by(fx, (struct grant_wish){.run = run.id, .holder = "three", .here = {.segment = 8}});
    assert_int_equal(third.from.segment, 2);
    assert_int_equal(third.from.offset, 4096);
    assert_int_equal(third.settled_lane, 1);
    assert_int_equal(third.old_lane, 2);
}

static void a_holder_is_not_granted_what_it_already_has(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct grant grant = fixture_grant(fx, run.id, UINT32_MAX, "one");
        assert_int_equal(grant.part.part, i);
    }
    assert_int_equal(fixture_grant(fx, run.id, UINT32_MAX, "one").part.part, UINT32_MAX);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(fixture_grant(fx, run.id, UINT32_MAX, "two").part.part, i);
    assert_int_equal(fixture_grant(fx, run.id, UINT32_MAX, "two").part.part, UINT32_MAX);
}

static struct grant_held held_by(const struct grant *grant, int64_t run, const char *holder)
{
    return (struct grant_held){.run = run, .part = grant->part.part, .lane = grant->part.lane, .holder = holder};
}

/* As one that has slept meanwhile: its grants stand no more, it gets none, and it moves the run no more. */
static void who_has_lost_the_run_is_granted_nothing_and_moves_nothing(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 3);
    GError *error = NULL;
    kit_ok(catalog_run_hold(fx->catalog, run.id, "one", &error));
    struct grant grant = fixture_grant(fx, run.id, 1, "one");
    struct grant_held held = held_by(&grant, run.id, "one");
    kit_ok(catalog_grant_stands(fx->catalog, &held, &error));
    kit_ok(catalog_run_held(fx->catalog, run.id, "one", &error));
    kit_ok(catalog_run_hold(fx->catalog, run.id, "two", &error));
    kit_refused(catalog_grant_stands(fx->catalog, &held, &error), FENCED, "another process has taken the run up");
    kit_refused(catalog_run_held(fx->catalog, run.id, "one", &error), FENCED, "another process");
    kit_refused(catalog_run_pass(fx->catalog, run.id, "one", "one again", &error), FENCED, "another process");
    kit_ok(catalog_run_pass(fx->catalog, run.id, "two", "two again", &error));
    kit_ok(catalog_run_pass(fx->catalog, run.id, "two again", "two", &error));
    struct grant_wish wish = {.run = run.id, .stage = UINT32_MAX, .holder = "one"};
    struct grant none;
    kit_refused(catalog_grant(fx->catalog, &wish, fx->mem, &none, &error), FENCED, "another process");
    struct run_move move = {.run = run.id, .from = RUN_PLANNED, .to = RUN_RUNNING, .act = FIXTURE_ACT, .holder = "one"};
    kit_refused(catalog_run_move(fx->catalog, &move, &error), FENCED, "another process");
    move.holder = "two";
    kit_ok(catalog_run_move(fx->catalog, &move, &error));
    struct grant theirs = fixture_grant(fx, run.id, 1, "two");
    assert_int_equal(theirs.part.part, grant.part.part);
    struct grant_held lower = held_by(&grant, run.id, "two");
    kit_refused(catalog_grant_stands(fx->catalog, &lower, &error), FENCED, "another process");
}

static void a_grant_is_of_the_stage_asked_for(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 20); /* 0 and 1 are the canary */
    fixture_run(fx, 20);
    assert_int_equal(fixture_grant(fx, run.id, 1, "one").part.part, 2);
    assert_int_equal(fixture_grant(fx, run.id, 0, "one").part.part, 0);
    assert_int_equal(fixture_grant(fx, run.id, UINT32_MAX, "one").part.part, 1);
    assert_int_equal(fixture_grant(fx, run.id, 0, "one").part.part, UINT32_MAX);
    assert_int_equal(fixture_grant(fx, run.id, UINT32_MAX, "one").part.part, 3);
}

static void what_is_written_failed_or_rolled_back_is_not_granted(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 6);
    struct grant first = fixture_grant(fx, run.id, UINT32_MAX, "one");
    finish(fx, run.id, &first, 1);
    struct grant second = fixture_grant(fx, run.id, UINT32_MAX, "one");
    finish(fx, run.id, &second, 1);
    move_one(fx, run.id, 1, PART_VERIFIED);
    fixture_sql(fx, "UPDATE part SET state = 'failed' WHERE part = 2");
    move_one(fx, run.id, 3, PART_ROLLED_BACK);
    assert_int_equal(fixture_grant(fx, run.id, UINT32_MAX, "two").part.part, 4);
}

static void only_what_dead_holders_left(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 6);
    for (int i = 0; i < 3; i++)
        fixture_grant(fx, run.id, UINT32_MAX, "one");
    struct grant mine = fixture_grant(fx, run.id, 1, "two"); /* the lowest that is left: partition 1 */
    assert_int_equal(mine.part.part, 1);
    fixture_sql(fx, "UPDATE part SET state = 'pending' WHERE part = 2"); /* granted once, and held by nobody */
    struct grant_wish wish = {.run = run.id, .stage = UINT32_MAX, .only_resumed = true, .holder = "two"};
    struct grant grant = grant_by(fx, wish);
    assert_int_equal(grant.part.part, 0);
    assert_true(grant.resumed);
    grant = grant_by(fx, wish);
    assert_int_equal(grant.part.part, 2);
    assert_true(grant.resumed);
    assert_int_equal(grant_by(fx, wish).part.part, UINT32_MAX);
}

/* 1, 2 and 3 of the stage `full` in the order 3, 1, 2; one that a dead holder had begun is taken up in its turn. */
static void partitions_are_granted_in_their_turns(void **state)
{
    static const struct stage_new STAGES[] = {{"canary"}, {"full"}};
    static const struct part_new PARTS[] = {{.part = 0, .turn = 1},
                                            {.part = 1, .stage = 1, .turn = 3},
                                            {.part = 2, .stage = 1, .turn = 4},
                                            {.part = 3, .stage = 1, .turn = 2}};
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run;
    struct run_new new = {.spec_name = "turns",
                          .spec_path = "/specs/t.yaml",
                          .plan = slice_of_text("{}"),
                          .target = "mem:a/b",
                          .stages = STAGES,
                          .n_stages = 2,
                          .parts = PARTS,
                          .n_parts = 4,
                          .act = FIXTURE_ACT};
    kit_ok(catalog_run_create(fx->catalog, &new, fx->mem, &run, &error));
    struct grant_wish all = {.run = run.id, .stage = 1, .holder = "one"}, left = all;
    left.holder = "two";
    assert_int_equal(grant_by(fx, all).part.part, 3);
    assert_int_equal(grant_by(fx, all).part.part, 1);
    assert_int_equal(grant_by(fx, left).part.part, 3);
    left.only_resumed = true;
    assert_int_equal(grant_by(fx, left).part.part, 1);
    assert_int_equal(grant_by(fx, left).part.part, UINT32_MAX);
    left.only_resumed = false;
    assert_int_equal(grant_by(fx, left).part.part, 2);
    assert_int_equal(grant_by(fx, left).part.part, UINT32_MAX);
}

static void partitions_of_a_rollback_are_granted_apart(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct part_new back[] = {{.part = CATALOG_BACK_PART, .records = 5}, {.part = CATALOG_BACK_PART + 1, .records = 6}};
    kit_ok(catalog_parts_add(fx->catalog, run.id, back, 2, &error));
    struct grant_wish wish = {.run = run.id, .stage = UINT32_MAX, .kind = PARTS_BACK, .holder = "one"};
    assert_true(grant_by(fx, wish).part.part == CATALOG_BACK_PART);
    struct grant second = grant_by(fx, wish);
    assert_true(second.part.part == CATALOG_BACK_PART + 1);
    assert_int_equal(second.part.records, 6);
    assert_int_equal(grant_by(fx, wish).part.part, UINT32_MAX);
    finish(fx, run.id, &second, 1);
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.back_parts[PART_RUNNING], 1);
    assert_int_equal(run.back_parts[PART_WRITTEN], 1);
    assert_int_equal(run.parts[PART_PENDING], 2);
    assert_int_equal(fixture_grant(fx, run.id, UINT32_MAX, "one").part.part, 0);
}

/* --- checkpoints
 * ------------------------------------------------------------------------------------------------------ */

static void a_checkpoint_comes_back_as_it_was(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    struct checkpoint first = fixture_checkpoint(run.id, &grant, 1), second = fixture_checkpoint(run.id, &grant, 2);
    struct checkpoints kept;
    first.read.sum = (struct digest){.low = UINT64_MAX, .high = UINT64_MAX - 1};
    second.last = true;
    second.conditions = NULL;
    second.cursor = second.outcomes = SLICE_EMPTY;
    kit_ok(catalog_checkpoint(fx->catalog, &first, &error));
    kit_ok(catalog_checkpoint(fx->catalog, &second, &error));
    kit_ok(catalog_checkpoints(fx->catalog, run.id, grant.part.part, fx->mem, &kept, &error));
    assert_int_equal(kept.n, 2);
    const struct checkpoint *row = &kept.rows[0];
    assert_int_equal(row->run, run.id);
    assert_int_equal(row->part, grant.part.part);
    assert_int_equal(row->lane, 1);
    assert_int_equal(row->number, 1);
    assert_int_equal(row->index, 10);
    assert_int_equal(row->settled, 9);
    assert_int_equal(row->undo.segment, 2);
    assert_int_equal(row->undo.offset, 4096);
    assert_int_equal(row->bytes_read, 1000);
    assert_int_equal(row->bytes_written, 500);
    assert_true(set_digest_equal(&row->read, &first.read));
    assert_true(set_digest_equal(&row->written, &first.written));
    assert_true(slice_equal(row->cursor, first.cursor));
    assert_true(slice_equal(row->outcomes, first.outcomes));
    assert_string_equal(row->conditions, "{\"worker\":1}");
    assert_memory_equal(&row->tally, &first.tally, sizeof row->tally);
    assert_false(row->last);
    assert_true(kept.rows[1].last);
    assert_null(kept.rows[1].conditions);
    assert_int_equal(kept.rows[1].cursor.len, 0);
    assert_int_equal(kept.rows[1].outcomes.len, 0);
    kit_ok(catalog_checkpoints(fx->catalog, run.id, 1, fx->mem, &kept, &error));
    assert_int_equal(kept.n, 0);
}

static void a_checkpoint_adds_to_the_totals(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    fx->fake.wall_ms += 1234;
    for (uint64_t i = 1; i <= 5; i++)
        keep(fx, run.id, &grant, i);
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.tally.of[OUTCOME_WRITTEN], 45);
    assert_int_equal(run.tally.of[OUTCOME_KEPT_LIVE], 5);
    assert_int_equal(run.tally.of[OUTCOME_LISTED_], 1000);
    assert_int_equal(run.bytes_read, 5000);
    assert_int_equal(run.bytes_written, 2500);
    assert_int_equal(run.updated_ms, run.started_ms + 1234);
    assert_int_equal(run.parts[PART_RUNNING], 1);
}

static void the_last_checkpoint_writes_the_partition(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    struct part_row *parts;
    size_t n;
    struct parts_of all = {.run = run.id, .stage = UINT32_MAX};
    keep(fx, run.id, &grant, 1);
    finish(fx, run.id, &grant, 2);
    kit_ok(catalog_parts(fx->catalog, &all, fx->mem, &parts, &n, &error));
    assert_int_equal(n, 2);
    assert_int_equal(parts[0].state, PART_WRITTEN);
    assert_int_equal(parts[0].lane, 1);
    assert_int_equal(parts[1].state, PART_PENDING);
    struct checkpoint cp = fixture_checkpoint(run.id, &grant, 3);
    kit_refused(catalog_checkpoint(fx->catalog, &cp, &error), FENCED, "partition 0: it is written");
}

static void an_older_lane_is_fenced(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant first = fixture_grant(fx, run.id, 0, "one");
    keep(fx, run.id, &first, 1);
    struct grant second = fixture_grant(fx, run.id, 0, "two");
    struct checkpoint late = fixture_checkpoint(run.id, &first, 2);
    kit_refused(catalog_checkpoint(fx->catalog, &late, &error), FENCED, "another holder has taken it over (lane 2");
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.tally.of[OUTCOME_WRITTEN], 9);
    keep(fx, run.id, &second, 2);
}

static void a_partition_that_was_taken_away_is_fenced(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    struct checkpoint cp = fixture_checkpoint(run.id, &grant, 1);
    move_one(fx, run.id, grant.part.part, PART_ROLLED_BACK);
    kit_refused(catalog_checkpoint(fx->catalog, &cp, &error), FENCED, "it is rolled-back");
    cp.part = 77;
    kit_refused(catalog_checkpoint(fx->catalog, &cp, &error), NOT_FOUND, "no partition 77");
}

/* The answer was lost: once more is the same, and counted once. */
static void the_newest_checkpoint_once_more_changes_nothing(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    keep(fx, run.id, &grant, 1);
    keep(fx, run.id, &grant, 1);
    finish(fx, run.id, &grant, 2);
    finish(fx, run.id, &grant, 2);
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.tally.of[OUTCOME_WRITTEN], 18);
    fixture_rows_are(fx, "SELECT count(*) FROM checkpoint", "2\n");
}

/* One that has the newest one's number and says something else is not the one whose answer was lost. */
static void another_checkpoint_of_the_same_number_is_refused(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    keep(fx, run.id, &grant, 1);
    for (int i = 0; i < 3; i++) {
        struct checkpoint other = fixture_checkpoint(run.id, &grant, 1);
        other.index += i == 0;
        other.settled += i == 1;
        other.cursor = i == 2 ? slice_of_text("elsewhere") : other.cursor;
        kit_refused(catalog_checkpoint(fx->catalog, &other, &error), INTERNAL, "is not the next one");
    }
    struct grant second = fixture_grant(fx, run.id, 0, "two");
    assert_int_equal(second.part.part, grant.part.part);
    struct checkpoint theirs = fixture_checkpoint(run.id, &second, 1);
    kit_refused(catalog_checkpoint(fx->catalog, &theirs, &error), INTERNAL, "is not the next one");
    fixture_rows_are(fx, "SELECT count(*) FROM checkpoint", "1\n");
}

/* --- splits ------------------------------------------------------------------------------------------------------- */

#define PARTS "SELECT part, stage, state, lane, records, parent, origin, first FROM part ORDER BY part"

static struct checkpoint split_at(int64_t run, const struct grant *grant, uint64_t number, uint64_t at)
{
    struct checkpoint cp = fixture_checkpoint(run, grant, number);
    cp.split_at = at;
    cp.act = FIXTURE_ACT;
    return cp;
}

static void split(struct fixture *fx, int64_t run, const struct grant *grant, uint64_t number, uint64_t at)
{
    GError *error = NULL;
    struct checkpoint cp = split_at(run, grant, number, at);
    kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
}

static void what_is_split_off_is_a_partition_of_its_own(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant first = fixture_grant(fx, run.id, 0, "one");
    assert_true(first.part.parent == UINT32_MAX && first.part.of == 0 && first.part.first == 0);
    split(fx, run.id, &first, 1, 3000);
    fixture_rows_are(fx, PARTS,
                     "0|0|running|1|3000|NULL|NULL|0\n1|1|pending|0|5000|NULL|NULL|0\n2|0|pending|0|2000|0|0|3000\n");
    struct grant off = fixture_grant(fx, run.id, 0, "one");
    assert_true(off.part.part == 2 && off.part.lane == 1 && !off.resumed && off.part.records == 2000);
    assert_true(off.part.parent == 0 && off.part.of == 0 && off.part.first == 3000);
    assert_true(slice_equal(off.part.bounds, first.part.bounds));
    split(fx, run.id, &off, 1, 500);
    split(fx, run.id, &first, 2, 2990);
    fixture_rows_are(fx, PARTS " LIMIT 9 OFFSET 2",
                     "2|0|running|1|500|0|0|3000\n3|0|pending|0|1500|2|0|3500\n4|0|pending|0|10|0|0|2990\n");
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_true(run.parts[PART_RUNNING] == 2 && run.parts[PART_PENDING] == 3);
}

static void a_split_is_on_record(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    split(fx, run.id, &grant, 1, 3000);
    fixture_rows_are(fx, "SELECT actor, action, run, details FROM ledger ORDER BY number DESC LIMIT 1",
                     "ann@desk|split|fix.1|{\"at\":3000,\"into\":2,\"partition\":0,\"records\":2000}\n");
}

/* The answer was lost, and the checkpoint comes once more. */
static void a_split_that_is_repeated_splits_once(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    split(fx, run.id, &grant, 1, 3000);
    split(fx, run.id, &grant, 1, 3000);
    fixture_rows_are(fx, "SELECT count(*), sum(records) FROM part", "3|10000\n");
    fixture_rows_are(fx, "SELECT count(*) FROM ledger WHERE action = 'split'", "1\n");
}

static void what_is_refused_splits_nothing(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    struct checkpoint behind = split_at(run.id, &grant, 1, 5000);
    kit_refused(catalog_checkpoint(fx->catalog, &behind, &error), INTERNAL, "no key behind 5000");
    fixture_rows_are(fx, "SELECT count(*) FROM checkpoint", "0\n");
    struct checkpoint late = split_at(run.id, &grant, 1, 3000);
    fixture_grant(fx, run.id, 0, "two");
    kit_refused(catalog_checkpoint(fx->catalog, &late, &error), FENCED, "lane 2");
    fixture_rows_are(fx, "SELECT count(*), sum(records) FROM part", "2|10000\n");
}

static void numbers_are_dense(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    struct checkpoint cp = fixture_checkpoint(run.id, &grant, 2);
    kit_refused(catalog_checkpoint(fx->catalog, &cp, &error), INTERNAL, "not the next one");
    keep(fx, run.id, &grant, 1);
    cp = fixture_checkpoint(run.id, &grant, 1);
    cp.cursor = slice_of_text("elsewhere");
    kit_refused(catalog_checkpoint(fx->catalog, &cp, &error), INTERNAL, "not the next one");
    cp.number = UINT64_MAX;
    kit_refused(catalog_checkpoint(fx->catalog, &cp, &error), CATALOG, "");
}

static void checkpoints_are_only_ever_inserted(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    keep(fx, run.id, &grant, 1);
    sqlite3 *handle = fixture_handle(fx);
    assert_int_equal(sqlite3_exec(handle, "UPDATE checkpoint SET settled = 0", NULL, NULL, NULL), SQLITE_CONSTRAINT);
    sqlite3_close(handle);
}

/* --- a race
 * ----------------------------------------------------------------------------------------------------------- */

enum { RACERS = 4, RACED = 300 };

struct racer {
    const char *home, *holder;
    int64_t run;
    bool seen[RACED];
    unsigned n;
    char *fault;
};

static gpointer race(gpointer data)
{
    GError *error = NULL;
    struct racer *racer = data;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct grant_wish wish = {.run = racer->run, .stage = UINT32_MAX, .holder = racer->holder};
    struct grant grant = {0};
    bool ok = catalog_open(&catalog, world_real(), racer->home, CATALOG_EXISTING, &error);
    while (ok && catalog_grant(catalog, &wish, mem, &grant, &error) && grant.part.part != UINT32_MAX) {
        g_assert_false(racer->seen[grant.part.part]);
        racer->seen[grant.part.part] = true;
        racer->n++;
        struct checkpoint cp = fixture_checkpoint(racer->run, &grant, grant.checkpoint + 1);
        cp.last = true;
        ok = catalog_checkpoint(catalog, &cp, &error);
    }
    racer->fault = error ? g_strdup(error->message) : NULL;
    g_clear_error(&error);
    return NULL;
}

static void connections_that_race_never_share_a_partition(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, RACED);
    static struct racer racers[RACERS];
    GThread *threads[RACERS];
    unsigned all = 0, busy = 0;
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.home = fx->home, .holder = "one", .run = run.id};
        threads[i] = g_thread_new("racer", race, &racers[i]);
    }
    for (int i = 0; i < RACERS; i++) {
        g_thread_join(threads[i]);
        if (racers[i].fault)
            fail_msg("%s", racers[i].fault);
        all += racers[i].n;
        busy += racers[i].n > 0;
    }
    for (int part = 0; part < RACED; part++) {
        unsigned owners = 0;
        for (int i = 0; i < RACERS; i++)
            owners += racers[i].seen[part];
        assert_int_equal(owners, 1);
    }
    assert_int_equal(all, RACED);
    assert_true(busy > 1); /* else it was no race */
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.parts[PART_WRITTEN], RACED);
    assert_int_equal(run.tally.of[OUTCOME_WRITTEN], 9 * RACED);
}

/* --- what a server lost
 * ------------------------------------------------------------------------------------------------------------- */

static void checkpointed(struct fixture *fx, const struct grant *grant, uint64_t number, bool last)
{
    GError *error = NULL;
    struct checkpoint cp = fixture_checkpoint(1, grant, number);
    cp.last = last;
    kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
}

static void what_is_lost_counts_no_longer_and_is_granted_again(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2), now = run;
    struct grant first = fixture_grant(fx, run.id, 0, "one");
    checkpointed(fx, &first, 1, false);
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &now, &error));
    struct run_row after_one = now;
    checkpointed(fx, &first, 2, false);
    checkpointed(fx, &first, 3, true);
    struct part_lost lost = {.part = 0, .after = 1};
    kit_ok(catalog_parts_lost(fx->catalog, run.id, &lost, 1, &FIXTURE_ACT, &error));
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &now, &error));
    assert_memory_equal(&now.tally, &after_one.tally, sizeof now.tally);
    assert_int_equal(now.bytes_written, after_one.bytes_written);
    assert_int_equal(now.parts[PART_WRITTEN], 0);
    assert_int_equal(now.parts[PART_PENDING], 2);
    struct grant again = fixture_grant(fx, run.id, 0, "one");
    assert_int_equal(again.part.part, 0);
    assert_int_equal(again.part.lane, 2);
    assert_int_equal(again.checkpoint, 1);
    assert_int_equal(again.settled, 9);
    assert_int_equal(again.index, 10);
    assert_int_equal(again.n_lost, 1);
    assert_int_equal(again.lost[0].lane, 1);
    assert_int_equal(again.lost[0].settled, 27);
    checkpointed(fx, &again, 2, true); /* the numbers go on from what counts */
}

static void all_of_a_partition_may_be_lost_twice(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct part_lost lost = {.part = 0};
    for (uint32_t lane = 1; lane < 3; lane++) {
        struct grant grant = fixture_grant(fx, run.id, 0, "one");
        checkpointed(fx, &grant, 1, true);
        kit_ok(catalog_parts_lost(fx->catalog, run.id, &lost, 1, &FIXTURE_ACT, &error));
    }
    struct grant again = fixture_grant(fx, run.id, 0, "one");
    assert_int_equal(again.checkpoint, 0);
    assert_int_equal(again.n_lost, 2);
    assert_int_equal(again.from.offset, 100); /* its first grant's */
    assert_int_equal(again.lost[1].lane, 2);
    fixture_rows_are(fx, "SELECT count(*), sum(n_written) FROM checkpoint_lost", "2|18\n");
    fixture_rows_are(fx, "SELECT count(*) FROM ledger WHERE action = 'lost'", "2\n");
    kit_refused(catalog_parts_lost(fx->catalog, 99, &lost, 1, &FIXTURE_ACT, &error), NOT_FOUND, "99");
}

static void checkpoints_that_wrote_tell_who_had_the_data(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    struct checkpoint_looks looks;
    checkpointed(fx, &grant, 1, false);
    struct checkpoint idle = fixture_checkpoint(run.id, &grant, 2);
    idle.written.count = 0;
    idle.tally.of[OUTCOME_WRITTEN] = 0;
    kit_ok(catalog_checkpoint(fx->catalog, &idle, &error));
    checkpointed(fx, &grant, 3, false);
    kit_ok(catalog_checkpoint_looks(fx->catalog, run.id, PARTS_FORWARD, fx->mem, &looks, &error));
    assert_int_equal(looks.n, 2);
    assert_int_equal(looks.rows[1].number, 3);
    assert_string_equal(looks.rows[1].conditions, "{\"worker\":1}");
    kit_ok(catalog_checkpoint_looks(fx->catalog, run.id, PARTS_BACK, fx->mem, &looks, &error));
    assert_int_equal(looks.n, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_first_grant_begins_at_the_beginning),
        CASE(a_grant_goes_on_at_the_newest_checkpoint),
        cmocka_unit_test(a_grant_goes_where_fewest_are_and_what_a_dead_holder_left_comes_before_it),
        cmocka_unit_test(behind_what_nobody_wanted_is_looked_only_as_far_as_it_is_worth_it),
        CASE(without_a_checkpoint_the_first_grants_place_stays),
        CASE(lanes_after_a_checkpoint_do_not_move_its_place),
        CASE(a_holder_is_not_granted_what_it_already_has),
        CASE(who_has_lost_the_run_is_granted_nothing_and_moves_nothing),
        CASE(a_grant_is_of_the_stage_asked_for),
        CASE(what_is_written_failed_or_rolled_back_is_not_granted),
        CASE(only_what_dead_holders_left),
        CASE(partitions_are_granted_in_their_turns),
        CASE(partitions_of_a_rollback_are_granted_apart),
        CASE(a_checkpoint_comes_back_as_it_was),
        CASE(a_checkpoint_adds_to_the_totals),
        CASE(the_last_checkpoint_writes_the_partition),
        CASE(an_older_lane_is_fenced),
        CASE(a_partition_that_was_taken_away_is_fenced),
        CASE(the_newest_checkpoint_once_more_changes_nothing),
        CASE(another_checkpoint_of_the_same_number_is_refused),
        CASE(numbers_are_dense),
        CASE(checkpoints_are_only_ever_inserted),
        CASE(what_is_split_off_is_a_partition_of_its_own),
        CASE(a_split_is_on_record),
        CASE(a_split_that_is_repeated_splits_once),
        CASE(what_is_refused_splits_nothing),
        CASE(what_is_lost_counts_no_longer_and_is_granted_again),
        CASE(all_of_a_partition_may_be_lost_twice),
        CASE(checkpoints_that_wrote_tell_who_had_the_data),
        CASE(connections_that_race_never_share_a_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
