/* The driver `file`: a dataset is a glob below a directory, its records are the lines, objects or rows of those files.
 *
 * Formats by extension: .ndjson and .jsonl (a JSON object a line), .json (an array of objects, one object, or several
 * one behind the other), .csv (RFC 4180 with a header row; cells are strings); each also .gz and .zst. Blank lines are
 * no records, a BOM at a file's beginning is passed over, lines may end with CRLF. docs/drivers/file.md is the page for
 * users.
 *
 * A record that cannot be read is a RECORD_FAULT with its place, and never the end of a scan; one of more than 16 MiB
 * is passed over in bounded memory. A damaged archive, or a CSV header that names a field twice, is CORRUPT for the
 * call.
 *
 * A part is a range of one file, frozen with the digest of its bytes. Whoever scans it computes that digest again: as
 * soon as the range is read to its end (which is before the first record of a range of up to 1 MiB), or beforehand
 * where the file's time of change is another. A difference is SOURCE_MOVED. .json and archives are one part each.
 *
 * As a target it is append-only: a file per partition and checkpoint (sink_ops), `out-*.ndjson` becoming
 * `out-RUN-PARTITION-NUMBER.ndjson`, RUN being the first 16 hex digits of the run's uid. CSV cannot be written. */
#pragma once

#include "store/store.h"

extern const struct store_driver file_driver;
