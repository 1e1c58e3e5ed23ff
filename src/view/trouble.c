#include "view/trouble.h"

#include "view/shape.h"

bool trouble_json(struct catalog *catalog, const struct trouble_wish *wish, struct arena *mem, json_t **ret,
                  GError **error)
{
    struct troubles all;
    if (!catalog_troubles(catalog, wish->run->id, wish->most, mem, &all, error))
        return false;
    json_t *list = json_array();
    for (size_t i = 0; i < all.n; i++) {
        const char *stage = all.rows[i].stage < wish->n_stages ? wish->stages[all.rows[i].stage].name : NULL;
        json_array_append_new(
            list, json_pack("{s:I, s:o, s:s, s:I, s:I, s:I, s:o}", "partition", (json_int_t)all.rows[i].part, "stage",
                            shape_text(stage), "state", part_state_word(all.rows[i].state), "rejected",
                            (json_int_t)all.rows[i].rejected, "in_doubt", (json_int_t)all.rows[i].in_doubt, "retried",
                            (json_int_t)all.rows[i].retried, "checkpointed_at", shape_time(all.rows[i].newest_ms)));
    }
    *ret = json_pack("{s:s, s:s, s:o}", "type", "troubles", "run", wish->run->name, "partitions", list);
    return true;
}

void trouble_put_times(json_t *shown, const struct part_times *times)
{
    json_object_set_new(shown, "checkpointed_at", times->newest_ms ? shape_time(times->newest_ms) : json_null());
    json_object_set_new(shown, "records_per_s",
                        times->took_ms > 0 ? json_real((double)times->records * 1000 / (double)times->took_ms)
                                           : json_null());
}
