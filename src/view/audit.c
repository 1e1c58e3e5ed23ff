#include "view/audit.h"

#include "view/shape.h"

json_t *audit_entry_json(const struct ledger_entry *entry)
{
    json_t *details = entry->details ? json_loads(entry->details, 0, NULL) : NULL;
    return json_pack("{s:s, s:I, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "type", "ledger", "number",
                     (json_int_t)entry->number, "at", shape_time(entry->at_ms), "actor", entry->actor, "action",
                     entry->action, "run", shape_text(entry->run), "reason", shape_text(entry->reason), "details",
                     details ? details : json_null(), "previous", shape_digest(entry->previous), "digest",
                     shape_digest(entry->digest));
}

bool audit_look(struct catalog *catalog, const uint8_t *head, struct arena *mem, struct audit_verdict *ret,
                GError **error)
{
    uint64_t number;
    *ret = (struct audit_verdict){0};
    return ledger_verify(catalog, head, mem, &ret->chain, error) && ledger_head(catalog, &number, ret->head, error);
}

json_t *audit_verdict_json(const struct audit_verdict *verdict)
{
    const struct ledger_verdict *chain = &verdict->chain;
    return json_pack("{s:s, s:b, s:I, s:o, s:o, s:o}", "type", "audit", "ok", chain->ok, "entries",
                     (json_int_t)chain->entries, "broken_at",
                     chain->ok ? json_null() : json_integer((json_int_t)chain->number), "message",
                     shape_text(chain->text), "head", shape_digest(verdict->head));
}
