/* What the verifier found of each partition when its gate passed. */
#include "catalog/inside.h"

static bool sum_put(struct catalog *catalog, int64_t run, const struct part_sum *sum, GError **error)
{
    uint8_t wanted[16], live[16], stored[16];
    auto_(query) query = query_of(catalog->db, SQL_PART_SUM_PUT);
    query_put_i64(query, run);
    query_put_i64(query, sum->part);
    query_put_i64(query, sum->at_ms);
    set_digest_put(query, &sum->wanted, wanted);
    set_digest_put(query, &sum->live, live);
    set_digest_put(query, &sum->stored, stored);
    query_put_text(query, sum->counts);
    return query_run(query, error);
}

static bool sums_put(struct catalog *catalog, int64_t run, const struct part_sum *sums, size_t n, GError **error)
{
    for (size_t i = 0; i < n; i++)
        if (!sum_put(catalog, run, &sums[i], error))
            return false;
    return true;
}

bool catalog_part_sums_put(struct catalog *catalog, int64_t run, const struct part_sum *sums, size_t n, GError **error)
{
    return n == 0 ||
           (db_begin(catalog->db, error) && db_end(catalog->db, sums_put(catalog, run, sums, n, error), error));
}

static void sum_columns(struct query *query, struct arena *mem, struct part_sum *ret)
{
    ret->part = query_u32(query);
    ret->at_ms = query_i64(query);
    set_digest_get(query, &ret->wanted);
    set_digest_get(query, &ret->live);
    set_digest_get(query, &ret->stored);
    ret->counts = query_text(query, mem);
}

bool catalog_part_sums(struct catalog *catalog, int64_t run, struct arena *mem, struct part_sum **ret, size_t *ret_n,
                       GError **error)
{
    bool row, ok;
    struct rows sums = {.size = sizeof(struct part_sum)};
    auto_(query) query = query_of(catalog->db, SQL_PART_SUMS);
    query_put_i64(query, run);
    while ((ok = query_row(query, &row, error)) && row) {
        struct part_sum *sum = rows_add(&sums, mem, error);
        if (!sum)
            return false;
        sum_columns(query, mem, sum);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = sums.at;
    *ret_n = sums.n;
    return true;
}
