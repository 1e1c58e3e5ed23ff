/* Where things lie in a home (docs/formats/home.md). Paths are the caller's to free. */
#pragma once

enum home_place {
    HOME_UNDO,           /* undo/RUN: the undo log's folder */
    HOME_QUARANTINE,     /* quarantine/RUN.ndjson */
    HOME_REPORTS,        /* reports/RUN: verification reports */
    HOME_NOTES,          /* reports/RUN/notes.ndjson: keys left alone, ties, doubts */
    HOME_SAMPLE,         /* reports/RUN/sample, and a stage: read by the verifier before the stage is written */
    HOME_LISTING,        /* listing/UID.list */
    HOME_SKIPS,          /* listing/UID.skip */
    HOME_SEEN,           /* listing/UID.seen: of a repair, what the verification saw in the target */
    HOME_UNMATCHED,      /* listing/UID.unmatched.ndjson: what `source.only` asks for and the source does not have */
    HOME_TEXTS,          /* texts/UID.json: what the run was made from, word for word */
    HOME_LOG,            /* runs/RUN.log: what a process told that drove the run by itself */
    HOME_LISTINGS,       /* listing */
    HOME_KEYS,           /* keys */
    HOME_KEY_UNDO,       /* keys/UID.undo: the key by which the undo log is sealed, itself sealed by the spec's */
    HOME_KEY_QUARANTINE, /* keys/UID.quarantine */
    HOME_KEY_REPORTS,    /* keys/UID.reports: of listing, notes and samples too */
};

/* `name`: the run's, or (listings, keys) its uid in hex; NULL of the folders HOME_LISTINGS and HOME_KEYS. */
char *home_path(const char *home, enum home_place place, const char *name);
