#include "catalog/migrations.h"

#include "base/hex.h"

/* PRAGMA application_id: "SLUI". */
#define APPLICATION_ID 0x534c5549

/* Row n brings a database of schema n to schema n + 1. A row that has been released is never changed. docs/formats/
 * catalog.md says what the tables are for; times are milliseconds since 1970 UTC, digests are blobs. */
#define KIND_NOW  "((new.part >= 2147483648) + (new.part >= 3221225472))"
#define KIND_THEN "((old.part >= 2147483648) + (old.part >= 3221225472))"

static const char *const MIGRATIONS[] = {
    /* 1: runs, their plans, stages, partitions, checkpoints; wishes, reports; the ledger. */
    /* The one row says which home this is. */
    "CREATE TABLE home (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, made_ms INTEGER NOT NULL) STRICT;"

    /* The number of the newest run of a name: numbers are never given twice, also when runs have been pruned. */
    "CREATE TABLE spec (name TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE run ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE," /* NAME.N */
    " spec_name TEXT NOT NULL REFERENCES spec (name), spec_path TEXT NOT NULL, target TEXT NOT NULL, uid BLOB NOT NULL,"
    " plan_digest BLOB NOT NULL, spec_digest BLOB NOT NULL, contract_digest BLOB NOT NULL,"
    " transform_digest BLOB NOT NULL,"
    " state TEXT NOT NULL, reason TEXT," /* a word of catalog/state_rows.h, and why */
    " actor TEXT NOT NULL,"              /* who moved it last */
    " stage INTEGER NOT NULL,"           /* the current one */
    " started_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX run_by_spec ON run (spec_name, id);"
    "CREATE INDEX run_by_target ON run (target, id);"

    /* The frozen plan, apart from the run because it is large and never changes. */
    "CREATE TABLE plan (run INTEGER PRIMARY KEY REFERENCES run (id), json BLOB NOT NULL) STRICT;"

    /* What is added up while a run is at work, so that no look at it counts rows. n_*: a column a word of
     * record/outcome_rows.h. */
    "CREATE TABLE run_total ("
    " run INTEGER PRIMARY KEY REFERENCES run (id),"
    " updated_ms INTEGER NOT NULL,"
    " next_sequence INTEGER NOT NULL," /* of the undo log */
    " bytes_read INTEGER NOT NULL DEFAULT 0, bytes_written INTEGER NOT NULL DEFAULT 0,"
    " n_written INTEGER NOT NULL DEFAULT 0, n_unchanged INTEGER NOT NULL DEFAULT 0,"
    " n_kept_live INTEGER NOT NULL DEFAULT 0, n_rejected INTEGER NOT NULL DEFAULT 0,"
    " n_filtered INTEGER NOT NULL DEFAULT 0, n_deleted INTEGER NOT NULL DEFAULT 0,"
    " n_gone INTEGER NOT NULL DEFAULT 0, n_in_doubt INTEGER NOT NULL DEFAULT 0,"
    " n_listed INTEGER NOT NULL DEFAULT 0, n_read INTEGER NOT NULL DEFAULT 0,"
    " n_emitted INTEGER NOT NULL DEFAULT 0, n_retried INTEGER NOT NULL DEFAULT 0,"
    " n_duplicates INTEGER NOT NULL DEFAULT 0, n_appeared INTEGER NOT NULL DEFAULT 0,"
    " n_restored INTEGER NOT NULL DEFAULT 0, n_left INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE TABLE stage ("
    " run INTEGER NOT NULL REFERENCES run (id), stage INTEGER NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,"
    " PRIMARY KEY (run, stage)) STRICT, WITHOUT ROWID;"

    /* Partitions; those of a rollback are numbered from 2147483648 on. */
    "CREATE TABLE part ("
    " run INTEGER NOT NULL, part INTEGER NOT NULL, stage INTEGER NOT NULL, state TEXT NOT NULL,"
    " lane INTEGER NOT NULL DEFAULT 0," /* the newest granted; 0: never granted */
    " holder TEXT,"                     /* the process that it was granted to last */
    " records INTEGER NOT NULL,"
    " from_segment INTEGER NOT NULL DEFAULT 0, from_offset INTEGER NOT NULL DEFAULT 0," /* undo log at its first grant
                                                                                         */
    " bounds BLOB NOT NULL,"
    " PRIMARY KEY (run, part), FOREIGN KEY (run, stage) REFERENCES stage (run, stage)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX part_by_state ON part (run, stage, state, part);"
    "CREATE INDEX part_given_back ON part (run, stage, part) WHERE state = 'pending' AND lane > 0;"

    /* Partitions by state; kept by the three triggers, so that no path through the program can forget it. */
    "CREATE TABLE part_count ("
    " run INTEGER NOT NULL REFERENCES run (id), stage INTEGER NOT NULL, back INTEGER NOT NULL, state TEXT NOT NULL,"
    " n INTEGER NOT NULL, PRIMARY KEY (run, stage, back, state)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER part_count_more AFTER INSERT ON part BEGIN"
    " INSERT INTO part_count VALUES (new.run, new.stage, new.part >= 2147483648, new.state, 1)"
    "  ON CONFLICT DO UPDATE SET n = n + 1;"
    "END;"
    "CREATE TRIGGER part_count_move AFTER UPDATE OF state, stage ON part BEGIN"
    " UPDATE part_count SET n = n - 1"
    "  WHERE run = old.run AND stage = old.stage AND back = (old.part >= 2147483648) AND state = old.state;"
    " INSERT INTO part_count VALUES (new.run, new.stage, new.part >= 2147483648, new.state, 1)"
    "  ON CONFLICT DO UPDATE SET n = n + 1;"
    "END;"
    "CREATE TRIGGER part_count_fewer AFTER DELETE ON part BEGIN"
    " UPDATE part_count SET n = n - 1"
    "  WHERE run = old.run AND stage = old.stage AND back = (old.part >= 2147483648) AND state = old.state;"
    "END;"

    /* Rows only ever inserted. Not WITHOUT ROWID: a row of a kilobyte (outcomes) would spill out of the tree's pages.
     */
    "CREATE TABLE checkpoint ("
    " id INTEGER PRIMARY KEY,"
    " run INTEGER NOT NULL, part INTEGER NOT NULL, number INTEGER NOT NULL," /* from 1, dense in a partition */
    " lane INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " place INTEGER NOT NULL,"   /* listed keys accounted for up to here */
    " settled INTEGER NOT NULL," /* the highest number of the lane that the row accounts for */
    " undo_segment INTEGER NOT NULL, undo_offset INTEGER NOT NULL,"
    " last INTEGER NOT NULL,"
    " read_count INTEGER NOT NULL, read_sum BLOB NOT NULL, written_count INTEGER NOT NULL, written_sum BLOB NOT NULL,"
    " bytes_read INTEGER NOT NULL, bytes_written INTEGER NOT NULL,"
    " n_written INTEGER NOT NULL, n_unchanged INTEGER NOT NULL, n_kept_live INTEGER NOT NULL,"
    " n_rejected INTEGER NOT NULL, n_filtered INTEGER NOT NULL, n_deleted INTEGER NOT NULL, n_gone INTEGER NOT NULL,"
    " n_in_doubt INTEGER NOT NULL, n_listed INTEGER NOT NULL, n_read INTEGER NOT NULL, n_emitted INTEGER NOT NULL,"
    " n_retried INTEGER NOT NULL, n_duplicates INTEGER NOT NULL, n_appeared INTEGER NOT NULL,"
    " n_restored INTEGER NOT NULL, n_left INTEGER NOT NULL,"
    " conditions TEXT, cursor BLOB NOT NULL, outcomes BLOB NOT NULL,"
    " UNIQUE (run, part, number), FOREIGN KEY (run, part) REFERENCES part (run, part)) STRICT;"
    "CREATE TRIGGER checkpoint_stays BEFORE UPDATE ON checkpoint BEGIN"
    " SELECT raise(ABORT, 'checkpoints are only ever inserted');"
    "END;"

    /* What was asked for from another terminal. */
    "CREATE TABLE wish ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run (id), kind TEXT NOT NULL, value TEXT,"
    " actor TEXT NOT NULL, reason TEXT, at_ms INTEGER NOT NULL, taken_ms INTEGER) STRICT;"
    "CREATE INDEX wish_open ON wish (run, id) WHERE taken_ms IS NULL;"

    /* Verification reports. */
    "CREATE TABLE report ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run (id), at_ms INTEGER NOT NULL,"
    " stage INTEGER," /* NULL: of the whole run */
    " verdict TEXT NOT NULL CHECK (verdict IN ('pass', 'fail')), path TEXT NOT NULL, summary BLOB NOT NULL) STRICT;"
    "CREATE INDEX report_by_run ON report (run, id);"

    /* docs/formats/ledger.md. The triggers guard against a slip of a program or a person at a prompt. They are not what
     * makes tampering evident: who can write the file can drop them; the chain and a head known elsewhere are. */
    "CREATE TABLE ledger ("
    " number INTEGER PRIMARY KEY CHECK (number > 0), at_ms INTEGER NOT NULL,"
    " actor TEXT NOT NULL, action TEXT NOT NULL, reason TEXT, run TEXT,"
    " plan_digest BLOB NOT NULL, spec_digest BLOB NOT NULL, contract_digest BLOB NOT NULL,"
    " transform_digest BLOB NOT NULL,"
    " details TEXT, previous BLOB NOT NULL, digest BLOB NOT NULL) STRICT;"
    "CREATE TRIGGER ledger_grows BEFORE INSERT ON ledger"
    " WHEN new.number <> 1 + (SELECT coalesce(max(number), 0) FROM ledger) BEGIN"
    " SELECT raise(ABORT, 'the ledger only grows at its end');"
    "END;"
    "CREATE TRIGGER ledger_unchanged BEFORE UPDATE ON ledger BEGIN"
    " SELECT raise(ABORT, 'the ledger is append-only');"
    "END;"
    "CREATE TRIGGER ledger_kept BEFORE DELETE ON ledger BEGIN"
    " SELECT raise(ABORT, 'the ledger is append-only');"
    "END;",

    /* 2: what the verifier found of each partition when its gate passed; replaced where a gate is judged again. */
    "CREATE TABLE part_sum ("
    " run INTEGER NOT NULL, part INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " wanted_count INTEGER NOT NULL, wanted_sum BLOB NOT NULL," /* what the source gives */
    " live_count INTEGER NOT NULL, live_sum BLOB NOT NULL,"     /* what the target held of it, by canonical digests */
    " stored_count INTEGER NOT NULL, stored_sum BLOB NOT NULL," /* the same by stored digests */
    " counts TEXT NOT NULL,"                                    /* JSON: keys by class, as a verification counts them */
    " PRIMARY KEY (run, part), FOREIGN KEY (run, part) REFERENCES part (run, part)) STRICT, WITHOUT ROWID;",
    /* 3: stages are judged more than once, wait, and are approved; limits are set while a run is at work; a rollback
     * knows how far back it goes. */
    "ALTER TABLE stage ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;"  /* how often it was judged */
    "ALTER TABLE stage ADD COLUMN until_ms INTEGER NOT NULL DEFAULT 0;" /* it soaks until then */
    "ALTER TABLE stage ADD COLUMN report BLOB NOT NULL DEFAULT x'';"    /* digest of what the last judgement found */
    "ALTER TABLE run ADD COLUMN back_stage INTEGER;" /* the stages from here on are taken back, or are being; NULL: none
                                                      */
    "ALTER TABLE run ADD COLUMN author TEXT NOT NULL DEFAULT '';" /* who planned it */
    "CREATE TABLE approval ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, stage INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    " plan_digest BLOB NOT NULL, report BLOB NOT NULL, granted INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT,"
    " at_ms INTEGER NOT NULL, FOREIGN KEY (run, stage) REFERENCES stage (run, stage)) STRICT;"
    "CREATE INDEX approval_of ON approval (run, stage, attempt, id);"
    "CREATE TABLE setting ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run (id), key TEXT NOT NULL,"
    " value TEXT NOT NULL, actor TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX setting_of ON setting (run, key, id);",
    /* 4: `status` says what limits a run. */
    "ALTER TABLE run_total ADD COLUMN limited_ms INTEGER NOT NULL DEFAULT 0;", /* its writes last waited for the rate */
    /* 5: a wish is over when somebody has had the last word since, whether it was taken or not. One that was taken and
     * is not over holds, also where the process that took it died before it acted on it. */
    "ALTER TABLE wish ADD COLUMN over_ms INTEGER;"
    "UPDATE wish SET over_ms = taken_ms;"
    "DROP INDEX wish_open;"
    "CREATE INDEX wish_open ON wish (run, id) WHERE over_ms IS NULL;",
    /* 6: keys that went after they were read, told apart by why. */
    "ALTER TABLE run_total ADD COLUMN n_expired INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run_total ADD COLUMN n_removed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE checkpoint ADD COLUMN n_expired INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE checkpoint ADD COLUMN n_removed INTEGER NOT NULL DEFAULT 0;",
    /* 7: budgets: how long workers were at work, and what was told once. */
    "ALTER TABLE run_total ADD COLUMN worked_ms INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE told ("
    " run INTEGER NOT NULL REFERENCES run (id), what TEXT NOT NULL, PRIMARY KEY (run, what)) STRICT, WITHOUT ROWID;",
    /* 8: what became of the keys of a shadow. Partitions of a promotion are numbered from 3221225472 on, and are
     * counted with a `back` of 2. */
    "DROP TRIGGER part_count_more; DROP TRIGGER part_count_move; DROP TRIGGER part_count_fewer;"
    "CREATE TRIGGER part_count_more AFTER INSERT ON part BEGIN"
    " INSERT INTO part_count VALUES (new.run, new.stage, " KIND_NOW ", new.state, 1)"
    "  ON CONFLICT DO UPDATE SET n = n + 1;"
    "END;"
    "CREATE TRIGGER part_count_move AFTER UPDATE OF state, stage ON part BEGIN"
    " UPDATE part_count SET n = n - 1"
    "  WHERE run = old.run AND stage = old.stage AND back = " KIND_THEN " AND state = old.state;"
    " INSERT INTO part_count VALUES (new.run, new.stage, " KIND_NOW ", new.state, 1)"
    "  ON CONFLICT DO UPDATE SET n = n + 1;"
    "END;"
    "CREATE TRIGGER part_count_fewer AFTER DELETE ON part BEGIN"
    " UPDATE part_count SET n = n - 1"
    "  WHERE run = old.run AND stage = old.stage AND back = " KIND_THEN " AND state = old.state;"
    "END;"
    "ALTER TABLE run_total ADD COLUMN n_promoted INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run_total ADD COLUMN n_passed_over INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE checkpoint ADD COLUMN n_promoted INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE checkpoint ADD COLUMN n_passed_over INTEGER NOT NULL DEFAULT 0;",
    /* 9: checkpoints whose writes a server may have lost since stand here instead, and count no longer. */
    "CREATE TABLE checkpoint_lost ("
    " id INTEGER PRIMARY KEY,"
    " run INTEGER NOT NULL, part INTEGER NOT NULL, number INTEGER NOT NULL,"
    " lane INTEGER NOT NULL, at_ms INTEGER NOT NULL, place INTEGER NOT NULL, settled INTEGER NOT NULL,"
    " n_written INTEGER NOT NULL, n_deleted INTEGER NOT NULL, conditions TEXT,"
    " lost_ms INTEGER NOT NULL," /* when it was taken back */
    " where_lost TEXT,"          /* where what it counts may be lost, in its driver's words */
    " FOREIGN KEY (run, part) REFERENCES part (run, part)) STRICT;"
    "CREATE INDEX checkpoint_lost_of ON checkpoint_lost (run, part, lane, settled);",
    /* 10: hooks: who is told of what, and what has been told. */
    "CREATE TABLE hook ("
    " run INTEGER NOT NULL REFERENCES run (id), hook INTEGER NOT NULL,"
    " events TEXT NOT NULL," /* words of spec/hook_rows.h, a blank before and behind each */
    " must INTEGER NOT NULL, PRIMARY KEY (run, hook)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE delivery ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, hook INTEGER NOT NULL, event TEXT NOT NULL,"
    " key TEXT NOT NULL, at_ms INTEGER NOT NULL, must INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',"
    " tries INTEGER NOT NULL DEFAULT 0, next_ms INTEGER NOT NULL DEFAULT 0, said TEXT, document TEXT NOT NULL,"
    " UNIQUE (key, hook), FOREIGN KEY (run, hook) REFERENCES hook (run, hook)) STRICT;"
    "CREATE INDEX delivery_of ON delivery (run, id);"
    "CREATE INDEX delivery_open ON delivery (run, hook, id) WHERE state <> 'delivered';",
    /* 11: what a run has left goes when its time is over; a row is written before the first file of it is removed. */
    "ALTER TABLE run ADD COLUMN over_ms INTEGER;" /* when it came to its end; NULL: it has not, or nobody noted it */
    "CREATE TABLE expiry ("
    " run INTEGER NOT NULL REFERENCES run (id), what TEXT NOT NULL, at_ms INTEGER NOT NULL, actor TEXT NOT NULL,"
    " done_ms INTEGER," /* all of it is gone; NULL: not yet */
    " PRIMARY KEY (run, what)) STRICT, WITHOUT ROWID;",
    /* 12: partitions that were split at a checkpoint. */
    "ALTER TABLE part ADD COLUMN parent INTEGER;" /* the one that it was split off; NULL: it was planned */
    "ALTER TABLE part ADD COLUMN origin INTEGER;" /* the one of the listing whose keys it has; NULL: its own */
    "ALTER TABLE part ADD COLUMN first INTEGER NOT NULL DEFAULT 0;", /* the first of these keys */
    /* 13: how a run is paced at the moment. */
    "CREATE TABLE pace ("
    " run INTEGER PRIMARY KEY REFERENCES run (id), at_ms INTEGER NOT NULL,"
    " json TEXT NOT NULL) STRICT;",
    /* 14: who took a run up last: nobody else of this catalog opens lanes of it any more. */
    "ALTER TABLE run ADD COLUMN holder TEXT;", /* NULL: taken up before there was this column, or never */
    /* 15: partitions that lag behind the others, as the process at work says. */
    "CREATE TABLE straggler ("
    " run INTEGER NOT NULL REFERENCES run (id), part INTEGER NOT NULL, since_ms INTEGER NOT NULL,"
    " still_ms INTEGER NOT NULL, left_records INTEGER NOT NULL, per_ks INTEGER NOT NULL, others_per_ks INTEGER NOT "
    "NULL,"
    " cause TEXT NOT NULL, words TEXT NOT NULL, PRIMARY KEY (run, part)) STRICT, WITHOUT ROWID;",
    /* 16: guards: which one has paused a run, and since when; what whoever holds it sees; the flag that stops all. */
    "ALTER TABLE run ADD COLUMN guard TEXT;"       /* the guard by which it is paused; NULL: it is not, or by others */
    "ALTER TABLE run ADD COLUMN state_ms INTEGER;" /* of its newest move; NULL: that was before this column */
    "CREATE TABLE sight ("
    " run INTEGER PRIMARY KEY REFERENCES run (id), at_ms INTEGER NOT NULL, slowed_by TEXT, json TEXT NOT NULL) STRICT;"
    "CREATE TABLE stop ("
    " one INTEGER PRIMARY KEY CHECK (one = 1), at_ms INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT) STRICT;",
    /* 17: who may ask over the network, what the server started for them, and its answers to their actions. Of a token
     * its digest stands here, and its text nowhere. */
    "CREATE TABLE token ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, role TEXT NOT NULL, only_specs TEXT, groups TEXT,"
    " author TEXT NOT NULL, digest BLOB NOT NULL UNIQUE, made_ms INTEGER NOT NULL, expires_ms INTEGER,"
    " revoked_ms INTEGER) STRICT;"
    "CREATE TABLE errand ("
    " id BLOB PRIMARY KEY, at_ms INTEGER NOT NULL, command TEXT NOT NULL, run TEXT NOT NULL, actor TEXT NOT NULL,"
    " user TEXT NOT NULL, groups TEXT, taken_ms INTEGER) STRICT, WITHOUT ROWID;"
    "CREATE TABLE answer ("
    " token INTEGER NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL, at_ms INTEGER NOT NULL,"
    " status INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (token, key)) STRICT, WITHOUT ROWID;",
    /* 18: tokens that are a certificate: a name of it. */
    "ALTER TABLE token ADD COLUMN certificate TEXT;",
    /* 19: how long the worker was at the batch, from its grant or the checkpoint before. */
    "ALTER TABLE checkpoint ADD COLUMN took_ms INTEGER NOT NULL DEFAULT 0;",
    /* 20: what each server of the target had when a run first looked at it: from there its growth counts. */
    "CREATE TABLE growth ("
    " run INTEGER NOT NULL REFERENCES run (id), node TEXT NOT NULL, data_bytes INTEGER NOT NULL,"
    " keys INTEGER NOT NULL, wrote INTEGER NOT NULL, PRIMARY KEY (run, node)) STRICT, WITHOUT ROWID;",
    /* 21: partitions are granted in the order of their stage. */
    "ALTER TABLE part ADD COLUMN turn INTEGER;" /* the number in whose place it is granted; NULL: its own */
    "DROP INDEX part_by_state;"
    "DROP INDEX part_given_back;"
    "CREATE INDEX part_by_turn ON part (run, stage, state, coalesce(turn, part));"
    "CREATE INDEX part_given_back ON part (run, stage, coalesce(turn, part)) WHERE state = 'pending' AND lane > 0;",
    /* 22: which writes of earlier lanes the rows up to a checkpoint account for; NULL: nothing of them is open. */
    "ALTER TABLE checkpoint ADD COLUMN claims BLOB;",
    /* 23: what of the run itself has paused it, which until then only its reason's words told: such a reason names the
     * command that takes this very run back. */
    "ALTER TABLE run ADD COLUMN pauser TEXT;" /* NULL: it is not paused, or by a guard or a person */
    "UPDATE run SET pauser = CASE"
    " WHEN reason LIKE 'the gate of stage % failed: %' THEN substr(reason, 1, instr(reason, ' failed: ') - 1)"
    " WHEN reason LIKE 'hook % must hear of %' THEN substr(reason, 1, instr(reason, ' must hear of ') - 1)"
    " WHEN reason LIKE 'the budget is spent: %' THEN 'its budget'"
    " WHEN reason LIKE 'its source could be read until %' THEN 'source.until'"
    " WHEN reason LIKE '%the stages from % on are taken back; %' THEN 'its rollback'"
    " WHEN reason LIKE '%, more than protect.% allows (%' THEN substr(reason, instr(reason, ', more than ') + 12,"
    " instr(reason, ' allows (') - instr(reason, ', more than ') - 12) END"
    " WHERE state = 'paused' AND guard IS NULL AND instr(reason, '`sluice rollback ' || name || '`') > 0;",
};

int migrations_known(void)
{
    return G_N_ELEMENTS(MIGRATIONS);
}

struct schema {
    int64_t version, application, tables;
};

static bool schema_read_now(struct db *db, struct schema *ret, GError **error)
{
    return db_number(db, "PRAGMA user_version", &ret->version, error) &&
           db_number(db, "PRAGMA application_id", &ret->application, error) &&
           db_number(db, "SELECT count(*) FROM sqlite_schema", &ret->tables, error);
}

/* All three of one moment: another process may be making them. */
static bool schema_read(struct db *db, struct schema *ret, GError **error)
{
    return db_begin_reading(db, error) && db_end(db, schema_read_now(db, ret, error), error);
}

static bool schema_accept(struct db *db, const struct schema *schema, GError **error)
{
    bool empty = schema->tables == 0 && schema->version == 0;
    if (!empty && schema->application != APPLICATION_ID)
        return error_set(error, SLUICE_ERROR_CATALOG,
                         "catalog %s: a database of another program stands there; name another home with --home",
                         db_path(db));
    if (schema->version > migrations_known())
        return error_set(error, SLUICE_ERROR_CATALOG,
                         "catalog %s: this home was written by a newer sluice (schema %" G_GINT64_FORMAT
                         ", this one knows %d); use that one",
                         db_path(db), schema->version, migrations_known());
    return true;
}

bool migrations_accept(struct db *db, bool *ret_current, GError **error)
{
    struct schema schema;
    if (!schema_read(db, &schema, error) || !schema_accept(db, &schema, error))
        return false;
    *ret_current = schema.version == migrations_known();
    return true;
}

bool migrations_are_older(struct db *db, bool *ret, GError **error)
{
    struct schema schema;
    if (!schema_read(db, &schema, error))
        return false;
    *ret = schema.application == APPLICATION_ID && schema.version < migrations_known();
    return true;
}

bool migrations_check(struct db *db, GError **error)
{
    struct schema schema;
    if (!schema_read(db, &schema, error) || !schema_accept(db, &schema, error))
        return false;
    if (schema.version == 0)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "catalog %s: it is empty; `sluice run SPEC` makes it",
                         db_path(db));
    if (schema.version < migrations_known())
        return error_set(error, SLUICE_ERROR_CATALOG,
                         "catalog %s: this home was written by an older sluice (schema %" G_GINT64_FORMAT
                         ", this one knows %d) and may only be read; make it writable, so that it can be brought up",
                         db_path(db), schema.version, migrations_known());
    return true;
}

static bool home_write(struct db *db, const struct world *world, GError **error)
{
    uint8_t random[16];
    char id[HEX_TEXT(sizeof random)];
    auto_(query) query = query_of(db, SQL_HOME_NEW);
    world_random(world, random, sizeof random);
    query_put_text(query, hex_text(random, sizeof random, id));
    query_put_i64(query, world_wall_ms(world));
    return query_run(query, error);
}

/* The version is asked again under the lock: another process may have been faster. */
static bool bring_up(struct db *db, const struct world *world, GError **error)
{
    struct schema schema;
    if (!schema_read_now(db, &schema, error) || !schema_accept(db, &schema, error))
        return false;
    for (int64_t i = schema.version; i < migrations_known(); i++)
        if (!db_run(db, MIGRATIONS[i], error))
            return false;
    g_autofree char *stamp =
        g_strdup_printf("PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID, migrations_known());
    return db_run(db, stamp, error) && (schema.version > 0 || home_write(db, world, error));
}

bool migrations_run(struct db *db, const struct world *world, GError **error)
{
    struct schema schema;
    if (!schema_read(db, &schema, error) || !schema_accept(db, &schema, error))
        return false;
    return db_begin(db, error) && db_end(db, bring_up(db, world, error), error);
}
