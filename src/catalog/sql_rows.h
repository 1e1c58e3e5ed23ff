/* SQL(symbol, text): every statement of the catalog, prepared once per connection. Parameters are put in the order of
 * their numbers; a plain `?` is one higher than the highest before it. Columns are got in their order. */
/* clang-format off */
#ifndef CATALOG_TALLY
/* The columns of a tally, in the order of record/outcome_rows.h. */
#define CATALOG_TALLY(COLUMN)                                                                                          \
    COLUMN("n_written") ", " COLUMN("n_unchanged") ", " COLUMN("n_kept_live") ", " COLUMN("n_rejected") ", "           \
    COLUMN("n_filtered") ", " COLUMN("n_deleted") ", " COLUMN("n_gone") ", " COLUMN("n_in_doubt") ", "                 \
    COLUMN("n_listed") ", " COLUMN("n_read") ", " COLUMN("n_emitted") ", " COLUMN("n_retried") ", "                    \
    COLUMN("n_duplicates") ", " COLUMN("n_appeared") ", " COLUMN("n_restored") ", " COLUMN("n_left") ", "      \
    COLUMN("n_expired") ", " COLUMN("n_removed") ", " COLUMN("n_promoted") ", " COLUMN("n_passed_over")
#define CATALOG_NAME(name) name
#define CATALOG_MARK(name) "?"
#define CATALOG_PLUS(name) name " = " name " + ?"
#define CATALOG_BEHIND "FROM checkpoint WHERE run = ?1 AND part = ?2 AND number > ?3"
#define CATALOG_LESS(name) name " = " name " - (SELECT coalesce(sum(" name "), 0) " CATALOG_BEHIND ")"
#define CATALOG_RUN_COLUMNS                                                                                            \
    "run.id, run.name, run.spec_name, run.spec_path, run.target, run.uid, run.plan_digest, run.spec_digest,"           \
    " run.contract_digest, run.transform_digest, run.state, run.reason, run.actor, run.stage, run.started_ms, run.back_stage, run.author,"         \
    " run.guard, run.pauser, coalesce(run.state_ms, 0), t.updated_ms, t.bytes_read, t.bytes_written, t.limited_ms, t.worked_ms, " CATALOG_TALLY(CATALOG_NAME)
#define CATALOG_PART_COLUMNS "part, stage, state, lane, records, bounds, coalesce(parent, 4294967295), coalesce(origin, part), first"
#define CATALOG_LEDGER_COLUMNS                                                                                         \
    "number, at_ms, actor, action, reason, run, plan_digest, spec_digest, contract_digest, transform_digest, details," \
    " previous, digest"
#define CATALOG_DELIVERY_COLUMNS "id, hook, event, key, at_ms, must, state, tries, next_ms, said, document"
#define CATALOG_SUM_COLUMNS                                                                                            \
    "part, at_ms, wanted_count, wanted_sum, live_count, live_sum, stored_count, stored_sum, counts"
#define CATALOG_CHECKPOINT_COLUMNS                                                                                     \
    "number, lane, place, settled, undo_segment, undo_offset, last, read_count, read_sum, written_count,"              \
    " written_sum, bytes_read, bytes_written, conditions, cursor, outcomes, " CATALOG_TALLY(CATALOG_NAME)
/* The partitions of one stage, or with ?2 NULL of all, between ?3 and ?4. They are asked for stage by stage in an index
 * that is named, so that each answer is its first entry, however many partitions there are. */
#define CATALOG_FIRST_PENDING(by, more)                                                                                    \
    "SELECT p.part AS part, coalesce(p.turn, p.part) AS turn FROM stage AS s CROSS JOIN part AS p ON p.run = s.run AND p.part ="         \
    "  (SELECT part FROM part INDEXED BY " by " WHERE run = s.run AND stage = s.stage AND state = 'pending'" more                        \
    "  AND coalesce(turn, part) BETWEEN ?3 AND ?4 ORDER BY coalesce(turn, part) LIMIT 1)"                              \
    " WHERE s.run = ?1 AND (?2 IS NULL OR s.stage = ?2)"
#define CATALOG_FIRST_LEFT                                                                                             \
    "SELECT p.part, min(coalesce(p.turn, p.part)) FROM stage AS s CROSS JOIN part AS p INDEXED BY part_by_turn ON p.run = s.run AND p.stage = s.stage"                   \
    "  AND p.state = 'running' WHERE s.run = ?1 AND (?2 IS NULL OR s.stage = ?2)"                                      \
    "  AND coalesce(p.turn, p.part) BETWEEN ?3 AND ?4 AND p.holder IS NOT ?5"
#endif

SQL(BEGIN,         "BEGIN IMMEDIATE")
SQL(BEGIN_READING, "BEGIN")
SQL(COMMIT,        "COMMIT")
SQL(ROLLBACK,      "ROLLBACK")

SQL(HOME_NEW, "INSERT INTO home (one, id, made_ms) VALUES (1, ?, ?)")
SQL(HOME,     "SELECT id FROM home")

/* runs */
SQL(SPEC_NUMBER,   "INSERT INTO spec (name, last) VALUES (?, 1) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last")
SQL(RUN_NEW,       "INSERT INTO run (name, spec_name, spec_path, target, uid, plan_digest, spec_digest, contract_digest,"
                   " transform_digest, state, actor, author, stage, started_ms)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, 0, ?12)"
                   " RETURNING id")
SQL(PLAN_NEW,      "INSERT INTO plan (run, json) VALUES (?, ?)")
SQL(RUNS_AT_WORK,  "SELECT id, name, target FROM run"
                   " WHERE state IN ('running', 'verifying', 'promoting', 'rolling-back') ORDER BY id")
SQL(PLAN,          "SELECT json FROM plan WHERE run = ?")
SQL(TOTAL_NEW,     "INSERT INTO run_total (run, updated_ms, next_sequence) VALUES (?, ?, 1)")
SQL(TOTAL_ADD,     "UPDATE run_total SET updated_ms = ?, bytes_read = bytes_read + ?, bytes_written = bytes_written + ?,"
                   " limited_ms = max(limited_ms, ?), worked_ms = worked_ms + ?, " CATALOG_TALLY(CATALOG_PLUS) " WHERE run = ?")
SQL(APPEARED_PUT,  "UPDATE run_total SET updated_ms = ?, n_appeared = ? WHERE run = ?")
SQL(WORKED_ADD,    "UPDATE run_total SET worked_ms = worked_ms + ? WHERE run = ?")
SQL(SIGHT_PUT,     "INSERT OR REPLACE INTO sight (run, at_ms, slowed_by, json) VALUES (?, ?, ?, ?)")
SQL(SIGHT,         "SELECT at_ms, slowed_by, json FROM sight WHERE run = ?")
SQL(GROWTH_PUT,    "INSERT OR IGNORE INTO growth (run, node, data_bytes, keys, wrote) VALUES (?, ?, ?, ?, ?)")
SQL(GROWTH,        "SELECT node, data_bytes, keys, wrote FROM growth WHERE run = ? ORDER BY node")
SQL(STOP_PUT,      "INSERT OR REPLACE INTO stop (one, at_ms, actor, reason) VALUES (1, ?, ?, ?)")
SQL(STOP_LIFT,     "DELETE FROM stop")
SQL(STOP,          "SELECT at_ms, actor, reason FROM stop")
SQL(TOLD_NEW,      "INSERT OR IGNORE INTO told (run, what) VALUES (?, ?)")
SQL(TOTAL_TOUCH,   "UPDATE run_total SET updated_ms = ? WHERE run = ?")
SQL(SEQUENCES,     "UPDATE run_total SET next_sequence = next_sequence + ?2 WHERE run = ?1 RETURNING next_sequence - ?2")
SQL(RUN,           "SELECT " CATALOG_RUN_COLUMNS " FROM run JOIN run_total AS t ON t.run = run.id WHERE run.id = ?")
SQL(RUN_STATE,     "SELECT name, state, plan_digest, spec_digest, contract_digest, transform_digest FROM run WHERE id = ?")
SQL(RUN_MOVE,      "UPDATE run SET state = ?2, reason = ?3, actor = ?4, over_ms = ?5, guard = ?6, state_ms = ?7, pauser = ?8 WHERE id = ?1")
SQL(RUN_OVER,      "SELECT r.state, coalesce(r.over_ms, t.updated_ms) FROM run AS r JOIN run_total AS t ON t.run = r.id WHERE r.id = ?")
SQL(RUN_BACK,      "UPDATE run SET back_stage = ?2 WHERE id = ?1")
SQL(RUN_HOLDER,    "UPDATE run SET holder = ?2 WHERE id = ?1")
SQL(RUN_HELD,      "SELECT coalesce(holder, ?2) = ?2 FROM run WHERE id = ?1")
SQL(RUN_STAGE,     "UPDATE run SET stage = ?2 WHERE id = ?1")
SQL(RUN_BY_NAME,   "SELECT id FROM run WHERE name = ?")
SQL(RUNS_OF_SPEC,  "SELECT id, state, name, spec_digest, contract_digest, transform_digest FROM run WHERE spec_name = ?"
                   " ORDER BY id DESC")
SQL(RUNS_ON,       "SELECT id, state, (SELECT coalesce(sum(n), 0) FROM part_count AS c WHERE c.run = run.id AND back = 0"
                   " AND c.state <> 'pending') FROM run WHERE target = ? ORDER BY id DESC")
SQL(RUN_IDS,       "SELECT id FROM run ORDER BY id DESC")
SQL(RUNS_BELOW,    "SELECT id, spec_name, state FROM run WHERE id < ? ORDER BY id DESC")
SQL(RUN_NAMES,     "SELECT name FROM spec UNION ALL SELECT name FROM run")
SQL(PART_COUNTS,   "SELECT stage, back, state, n FROM part_count WHERE run = ?")

/* stages and partitions */
SQL(STAGE_NEW,     "INSERT INTO stage (run, stage, name, state) VALUES (?, ?, ?, ?)")
SQL(STAGES,        "SELECT stage, name, state, attempt, until_ms, report FROM stage WHERE run = ? ORDER BY stage")
SQL(STAGE_STATE,   "SELECT name, state FROM stage WHERE run = ? AND stage = ?")
SQL(STAGE_MOVE,    "UPDATE stage SET state = ?3, attempt = attempt + ?4, until_ms = ?5, report = coalesce(?6, report)"
                   " WHERE run = ?1 AND stage = ?2")
SQL(STAGE_GATE,    "SELECT name, state, attempt, report FROM stage WHERE run = ? AND stage = ?")
SQL(PART_NEW,      "INSERT INTO part (run, part, stage, state, records, bounds, turn) VALUES (?, ?, ?, ?, ?, ?, ?)")
SQL(PART_STATE,    "SELECT state, lane FROM part WHERE run = ? AND part = ?")
SQL(PART_MOVE,     "UPDATE part SET state = ?3 WHERE run = ?1 AND part = ?2")
SQL(PARTS,         "SELECT " CATALOG_PART_COLUMNS " FROM part WHERE run = ?1 AND (?2 IS NULL OR stage = ?2)"
                   " AND part BETWEEN ?3 AND ?4 ORDER BY part")
SQL(PART_STATES,   "SELECT part, stage, state FROM part WHERE run = ? AND part BETWEEN ? AND ? ORDER BY part")

/* grants and checkpoints */
SQL(GRANT_FIRST,   "SELECT part, min(turn) FROM (" CATALOG_FIRST_PENDING("part_by_turn", "") " UNION ALL " CATALOG_FIRST_LEFT ")")
SQL(GRANT_LEFT,    "SELECT part, min(turn) FROM (" CATALOG_FIRST_PENDING("part_given_back", " AND lane > 0") " UNION ALL " CATALOG_FIRST_LEFT ")")
SQL(GRANT_NEXT,    "SELECT " CATALOG_PART_COLUMNS " FROM part INDEXED BY part_by_turn WHERE run = ?1 AND stage = ?2 AND state = 'pending'"
                   " AND coalesce(turn, part) BETWEEN ?3 AND ?4 ORDER BY coalesce(turn, part) LIMIT 1024")
SQL(GRANT,         "UPDATE part SET state = ?3, holder = ?4, lane = lane + 1,"
                   " from_segment = iif(lane = 0, ?5, from_segment), from_offset = iif(lane = 0, ?6, from_offset)"
                   " WHERE run = ?1 AND part = ?2 AND (SELECT coalesce(holder, ?4) = ?4 FROM run WHERE id = ?1)"
                   " RETURNING " CATALOG_PART_COLUMNS ", from_segment, from_offset")
SQL(GRANT_STANDS,  "SELECT EXISTS (SELECT 1 FROM part WHERE run = ?1 AND part = ?2 AND lane = ?3 AND holder = ?4"
                   " AND (SELECT coalesce(holder, ?4) = ?4 FROM run WHERE id = ?1))")
SQL(NEWEST,        "SELECT number, lane, settled, place, undo_segment, undo_offset, cursor, claims FROM checkpoint"
                   " WHERE run = ? AND part = ? ORDER BY number DESC LIMIT 1")
/* Inserts nothing where the lane is closed or the number is not the next. */
SQL(CHECKPOINT,    "INSERT INTO checkpoint (run, part, at_ms, " CATALOG_CHECKPOINT_COLUMNS ", took_ms, claims)"
                   " SELECT ?1, ?2, ?3, ?4, ?5, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, " CATALOG_TALLY(CATALOG_MARK)
                   ", ?, ? FROM part WHERE run = ?1 AND part = ?2 AND lane = ?5 AND state = 'running' AND ?4 ="
                   " 1 + (SELECT coalesce(max(number), 0) FROM checkpoint WHERE run = ?1 AND part = ?2)")
SQL(SPLIT_NEW,     "INSERT INTO part (run, part, stage, state, records, bounds, parent, origin, first)"
                   " SELECT run, 1 + (SELECT max(part) FROM part WHERE run = ?1 AND part < ?4), stage, 'pending', records - ?3,"
                   " bounds, part, coalesce(origin, part), first + ?3 FROM part WHERE run = ?1 AND part = ?2 AND records > ?3"
                   " RETURNING part, records")
SQL(SPLIT_OLD,     "UPDATE part SET records = ?3 WHERE run = ?1 AND part = ?2")
SQL(PART_WRITES,   "SELECT part, sum(CASE WHEN part < 3221225472 THEN n_written + n_deleted ELSE written_count END)"
                   " FROM checkpoint WHERE run = ? GROUP BY part ORDER BY part")
SQL(CHECKPOINTS,   "SELECT " CATALOG_CHECKPOINT_COLUMNS " FROM checkpoint WHERE run = ? AND part = ? ORDER BY number")

/* checkpoints that were taken back */
SQL(LOOKS,         "SELECT part, number, lane, settled, conditions FROM checkpoint WHERE run = ?1 AND part BETWEEN ?3 AND ?4"
                   " AND ?2 IS NULL AND written_count + n_written + n_deleted + n_restored > 0 ORDER BY part, number")
SQL(LOST_KEEP,     "INSERT INTO checkpoint_lost (run, part, number, lane, at_ms, place, settled, n_written, n_deleted,"
                   " conditions, lost_ms, where_lost) SELECT run, part, number, lane, at_ms, place, settled, n_written, n_deleted,"
                   " conditions, ?4, ?5 " CATALOG_BEHIND)
SQL(LOST_TOTAL,    "UPDATE run_total SET updated_ms = ?4, " CATALOG_LESS("bytes_read") ", " CATALOG_LESS("bytes_written") ", "
                   CATALOG_TALLY(CATALOG_LESS) " WHERE run = ?1")
SQL(LOST_DROP,     "DELETE " CATALOG_BEHIND)
SQL(LOST_LOOKS,    "SELECT part, number, lane, settled, conditions FROM checkpoint_lost WHERE run = ? AND part = ? ORDER BY number, lane")
SQL(LOST_LANES,    "SELECT lane, max(settled) FROM checkpoint_lost WHERE run = ? AND part = ? GROUP BY lane ORDER BY lane")
SQL(LOST_WHERE,    "SELECT group_concat(where_lost, ';') FROM (SELECT DISTINCT where_lost FROM checkpoint_lost WHERE run = ? AND part = ?)")

/* who lags */
SQL(STRAGGLERS_NONE, "DELETE FROM straggler WHERE run = ?")
SQL(STRAGGLER_PUT, "INSERT INTO straggler (run, part, since_ms, still_ms, left_records, per_ks, others_per_ks, cause, words)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
SQL(STRAGGLERS,    "SELECT part, since_ms, still_ms, left_records, per_ks, others_per_ks, cause, words FROM straggler"
                   " WHERE run = ? ORDER BY part")

/* approvals, settings */
SQL(APPROVAL_NEW,  "INSERT INTO approval (run, stage, attempt, plan_digest, report, granted, actor, reason, at_ms)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
SQL(APPROVAL,      "SELECT plan_digest, report, granted, actor, reason, at_ms FROM approval WHERE run = ? AND stage = ?"
                   " AND attempt = ? ORDER BY id DESC LIMIT 1")
SQL(SETTING_NEW,   "INSERT INTO setting (run, key, value, actor, at_ms) VALUES (?, ?, ?, ?, ?)")
SQL(SETTINGS,      "SELECT key, value, actor, at_ms FROM setting AS s WHERE run = ? AND id ="
                   " (SELECT max(id) FROM setting AS t WHERE t.run = s.run AND t.key = s.key) ORDER BY key")

/* pace */
SQL(PACE_PUT,      "INSERT INTO pace (run, at_ms, json) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, json = excluded.json")
SQL(PACE,          "SELECT at_ms, json FROM pace WHERE run = ?")

/* what checkpoints accounted for, by time: ?2 is the length of a stretch of it */
SQL(HISTORY,       "SELECT at_ms / ?2 * ?2, sum(n_written + n_unchanged + n_kept_live + n_rejected + n_filtered + n_deleted"
                   " + n_gone + n_in_doubt), sum(n_rejected), sum(n_retried), sum(bytes_read), sum(bytes_written),"
                   " max(took_ms) FROM checkpoint WHERE run = ?1 AND part < 2147483648 GROUP BY 1 ORDER BY 1")
/* the newest of a stretch stands for all of it */
SQL(SPENT,         "SELECT max(at_ms), sum(n_read), sum(n_written), sum(n_deleted), sum(bytes_read), sum(bytes_written)"
                   " FROM checkpoint WHERE run = ?1 AND part < 2147483648 AND at_ms > ?3 GROUP BY at_ms / ?2 ORDER BY 1")

/* partitions with refused, doubtful or repeated writes, the worst first */
SQL(TROUBLES,      "SELECT c.part, p.stage, p.state, sum(c.n_rejected), sum(c.n_in_doubt), sum(c.n_retried), max(c.at_ms)"
                   " FROM checkpoint AS c JOIN part AS p ON p.run = c.run AND p.part = c.part"
                   " WHERE c.run = ?1 AND c.part < 2147483648 GROUP BY c.part"
                   " HAVING sum(c.n_rejected) + sum(c.n_in_doubt) + sum(c.n_retried) > 0"
                   " ORDER BY sum(c.n_rejected) + sum(c.n_in_doubt) DESC, sum(c.n_retried) DESC, c.part LIMIT ?2")
SQL(PART_TIMES,    "SELECT max(at_ms), coalesce(sum(n_written + n_unchanged + n_kept_live + n_rejected + n_filtered + n_deleted"
                   " + n_gone + n_in_doubt), 0), coalesce(sum(took_ms), 0) FROM checkpoint WHERE run = ?1 AND part = ?2")
/* how long the newest batches took, the shortest first; of the newest of the home, so that a run long over costs no more */
SQL(LATENCIES,     "SELECT took_ms FROM (SELECT took_ms FROM checkpoint WHERE run = ?1 AND part < 2147483648"
                   " AND id > (SELECT max(id) FROM checkpoint) - 5000 ORDER BY id DESC LIMIT ?2) ORDER BY 1")
/* batches of all partitions, in the order of their checkpoints */
SQL(BATCHES,       "SELECT c.id, c.part, p.stage, c.lane, c.number, c.at_ms, c.took_ms, c.last, c.bytes_read, c.bytes_written, "
                   CATALOG_TALLY(CATALOG_NAME) " FROM checkpoint AS c JOIN part AS p ON p.run = c.run AND p.part = c.part"
                   " WHERE c.run = ?1 AND c.id > ?2 ORDER BY c.id LIMIT ?3")
SQL(BATCH_NEWEST,  "SELECT coalesce(max(id), 0) FROM checkpoint")

/* hooks */
SQL(HOOK_NEW,      "INSERT INTO hook (run, hook, events, must) VALUES (?, ?, ?, ?)")
SQL(HOOKED,        "SELECT run.uid, run.spec_name, l.number, l.at_ms FROM run, (SELECT number, at_ms FROM ledger"
                   " ORDER BY number DESC LIMIT 1) AS l WHERE run.id = ?1 AND EXISTS (SELECT 1 FROM hook WHERE hook.run = ?1)")
SQL(DELIVERY_NEW,  "INSERT INTO delivery (run, hook, event, key, at_ms, must, document)"
                   " SELECT ?1, hook, ?2, ?3, ?4, must, ?5 FROM hook WHERE run = ?1 AND instr(events, ' ' || ?2 || ' ') > 0")
SQL(DELIVERIES,    "SELECT " CATALOG_DELIVERY_COLUMNS " FROM delivery WHERE run = ? ORDER BY id")
SQL(DELIVERY_NEXT, "SELECT " CATALOG_DELIVERY_COLUMNS " FROM delivery WHERE run = ? AND hook = ? AND state = 'waiting'"
                   " ORDER BY id LIMIT 1")
SQL(DELIVERY_COUNTS, "SELECT coalesce(sum(state = 'waiting'), 0), coalesce(sum(state = 'failed'), 0),"
                   " coalesce(sum(state = 'waiting' AND must), 0), coalesce(sum(state = 'failed' AND must), 0)"
                   " FROM delivery WHERE run = ? AND state <> 'delivered'")
SQL(DELIVERY_TRIED, "UPDATE delivery SET state = ?2, next_ms = ?3, said = ?4, tries = tries + 1 WHERE id = ?1")
SQL(DELIVERIES_RETRY, "UPDATE delivery SET state = 'waiting', tries = 0, next_ms = 0 WHERE run = ? AND state = 'failed'")

/* wishes, reports, sums */
SQL(WISH_NEW,      "INSERT INTO wish (run, kind, value, actor, reason, at_ms) VALUES (?, ?, ?, ?, ?, ?) RETURNING id")
SQL(WISH_NEXT,     "SELECT id, kind, value, actor, reason, at_ms FROM wish WHERE run = ? AND taken_ms IS NULL"
                   " AND over_ms IS NULL ORDER BY id LIMIT 1")
SQL(WISH_HEARD,    "SELECT id, kind, value, actor, reason, at_ms FROM wish WHERE run = ? AND taken_ms IS NOT NULL"
                   " AND over_ms IS NULL AND kind IN ('pause', 'abort', 'rollback') ORDER BY id LIMIT 1")
SQL(WISH_TAKEN,    "UPDATE wish SET taken_ms = coalesce(taken_ms, ?2) WHERE id = ?1")
SQL(WISHES_TAKEN,  "UPDATE wish SET taken_ms = ?3 WHERE run = ?1 AND kind = ?2 AND taken_ms IS NULL AND over_ms IS NULL")
SQL(WISH_OVER,     "UPDATE wish SET over_ms = ?2 WHERE id = ?1 AND over_ms IS NULL")
SQL(WISHES_OVER,   "UPDATE wish SET over_ms = ?2 WHERE run = ?1 AND over_ms IS NULL")
SQL(WISH_FATE,     "SELECT CASE WHEN taken_ms IS NOT NULL THEN 1 WHEN over_ms IS NOT NULL THEN 2 ELSE 0 END FROM wish"
                   " WHERE id = ?")
SQL(REPORT_NEW,    "INSERT INTO report (run, at_ms, stage, verdict, path, summary) VALUES (?, ?, ?, ?, ?, ?)")
SQL(REPORTS,       "SELECT id, at_ms, stage, verdict, path, summary FROM report WHERE run = ? ORDER BY id")
SQL(PART_SUM_PUT,  "INSERT OR REPLACE INTO part_sum (run, " CATALOG_SUM_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
SQL(PART_SUMS,     "SELECT " CATALOG_SUM_COLUMNS " FROM part_sum WHERE run = ? ORDER BY part")

/* what has expired */
SQL(EXPIRIES,      "SELECT what, at_ms, coalesce(done_ms, 0) FROM expiry WHERE run = ?")
SQL(EXPIRY_NEW,    "INSERT INTO expiry (run, what, at_ms, actor) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
SQL(EXPIRY_DONE,   "UPDATE expiry SET done_ms = ?3 WHERE run = ?1 AND what = ?2 AND done_ms IS NULL")
/* What a run's rows say of keys, values and people's words: the digests of the plan stay what they were. */
SQL(WIPE_PARTS,    "UPDATE part SET bounds = x'' WHERE run = ?")
SQL(WIPE_CHECKS,   "DELETE FROM checkpoint WHERE run = ?")
SQL(WIPE_LOST,     "DELETE FROM checkpoint_lost WHERE run = ?")
SQL(WIPE_SENT,     "DELETE FROM delivery WHERE run = ?")
SQL(WIPE_REPORTS,  "DELETE FROM report WHERE run = ?")
SQL(WIPE_TOLD,     "DELETE FROM told WHERE run = ?")
SQL(WIPE_WISHES,   "UPDATE wish SET reason = NULL WHERE run = ?")
SQL(WIPE_WORDS,    "UPDATE approval SET reason = NULL WHERE run = ?")
SQL(WIPE_RUN,      "UPDATE run SET reason = NULL WHERE id = ?")
SQL(WIPE_PLAN,     "UPDATE plan SET json = CAST(json_remove(CAST(json AS TEXT), '$.only', '$.scopes', '$.params') AS BLOB) WHERE run = ?")

/* the ledger */
SQL(LEDGER_HEAD,   "SELECT number, digest FROM ledger ORDER BY number DESC LIMIT 1")
SQL(LEDGER_NEW,    "INSERT INTO ledger (" CATALOG_LEDGER_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
SQL(LEDGER,        "SELECT " CATALOG_LEDGER_COLUMNS " FROM ledger WHERE number >= ? ORDER BY number LIMIT ?")
SQL(LEDGER_LIFTED, "SELECT min(at_ms) FROM ledger WHERE run = ?1 AND action IN ('waiting', 'running', 'verifying', 'promoting')"    \
    " AND number > (SELECT max(number) FROM ledger WHERE run = ?1 AND action = 'halted')")
SQL(LEDGER_BELOW,  "SELECT " CATALOG_LEDGER_COLUMNS " FROM ledger WHERE number < ?1 AND (?2 IS NULL OR run = ?2)"
                   " ORDER BY number DESC LIMIT ?3")

/* who asks over the network */
SQL(TOKENS,        "SELECT id, name, role, only_specs, groups, author, digest, made_ms, coalesce(expires_ms, 0),"
                   " coalesce(revoked_ms, 0), certificate FROM token ORDER BY id")
SQL(TOKEN_NEW,     "INSERT INTO token (name, role, only_specs, groups, author, digest, made_ms, expires_ms, certificate)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, 0), ?9)")
SQL(TOKEN_REVOKE,  "UPDATE token SET revoked_ms = ?2 WHERE id = ?1")
SQL(ERRAND_NEW,    "INSERT INTO errand (id, at_ms, command, run, actor, user, groups) VALUES (?, ?, ?, ?, ?, ?, ?)")
SQL(ERRAND,        "SELECT command, run, actor, user, groups FROM errand WHERE id = ? AND taken_ms IS NULL")
SQL(ERRAND_TAKEN,  "UPDATE errand SET taken_ms = ?2 WHERE id = ?1")
SQL(ANSWER,        "SELECT request, status, body FROM answer WHERE token = ? AND key = ? AND at_ms > ?")
SQL(ANSWER_PUT,    "INSERT OR REPLACE INTO answer (token, key, request, at_ms, status, body) VALUES (?, ?, ?, ?, ?, ?)")
SQL(ANSWERS_OLD,   "DELETE FROM answer WHERE at_ms <= ?")
/* clang-format on */
