#include "view/pruned.h"

#include "view/shape.h"

static json_t *item_json(const struct prune_item *item)
{
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:o}", "run", item->run, "what", expiry_word(item->what), "expired_at",
                     item->due_ms ? shape_time(item->due_ms) : json_null(), "files", (json_int_t)item->files, "bytes",
                     (json_int_t)item->bytes, "kept", shape_text(item->kept));
}

json_t *pruned_items_json(const struct prune_result *result)
{
    json_t *items = json_array();
    for (size_t i = 0; i < result->n; i++)
        json_array_append_new(items, item_json(&result->items[i]));
    return items;
}

json_t *pruned_json(const struct prune_result *result, bool dry_run)
{
    return json_pack("{s:s, s:b, s:o, s:o}", "type", "prune", "dry_run", dry_run, "expired", pruned_items_json(result),
                     "next_at", result->next_ms ? shape_time(result->next_ms) : json_null());
}
