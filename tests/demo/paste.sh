#!/usr/bin/env bash
# The printed commands of the demo, pasted into a fresh shell in an empty folder: what a reader of the tutorial does.
# Nothing of the demo's own variables or checks is there; at the end the independent counts must have come out right.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${SLUICE_BUILD:-$here/../../build}
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-paste.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$here/check.py" "$work"
"$here/demo.sh" --script "${1:-20000}" >"$work/commands"
(cd "$work" && env -i HOME="$work" TERM=dumb PATH="$build:$build/tests/tools:$PATH" bash --norc -s <commands) \
    >"$work/said" 2>&1 || true
counted=$(grep -c ' 0 wrong$' "$work/said" || true)
verified=$(grep -c '^the ledger is whole' "$work/said" || true)
[ "$counted" -eq 2 ] && [ "$verified" -eq 1 ] && exit 0
tail -60 "$work/said" >&2
printf 'paste: %s counts came out right, of 2; the ledger was whole %s times\n' "$counted" "$verified" >&2
exit 1
