/* The protocol of a run, as a model that spin checks in every order of its steps: tests/protocol/protocol.py.
 *
 * docs/protocol.md reads it to a person. Each `d_step` is one step that happened or did not: a transaction of the
 * catalog, an answer of the store, an append to the undo log. Between any two of them everybody else may make theirs:
 * the other worker, a process that was thought dead and has only slept, a request that was long on its way, the
 * application, a loss of power. The words in capitals are the steps of src/run/op.h.
 *
 * A record is (a, n): the application's a-th write to its key, upon which the run was applied n times; the transform is
 * not idempotent. Partition 0 has two keys; partitions 1 and 2 want the same one, so that its chain in the undo log
 * crosses partitions. In a promotion each partition makes one key live, and only over what had been noted.
 *
 * `broken` is 0, or the rule that is left out: spin must then find a promise broken. */

#ifndef TAKEUPS
#define TAKEUPS 1 /* processes that die, or are thought dead and sleep, while another takes the run up */
#endif
#ifndef SLEEPS
#define SLEEPS 1 /* one that is thought dead may wake, and go on where it was; 0: it is dead */
#endif
#ifndef APP_WRITES
#define APP_WRITES 1 /* of the application, to whichever keys */
#endif
#ifndef LOSSES
#define LOSSES 0 /* of power: the machine keeps what was synced, and of the rest all or nothing */
#endif
#ifndef LOST_ANSWERS
#define LOST_ANSWERS 0 /* requests of which nobody hears, or that arrive twice: at once, or much later */
#endif
#ifndef ROLLBACK
#define ROLLBACK 1 /* somebody may ask for it, at any moment, and behind the end too */
#endif
#ifndef PROMOTION
#define PROMOTION 0 /* the run makes its shadow live, instead of writing in place */
#endif
#ifndef PARTITIONS
#define PARTITIONS 3 /* that the run has: from 1 */
#endif
#ifndef BATCH
#define BATCH 2 /* rows in a batch, at most */
#endif

#define WORKERS 2
#define FORWARD 3 /* partitions 0, 1 and 2; those of the rollback, one a key, follow */
#define KEYS    3
#define PARTS   6
#define LANES   (TAKEUPS + LOSSES + 3)                /* from 1 */
#define NUMBERS (3 + APP_WRITES + LOST_ANSWERS)       /* of a lane, from 1 */

#define ROWS(p)   ((p) == 0 && !PROMOTION -> 2 : 1)
#define KEY(p, r) ((p) >= FORWARD -> (p) - FORWARD : ((p) == 0 -> (r) : (PROMOTION -> (p) : 2)))

#define NO_LANE_CHECK       (broken == 1)  /* the store writes whatever lane a request is of, … */
#define NO_NUMBER_CHECK     (broken == 2)  /* … and does not know which numbers it has applied, … */
#define NO_ETAG             (broken == 3)  /* … nor whether the record is still the one that was read */
#define OPEN_CLOSES_NOTHING (broken == 4)  /* a new lane leaves the old ones open */
#define UNSYNCED_INTENTS    (broken == 5)  /* intents are appended, but not synced, before the write */
#define EARLY_CHECKPOINT    (broken == 6)  /* the checkpoint does not wait for the store to settle */
#define EARLY_BASE          (broken == 7)  /* the fence forgets a number with its own write */
#define NO_TAIL             (broken == 8)  /* who takes a partition up does not ask what a dead one left */
#define TAIL_FROM_BATCH     (broken == 9)  /* the log's place moves on before every old write has met its key */
#define NO_SETTLING         (broken == 10) /* a rollback does not first close the lanes and settle what they left */
#define NO_STANDS           (broken == 11) /* around the opening of a lane nobody asks who holds the run */
#define CHECKPOINT_ANY_LANE (broken == 12) /* the catalog takes a checkpoint of any lane */
#define BLIND_ROLLBACK      (broken == 13) /* the pre-image goes back whatever stands */
#define LOG_KNOWS_BETTER    (broken == 14) /* an outcome is believed although the fence has lost the mark */
#define FENCE_LEAVES_LATE   (broken == 15) /* who asks the fence for a lost answer does not shut the request out */
#define NO_LAST_SYNC        (broken == 16) /* a partition's last checkpoint does not wait for its outcomes */
#define PROMOTE_OVER_ALL    (broken == 17) /* a promotion writes over what the application wrote since */
#define LAST_ENTRY_ONLY     (broken == 18) /* a rollback undoes the last entry of a key, not its chain */

byte broken;

/* --- the catalog: a transaction a step, and durable with it -------------------------------------------------------- */

#define PENDING 0
#define GRANTED 1
#define WRITTEN 2

#define RUNNING     0
#define PASSED      1 /* its gate */
#define DONE        2
#define SETTLING    3 /* of a rollback: lanes are closed, and what they left is settled */
#define BACK        4
#define ROLLED_BACK 5

byte phase;
byte holder = 1; /* the process that holds the run */

typedef Part {
    byte state;
    byte lane, by;              /* of the newest grant: its lane, and to which process */
    byte cursor;                /* of the newest checkpoint: rows behind it, … */
    byte settled_lane, settled; /* … the last number that it accounts for, … */
    byte from_lane, from;       /* … and from where on the log is read by who takes the partition up */
};
Part part[PARTS];

/* --- the store: records, and beside them a fence for each partition ------------------------------------------------ */

#define VALUE(a, n) ((a) * 4 + (n))
#define A(value)    ((value) / 4)
#define N(value)    ((value) % 4)

typedef Fence {
    byte highest, open; /* lanes; 0: none */
    byte epoch;         /* how often somebody has asked for a lost answer */
    byte base[LANES];   /* of a lane: numbers up to here are settled and forgotten, … */
    byte marks[LANES];  /* … and of those above it a bit each that was applied */
};

byte live[KEYS];
Fence fence[PARTS];

#if LOSSES
byte live_kept[KEYS]; /* what a loss of power leaves */
Fence fence_kept[PARTS];
#endif

/* --- the undo log -------------------------------------------------------------------------------------------------- */

#define UNKNOWN     0
#define APPLIED     1
#define NOT_APPLIED 2

/* Of one number of a lane: the pre-image. What a forward entry writes is that with the run applied once more. */
#define ENTRY(pre, row) (1 + 2 * (pre) + 64 * (row))
#define PRE(entry)      (((entry) / 2) % 32)
#define ROW(entry)      ((entry) / 64)

#define BIT(i)       (1 << (i))
#define HAS(bits, i) (((bits) >> (i)) & 1)
#define WITHOUT(bits, i) ((bits) & (255 - (1 << (i))))

typedef Lane {
    byte entry[NUMBERS];   /* 0: none */
    byte applied, refused; /* outcomes, a bit each; neither: unknown */
    byte safe;             /* outcomes that are synced */
    byte unsafe;           /* intents that are not: of a broken protocol alone */
};
typedef Lanes {
    Lane lane[LANES];
};
Lanes log[PARTS];

/* --- who is alive, and what is on its way -------------------------------------------------------------------------- */

bit killed[WORKERS]; /* its process has died: it begins anew in the newest one */
byte process[WORKERS];    /* its process; another than the holder sleeps, or has slept and does not know it */
bit busy[WORKERS];   /* it has a partition */

typedef Request {
    bit is;
    byte part, row, lane, number, base, epoch, etag, value;
};
Request late;

byte takeups, app_writes, losses, lost_answers;

/* --- what is there to state the promises alone --------------------------------------------------------------------- */

byte newest[KEYS];           /* the application's newest write to the key */
byte times[6];               /* of each row of a forward partition: how often the run was applied to it, in effect */
byte checkpointed[PARTS];    /* rows behind a checkpoint */
byte must[KEYS], pre[KEYS];  /* of the chains of a rollback */
bit has_chain[KEYS];

#if LOSSES
byte newest_kept[KEYS];
byte times_kept[6];
#endif

hidden byte i, k, l, m, told;

/* --- the store's steps --------------------------------------------------------------------------------------------- */

#define FENCED  0
#define IS_DONE 1
#define IS_NEW  2
#define CHANGED 3

inline apply(to_part, to_row, by_lane, as, what)
{
    /* Promise 1: what is written rests on the application's newest write. */
    assert(A(what) == newest[KEY(to_part, to_row)]);
    /* Promise 3: nothing arrives behind an end, and nothing forward once a rollback has closed the lanes. */
    assert(phase != DONE && phase != ROLLED_BACK && (to_part >= FORWARD || phase != BACK));
    live[KEY(to_part, to_row)] = what;
    fence[to_part].marks[by_lane] = fence[to_part].marks[by_lane] | BIT(as);
    if
    :: to_part < FORWARD ->
        times[to_part * 2 + to_row]++;
        /* Promise 2: once in effect. */
        assert(times[to_part * 2 + to_row] == 1)
    :: else
    fi;
    if
    :: EARLY_BASE -> fence[to_part].base[by_lane] = as
    :: else
    fi
}

/* CAS. The lane is open, the number is not applied, the record is still the one that was read: one atomic step. */
inline cas(q, nth, in_lane, nr, upto, era, seen, wish, says)
{
    if
    :: !NO_LANE_CHECK && (fence[q].highest == 0 || (fence[q].open != in_lane && !OPEN_CLOSES_NOTHING)) -> says = FENCED
    :: else ->
        if
        :: fence[q].epoch != era && !NO_LANE_CHECK -> says = FENCED
        :: else ->
            if
            :: upto > fence[q].base[in_lane] -> fence[q].base[in_lane] = upto
            :: else
            fi;
            if
            :: !NO_NUMBER_CHECK && (nr <= fence[q].base[in_lane] || HAS(fence[q].marks[in_lane], nr)) -> says = IS_DONE
            :: else ->
                if
                :: live[KEY(q, nth)] != seen && !NO_ETAG -> says = CHANGED
                :: else ->
                    apply(q, nth, in_lane, nr, wish);
                    says = IS_NEW
                fi
            fi
        fi
    fi
}

/* SETTLE. What was acknowledged stays, whatever becomes of the machine. */
inline settle()
{
#if LOSSES
    for (k : 0 .. KEYS - 1) {
        live_kept[k] = live[k];
        newest_kept[k] = newest[k]
    }
    for (k : 0 .. PARTS - 1) {
        fence_kept[k].highest = fence[k].highest;
        fence_kept[k].open = fence[k].open;
        fence_kept[k].epoch = fence[k].epoch;
        for (l : 0 .. LANES - 1) {
            fence_kept[k].base[l] = fence[k].base[l];
            fence_kept[k].marks[l] = fence[k].marks[l]
        }
    }
    for (k : 0 .. 5) {
        times_kept[k] = times[k]
    }
#else
    skip
#endif
}

/* One sync makes durable what all workers have appended. */
inline sync_log()
{
#if LOSSES
    for (k : 0 .. PARTS - 1) {
        for (l : 0 .. LANES - 1) {
            log[k].lane[l].safe = log[k].lane[l].applied | log[k].lane[l].refused;
            log[k].lane[l].unsafe = 0
        }
    }
#else
    skip
#endif
}

/* --- a worker ------------------------------------------------------------------------------------------------------ */

#define OPEN  0
#define SENT  1 /* logged, under a number of this round */
#define ENDED 2

/* A partition that nobody has begun, or that another process left half-done. A rollback settles the latter alone. */
#define IS_FOR_JOB(p) ((p) < FORWARD -> phase == RUNNING || phase == SETTLING : phase == BACK && has_chain[(p) - FORWARD])
#define IS_LEFT(w, p) (part[p].state == GRANTED && part[p].by != process[w])
#define GRANTABLE(w, p) (IS_FOR_JOB(p) && ((part[p].state == PENDING && phase != SETTLING) || IS_LEFT(w, p)))
#define ANY_GRANTABLE(w)                                                                                               \
    (GRANTABLE(w, 0) || GRANTABLE(w, 1) || GRANTABLE(w, 2) || GRANTABLE(w, 3) || GRANTABLE(w, 4) || GRANTABLE(w, 5))

/* GRANT. The partition, in a lane of its own, with what its newest checkpoint says. */
inline grant(who)
{
    p = 0;
    do
    :: GRANTABLE(who, p) -> break
    :: else -> p++
    od;
    part[p].state = GRANTED;
    part[p].by = process[who];
    part[p].lane++;
    ln = part[p].lane;
    assert(ln < LANES);
    if
    :: ln == 1 ->
        part[p].from_lane = 1;
        part[p].from = 1
    :: else
    fi;
    cursor = part[p].cursor;
    from_lane = part[p].from_lane;
    from = part[p].from;
    settles = (phase == SETTLING);
    next = 1;
    busy[who] = 1
}

/* Whether the catalog still knows the grant as the newest, of the process that holds the run. */
#define STANDS(w) (NO_STANDS || (part[p].lane == ln && part[p].by == process[w] && process[w] == holder))

/* What the fence says of a number of an old lane, as it stood when ours was opened. Above the base it knows better than
 * the log: a store that lost its newest writes lost their marks with them. Below it, the log has the outcome. */
inline ask_fence(old, num)
{
    if
    :: num <= fence[p].base[old] -> skip
    :: else ->
        if
        :: HAS(fence[p].marks[old], num) -> told = APPLIED
        :: else -> told = (LOG_KNOWS_BETTER && told == APPLIED -> APPLIED : NOT_APPLIED)
        fi
    fi
}

#define IN_TAIL(l, m) ((l) < ln && (log[p].lane[l].entry[m] != 0) && ((l) > from_lane || ((l) == from_lane && (m) >= from)))
#define ACCOUNTED(l, m) (cursor > 0 && (l) == part[p].settled_lane && (m) <= part[p].settled)

/* TAIL and OUTCOME. Which writes of earlier lanes were applied, and which of those no checkpoint accounts for: these are
 * counted when their row comes by, not repeated. What was found out goes into the log. */
inline take_tail()
{
    for (l : 1 .. LANES - 1) {
        for (m : 1 .. NUMBERS - 1) {
            if
            :: IN_TAIL(l, m) && !NO_TAIL ->
                told = (HAS(log[p].lane[l].applied, m) -> APPLIED : (HAS(log[p].lane[l].refused, m) -> NOT_APPLIED : UNKNOWN));
                if
                :: told == NOT_APPLIED || (ACCOUNTED(l, m) && told == APPLIED) -> skip
                :: else ->
                    ask_fence(l, m);
                    /* Nothing is ever in doubt while the fence stands. */
                    assert(told != UNKNOWN);
                    log[p].lane[l].safe = (HAS(log[p].lane[l].applied, m) != (told == APPLIED) -> WITHOUT(log[p].lane[l].safe, m) : log[p].lane[l].safe);
                    log[p].lane[l].applied = (told == APPLIED -> log[p].lane[l].applied | BIT(m) : WITHOUT(log[p].lane[l].applied, m));
                    log[p].lane[l].refused = (told == APPLIED -> WITHOUT(log[p].lane[l].refused, m) : log[p].lane[l].refused | BIT(m));
                    if
                    :: told == APPLIED && !ACCOUNTED(l, m) -> claims = claims | BIT(ROW(log[p].lane[l].entry[m]))
                    :: else
                    fi
                fi
            :: else
            fi
        }
    }
    told = 0
}

/* What becomes of row r of the batch: what is wanted, on top of the image that was read; or nothing. */
inline decide(q, nth)
{
    state[nth] = OPEN;
    img[nth] = live[KEY(q, cursor + nth)];
    if
    :: q < FORWARD && PROMOTION && A(img[nth]) > 0 && !PROMOTE_OVER_ALL -> state[nth] = ENDED /* kept live */
    :: q >= FORWARD && img[nth] != must[KEY(q, nth)] && !BLIND_ROLLBACK -> state[nth] = ENDED /* written since: left */
    :: else -> skip
    fi
}
#define WANTED(p, r) ((p) >= FORWARD -> pre[KEY(p, r)] : (PROMOTION -> VALUE(0, 1) : img[r] + 1))

/* SCAN and READ. */
inline scan()
{
    r = 0;
    do
    :: r < rows ->
        /* Promise 6: what is behind a checkpoint is not read again, but by who has slept and is refused. */
        assert(cursor + r >= checkpointed[p] || process[w] != holder);
        if
        :: HAS(claims, cursor + r) ->
            state[r] = ENDED;
            claims = WITHOUT(claims, cursor + r)
        :: else -> decide(p, r)
        fi;
        r++
    :: else -> break
    od;
    r = 0;
    has_logged = 0
}

/* LOG. The intents of a round, durable before anything of it is sent. All numbers before it have their outcomes in the
 * same log: the fence may forget them with this round's writes. */
inline log_intents()
{
    base = next - 1;
    if
    :: !has_logged && (claims == 0 || TAIL_FROM_BATCH) ->
        from_lane = ln;
        from = next
    :: else
    fi;
    has_logged = 1;
    sync_log();
    r = 0;
    do
    :: r < rows ->
        if
        :: state[r] == OPEN ->
            assert(next < NUMBERS);
            log[p].lane[ln].entry[next] = ENTRY(img[r], cursor + r);
            log[p].lane[ln].unsafe = (UNSYNCED_INTENTS -> log[p].lane[ln].unsafe | BIT(next) : 0);
            no[r] = next;
            state[r] = SENT;
            next++
        :: else
        fi;
        r++
    :: else -> break
    od;
    r = 0
}

/* A round's outcomes; what has changed meanwhile is decided anew. */
inline log_outcomes()
{
    r = 0;
    do
    :: r < rows ->
        if
        :: no[r] && state[r] == ENDED -> log[p].lane[ln].applied = log[p].lane[ln].applied | BIT(no[r])
        :: no[r] && state[r] == OPEN ->
            log[p].lane[ln].refused = log[p].lane[ln].refused | BIT(no[r]);
            decide(p, r)
        :: else
        fi;
        no[r] = 0;
        r++
    :: else -> break
    od;
    r = 0
}

inline forget_batch()
{
    rows = 0;
    r = 0;
    has_logged = 0;
    sent = 0;
    is_refused = 0;
    answer = 0;
    for (i : 0 .. 1) {
        state[i] = 0;
        img[i] = 0;
        no[i] = 0
    }
    i = 0
}

/* Of a partition that is written nobody asks any more by which lane and number it came about. Without this there are as
 * many states as ways; the archive, lane 0 of the log, has what a rollback needs. */
inline archive()
{
    for (l : 1 .. LANES - 1) {
        for (m : 1 .. NUMBERS - 1) {
            if
            :: HAS(log[p].lane[l].applied, m) ->
                i = 1 + ROW(log[p].lane[l].entry[m]);
                log[p].lane[0].entry[i] = log[p].lane[l].entry[m];
                log[p].lane[0].applied = log[p].lane[0].applied | BIT(i);
                log[p].lane[0].safe = log[p].lane[0].safe | (HAS(log[p].lane[l].safe, m) << i);
                log[p].lane[0].unsafe = log[p].lane[0].unsafe | (HAS(log[p].lane[l].unsafe, m) << i)
            :: else
            fi;
            log[p].lane[l].entry[m] = 0
        }
        log[p].lane[l].applied = 0;
        log[p].lane[l].refused = 0;
        log[p].lane[l].safe = 0;
        log[p].lane[l].unsafe = 0;
        fence[p].base[l] = (LOST_ANSWERS && l == ln -> fence[p].base[l] : 0);
        fence[p].marks[l] = (LOST_ANSWERS && l == ln -> fence[p].marks[l] : 0)
    }
    part[p].settled_lane = 0;
    part[p].settled = 0;
    part[p].from_lane = 0;
    part[p].from = 0;
    i = 0
}

/* CHECKPOINT. A row that the catalog takes of the partition's own lane alone. */
inline checkpoint()
{
    cursor = cursor + rows;
    part[p].cursor = cursor;
    part[p].settled_lane = ln;
    part[p].settled = next - 1;
    part[p].from_lane = from_lane;
    part[p].from = from;
    part[p].state = (cursor == ROWS(p) -> WRITTEN : part[p].state);
    checkpointed[p] = (cursor > checkpointed[p] -> cursor : checkpointed[p]);
    if
    :: part[p].state == WRITTEN -> archive()
    :: else
    fi;
    forget_batch()
}

inline forget()
{
    forget_batch();
    p = 0;
    ln = 0;
    cursor = 0;
    next = 0;
    base = 0;
    ep = 0;
    claims = 0;
    from_lane = 0;
    from = 0;
    settles = 0
}

/* LANE_OPEN closes all lower lanes, in one step of the store. */
inline open_lane()
{
    fence[p].highest = ln;
    fence[p].open = ln;
    ep = fence[p].epoch
}

/* The first row from r on that is to be sent; `rows`: none. */
inline seek()
{
    do
    :: r < rows && state[r] != SENT -> r++
    :: else -> break
    od
}

#define ANY_OPEN (state[0] == OPEN || (rows == 2 && state[1] == OPEN))

/* SCAN, READ and LOG. */
inline begin_batch()
{
    scan();
    if
    :: ANY_OPEN -> log_intents()
    :: else -> sent = 1
    fi;
    seek()
}

/* OUTCOME; what has changed meanwhile goes through another round. */
inline end_round()
{
    log_outcomes();
    if
    :: ANY_OPEN -> log_intents()
    :: else -> sent = 1
    fi;
    seek()
}

inline take_answer()
{
    if
    :: answer != FENCED ->
        state[r] = (answer == CHANGED -> OPEN : ENDED);
        answer = 0;
        r++;
        seek()
    :: else -> is_refused = 1
    fi
}

inline send()
{
    want = WANTED(p, r);
    cas(p, cursor + r, ln, no[r], base, ep, img[r], want, answer);
    want = 0;
    take_answer()
}

/* A copy of the request stays on its way, and may arrive later, once or more often. */
inline copy_request()
{
    lost_answers++;
    late.is = 1;
    late.part = p;
    late.row = cursor + r;
    late.lane = ln;
    late.number = no[r];
    late.base = base;
    late.epoch = ep;
    late.etag = img[r];
    late.value = WANTED(p, r)
}

inline send_twice()
{
    copy_request();
    send()
}

/* FENCE. It says what was applied, and shuts out what was not. */
inline ask_for_lost_answer()
{
    if
    :: fence[p].open != ln || fence[p].epoch != ep -> answer = FENCED
    :: else ->
        answer = (HAS(fence[p].marks[ln], no[r]) -> IS_NEW : CHANGED);
        fence[p].epoch = (FENCE_LEAVES_LATE -> fence[p].epoch : fence[p].epoch + 1);
        ep = fence[p].epoch
    fi;
    take_answer()
}

inline end_part()
{
    if
    :: settles -> sync_log()
    :: else
    fi;
    forget();
    busy[w] = 0
}

inline begin_anew()
{
    killed[w] = 0;
    process[w] = holder;
    busy[w] = 0;
    forget()
}

/* Of the process that holds the run nothing is ever refused; any other ends here. */
inline end_refused()
{
    assert(process[w] != holder || killed[w]);
    begin_anew()
}

/* One step; and one that can be made where something holds. What follows upon each other is one step here where
 * whatever anybody else could do between the two could as well be done before them, or behind. */
#define STEP(what)        atomic { skip; d_step { what; skip } }
#define WHEN(holds, what) atomic { (holds) -> d_step { what; skip } }

#define HAS_MORE  (cursor < ROWS(p) && !settles)
#define MAY_WRITE ((part[p].lane == ln && part[p].state == GRANTED) || CHECKPOINT_ANY_LANE)

proctype worker(byte w)
{
    byte p, ln, cursor, next, base, ep, claims, from_lane, from; /* of the partition */
    bit settles;
    byte rows, r, want, answer, state[2], img[2], no[2]; /* of the batch */
    bit has_logged, sent, is_refused;

alive:
    {
        do
        :: process[w] != holder -> goto refused
        :: WHEN(process[w] == holder && ANY_GRANTABLE(w), grant(w));
            /* The code asks the catalog before it opens a lane too, so that who has slept for long disturbs nobody. */
            if
            :: WHEN(ln > fence[p].highest, open_lane())
            :: else -> goto refused
            fi;
            if
            :: atomic {
                STANDS(w) -> d_step {
                    take_tail();
                    skip
                }
            }
            :: else -> goto refused
            fi;
            do
            :: atomic {
                HAS_MORE ->
                if
                :: rows = 1
                :: BATCH == 2 && cursor + 2 <= ROWS(p) -> rows = 2
                fi;
                d_step {
                    begin_batch();
                    skip
                }
            }
                do
                :: WHEN(r < rows && !is_refused, send())
                :: WHEN(r < rows && !is_refused && lost_answers < LOST_ANSWERS, send_twice())
                :: WHEN(r < rows && !is_refused && lost_answers < LOST_ANSWERS, copy_request());
                    /* Nobody hears what came of it: perhaps it arrives now, perhaps later, or never. */
                    STEP(ask_for_lost_answer())
                :: WHEN(r == rows && !sent, end_round())
                :: is_refused -> goto refused
                :: atomic { r == rows && sent -> break }
                od;
#if LOSSES
                if
                :: EARLY_CHECKPOINT
                :: else -> STEP(settle())
                fi;
                if
                :: cursor + rows < ROWS(p) || NO_LAST_SYNC
                :: else -> STEP(sync_log())
                fi;
#endif
                if
                :: WHEN(MAY_WRITE, checkpoint())
                :: else -> goto refused
                fi
            :: atomic {
                !HAS_MORE -> d_step {
                    end_part();
                    skip
                }
                break
            }
            od
        od
    } unless {
        killed[w]
    };
    STEP(begin_anew());
    goto alive;
refused:
    STEP(end_refused());
    goto alive
}

/* --- who drives the run -------------------------------------------------------------------------------------------- */

#define IS_BUSY(w) (busy[w] && process[w] == holder)
#define NOBODY_IS_BUSY (!IS_BUSY(0) && !IS_BUSY(1) && !killed[0] && !killed[1])
#define ALL_FORWARD_ARE_WRITTEN (part[0].state == WRITTEN && part[1].state == WRITTEN && part[2].state == WRITTEN)
#define IS_BACK(k) (!has_chain[k] || part[FORWARD + k].state == WRITTEN)
#define IS_SETTLED(p) (part[p].state != GRANTED || part[p].by == holder)
#define ALL_ARE_SETTLED (NO_SETTLING || (IS_SETTLED(0) && IS_SETTLED(1) && IS_SETTLED(2)))

/* Each crew has a holder's name of its own: it is granted what the one before it left half-done. */
inline new_crew()
{
    holder++;
    for (i : 0 .. WORKERS - 1) {
        process[i] = (process[i] == holder - 1 -> holder : process[i])
    }
    i = 0
}

/* The run is over: its fences go. */
inline drop_fences()
{
    for (k : 0 .. PARTS - 1) {
        fence[k].highest = 0;
        fence[k].open = 0;
        fence[k].epoch = 0;
        for (l : 0 .. LANES - 1) {
            fence[k].base[l] = 0;
            fence[k].marks[l] = 0
        }
    }
    settle();
    k = 0;
    l = 0
}

/* All applied entries of a key, from whatever partition and lane, are one chain, undone from its end: the last entry says
 * what must stand now; the walk goes back for as long as an entry's pre-image is what the one before it wrote. */
inline build_chain(of_key)
{
    must[of_key] = 0;
    pre[of_key] = 0;
    has_chain[of_key] = 0;
    for (k : 0 .. FORWARD - 1) {
        for (l : 0 .. LANES - 1) {
            for (m : 1 .. NUMBERS - 1) {
                if
                :: log[k].lane[l].entry[m] != 0 && KEY(k, ROW(log[k].lane[l].entry[m])) == of_key ->
                    /* Settled, or of a process that had slept and was refused. */
                    assert(HAS(log[k].lane[l].applied, m) || HAS(log[k].lane[l].refused, m) || l < part[k].lane || NO_SETTLING);
                    if
                    :: HAS(log[k].lane[l].applied, m) && PRE(log[k].lane[l].entry[m]) + 1 > must[of_key] ->
                        must[of_key] = PRE(log[k].lane[l].entry[m]) + 1;
                        pre[of_key] = PRE(log[k].lane[l].entry[m]);
                        has_chain[of_key] = 1
                    :: else
                    fi
                :: else
                fi
            }
        }
    }
    for (i : 1 .. 2) { /* a chain has two entries at most: nobody writes a of_key more often */
        for (k : 0 .. FORWARD - 1) {
            for (l : 0 .. LANES - 1) {
                for (m : 1 .. NUMBERS - 1) {
                    if
                    :: HAS(log[k].lane[l].applied, m) && KEY(k, ROW(log[k].lane[l].entry[m])) == of_key &&
                           PRE(log[k].lane[l].entry[m]) + 1 == pre[of_key] && !LAST_ENTRY_ONLY ->
                        pre[of_key] = PRE(log[k].lane[l].entry[m])
                    :: else
                    fi
                }
            }
        }
    }
    i = 0;
    k = 0;
    l = 0;
    m = 0
}

/* Every row was applied exactly once; of a promotion, wherever the application let it be. */
inline judge()
{
    assert(times[0] == 1 || (PROMOTION && newest[0] > 0));
    assert(times[1] == 1 || PROMOTION);
    assert(times[2] == 1 || (PROMOTION && newest[1] > 0) || PARTITIONS < 2);
    assert(times[4] == 1 || (PROMOTION && newest[2] > 0) || PARTITIONS < 3);
    phase = PASSED
}

inline end_run()
{
    drop_fences();
    phase = DONE
}

inline begin_rollback()
{
    phase = SETTLING;
    new_crew()
}

/* The chains are made: nobody asks the log and the marks of a closed lane any more. */
inline forget_forward()
{
    for (k : 0 .. FORWARD - 1) {
        for (l : 0 .. LANES - 1) {
            for (m : 1 .. NUMBERS - 1) {
                log[k].lane[l].entry[m] = 0
            }
            log[k].lane[l].applied = 0;
            log[k].lane[l].refused = 0;
            log[k].lane[l].safe = 0;
            fence[k].base[l] = (LOST_ANSWERS && l == fence[k].open -> fence[k].base[l] : 0);
            fence[k].marks[l] = (LOST_ANSWERS && l == fence[k].open -> fence[k].marks[l] : 0)
        }
    }
    for (k : 0 .. 5) {
        times[k] = 0
    }
    k = 0;
    l = 0;
    m = 0
}

inline build_chains()
{
    build_chain(0);
    build_chain(1);
    build_chain(2);
    forget_forward();
    phase = BACK;
    new_crew()
}

/* Promise 3: the application's newest writes stand, and nothing of the run upon them. */
inline end_rollback()
{
    assert(live[0] == VALUE(newest[0], 0));
    assert(live[1] == VALUE(newest[1], 0));
    assert(live[2] == VALUE(newest[2], 0));
    drop_fences();
    phase = ROLLED_BACK
}

proctype drives()
{
    do
    :: WHEN(phase == RUNNING && ALL_FORWARD_ARE_WRITTEN && NOBODY_IS_BUSY, judge())
    :: WHEN(phase == PASSED, end_run())
    :: WHEN(ROLLBACK && phase <= DONE && NOBODY_IS_BUSY, begin_rollback())
    :: WHEN(phase == SETTLING && NOBODY_IS_BUSY && ALL_ARE_SETTLED, build_chains())
    :: WHEN(phase == BACK && IS_BACK(0) && IS_BACK(1) && IS_BACK(2) && NOBODY_IS_BUSY, end_rollback())
    :: timeout -> /* nobody can make a step: then the run has ended */
        assert(phase == DONE || phase == ROLLED_BACK);
        break
    od
}

/* --- everybody else ------------------------------------------------------------------------------------------------ */

/* A process dies, or is thought dead and sleeps: another takes the run up. */
inline take_up()
{
    takeups++;
    holder++
}

inline kill_both()
{
    killed[0] = 1;
    killed[1] = 1
}

inline lose_power()
{
    losses++;
    holder++;
    kill_both()
}

inline lose_log()
{
    for (k : 0 .. PARTS - 1) {
        for (l : 0 .. LANES - 1) {
            log[k].lane[l].applied = log[k].lane[l].applied & log[k].lane[l].safe;
            log[k].lane[l].refused = log[k].lane[l].refused & log[k].lane[l].safe;
            for (m : 1 .. NUMBERS - 1) {
                log[k].lane[l].entry[m] = (HAS(log[k].lane[l].unsafe, m) -> 0 : log[k].lane[l].entry[m])
            }
        }
    }
}

inline vanish()
{
    late.is = 0;
    late.part = 0;
    late.row = 0;
    late.lane = 0;
    late.number = 0;
    late.base = 0;
    late.epoch = 0;
    late.etag = 0;
    late.value = 0
}

/* What is on its way to a server does not outlive it. */
inline lose_writes()
{
#if LOSSES
    for (k : 0 .. KEYS - 1) {
        live[k] = live_kept[k];
        newest[k] = newest_kept[k]
    }
    for (k : 0 .. PARTS - 1) {
        fence[k].highest = fence_kept[k].highest;
        fence[k].open = fence_kept[k].open;
        fence[k].epoch = fence_kept[k].epoch;
        for (l : 0 .. LANES - 1) {
            fence[k].base[l] = fence_kept[k].base[l];
            fence[k].marks[l] = fence_kept[k].marks[l]
        }
    }
    for (k : 0 .. 5) {
        times[k] = times_kept[k]
    }
    vanish()
#else
    skip
#endif
}

inline app_write(at)
{
    app_writes++;
    newest[at]++;
    live[at] = VALUE(newest[at], 0)
}

inline arrive()
{
    cas(late.part, late.row, late.lane, late.number, late.base, late.epoch, late.etag, late.value, told);
    told = 0
}

#define GOES_ON        (phase != DONE && phase != ROLLED_BACK)
#define MAY_BE_LOST    (losses < LOSSES && GOES_ON && !killed[0] && !killed[1])
#define MAY_BE_TAKEN   (takeups < TAKEUPS && GOES_ON && !killed[0] && !killed[1])

proctype world()
{
end:
    do
    :: WHEN(MAY_BE_TAKEN, take_up(); kill_both())
    :: WHEN(SLEEPS && MAY_BE_TAKEN, take_up(); killed[0] = 1)
    :: WHEN(SLEEPS && MAY_BE_TAKEN, take_up(); killed[1] = 1)
    /* The log may keep what the store does not, and the other way round. */
    :: WHEN(MAY_BE_LOST, lose_power(); lose_log(); lose_writes())
    :: WHEN(MAY_BE_LOST, lose_power(); lose_log())
    :: WHEN(MAY_BE_LOST, lose_power(); lose_writes())
    :: WHEN(app_writes < APP_WRITES, app_write(0))
    :: WHEN(app_writes < APP_WRITES, app_write(1))
    :: WHEN(app_writes < APP_WRITES, app_write(2))
    :: WHEN(late.is, arrive())
    :: WHEN(late.is, vanish())
    od
}

inline begin()
{
    c_code {
        const char *rule = getenv("SLUICE_BROKEN");
        now.broken = (uchar)(rule ? atoi(rule) : 0);
    };
    process[0] = 1;
    process[1] = 1;
    part[1].state = (PARTITIONS < 2 -> WRITTEN : PENDING);
    part[2].state = (PARTITIONS < 3 -> WRITTEN : PENDING)
}

init {
    STEP(begin());
    atomic {
        run worker(0);
        run worker(1);
        run drives();
        run world()
    }
}
