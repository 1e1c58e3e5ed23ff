#include "policy/decide.h"

static enum decision apply(const struct decide_case *of)
{
    return of->want_delete ? DECISION_DELETE : DECISION_WRITE;
}

static enum decision apply_or_keep(const struct decide_case *of, bool write)
{
    return write ? apply(of) : DECISION_KEPT_LIVE;
}

/* Absent: what the application deleted after our first look stays deleted, whatever the policy. */
static enum decision decide_absent(const struct decide_case *of)
{
    if (of->was_present)
        return DECISION_KEPT_LIVE;
    return of->want_delete ? DECISION_UNCHANGED : DECISION_WRITE;
}

static enum decision decide_newer_wins(const struct decide_rules *rules, const struct decide_case *of)
{
    if (of->live.kind == VERSION_NONE)
        return apply_or_keep(of, rules->write_unversioned);
    switch (version_compare(of->wanted, of->live, rules->skew_ms)) {
    case VERSION_NEWER:
        return apply(of);
    case VERSION_TIE:
        return apply_or_keep(of, rules->repair_ties);
    case VERSION_OLDER:
    case VERSION_UNORDERED:
        break;
    }
    return DECISION_KEPT_LIVE;
}

enum decision decide(const struct decide_rules *rules, const struct decide_case *of)
{
    if (!of->live_present)
        return rules->only_seen && !of->seen && !of->want_delete ? DECISION_KEPT_LIVE : decide_absent(of);
    if (of->equal && !of->want_delete)
        return DECISION_UNCHANGED;
    if (rules->only_seen)
        return apply_or_keep(of, of->seen || of->ours);
    if (rules->same_dataset || of->ours)
        return apply(of);
    if (rules->fill)
        return DECISION_KEPT_LIVE;
    switch (rules->conflict) {
    case DECIDE_NEWER_WINS:
        return decide_newer_wins(rules, of);
    case DECIDE_OVERWRITE:
        return apply(of);
    case DECIDE_CONFLICT_KEEP_LIVE:
        break;
    }
    return DECISION_KEPT_LIVE;
}
