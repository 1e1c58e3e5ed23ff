#include "store/rocksdb/rocks.h"

/* RocksDB's C interface gives texts only: the first row found in one says what it means. */
static const struct {
    const char *part;
    enum error_code code;
    const char *advice;
} message_rows[] = {
    {"While lock file", SLUICE_ERROR_LOCKED,
     ": another process has it open, and only one can; end that one (`fuser DIR/LOCK` shows it), or let it do the "
     "work"},
    {"lock hold by current process", SLUICE_ERROR_LOCKED, ": this process has it open already"},
    {"No space left", SLUICE_ERROR_NO_SPACE, ""},
    {"File too large", SLUICE_ERROR_NO_SPACE, ""},
    {"Disk quota exceeded", SLUICE_ERROR_NO_SPACE, ""},
    {"File too large", SLUICE_ERROR_NO_SPACE, ""},
    {"Permission denied", SLUICE_ERROR_NOT_PERMITTED, ""},
    {"Read-only file system", SLUICE_ERROR_NOT_PERMITTED, ""},
    {"Operation not permitted", SLUICE_ERROR_NOT_PERMITTED, ""},
    {"Corruption", SLUICE_ERROR_CORRUPT, ""},
    {"No such file", SLUICE_ERROR_NOT_FOUND, ""},
    {"Resource busy", SLUICE_ERROR_BUSY, ""},
    {"Operation timed out", SLUICE_ERROR_TIMED_OUT, ""},
};

bool rocks_check(char *message, const char *what, GError **error)
{
    if (!message)
        return true;
    enum error_code code = SLUICE_ERROR_STORE;
    const char *advice = "";
    for (size_t i = 0; i < G_N_ELEMENTS(message_rows); i++)
        if (strstr(message, message_rows[i].part)) {
            code = message_rows[i].code;
            advice = message_rows[i].advice;
            break;
        }
    error_set(error, code, "%s: RocksDB: %s%s", what, message, advice);
    rocksdb_free(message);
    return false;
}
