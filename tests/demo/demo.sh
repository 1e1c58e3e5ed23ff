#!/usr/bin/env bash
# The main job on the embedded store, in about a minute: load, repair in place with a transform that must not be applied
# twice, die in the middle, changes by another program meanwhile, go on, verify, take it all back. Prints each command.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=$PWD
count=${1:-200000}
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
build=${SLUICE_BUILD:-$here/build}
app=$build/tests/tools/app
PATH=$build:$PATH
cd "$work"

exec 3>&1 # what is said goes there, wherever a command's output goes
say() { printf '\n# %s\n' "$*" >&3; }
run() {
    printf '$ %s\n' "$*" >&3
    "$@"
}
fail() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

cat >load.yaml <<'SPEC'
sluice: 1
name: load-customers
source: { store: "file:archive", dataset: "customers.ndjson", key: username }
target: { store: "rocksdb:live", dataset: customers }
contract: customer.contract.yaml
SPEC

cat >customer.contract.yaml <<'CONTRACT'
contract: 1
name: customer
version: 1
fields:
  username: { type: string, required: true, pattern: "^[a-z0-9_]+$" }
  tier: { type: string, one_of: [bronze, silver, gold, platinum] }
  balance: { type: decimal, min: 0 }
  updated_at: { type: string }
unknown: keep
CONTRACT

cat >repair.yaml <<'SPEC'
sluice: 1
name: add-interest
reason: "every balance lacks 19 % since July"
source: { store: "rocksdb:live", dataset: customers }
transform: { lua: interest.lua }
contract: customer.contract.yaml
target: { store: "rocksdb:live", dataset: customers }
SPEC

cat >interest.lua <<'LUA'
-- Not idempotent: applied twice it would be wrong.
function transform(doc, ctx)
  doc.balance = decimal.round(doc.balance * 1.19, 2)
  return doc
end
LUA

say "$count customers, as an export would give them"
mkdir archive
run python3 "$here/tests/demo/customers.py" "$count" >archive/customers.ndjson

say "load them into the embedded store"
run sluice run load.yaml --yes
run "$app" dump rocksdb:live customers >before

say "repair them in place; the process is killed in the middle"
printf '$ sluice run repair.yaml --yes &\n$ kill -9 %%1\n'
sluice run repair.yaml --yes &
pid=$!
for _ in $(seq 2000); do
    written=$(sluice status add-interest --json 2>/dev/null | sed -n 's/.*"records":{"written":\([0-9]*\).*/\1/p' || true)
    [ "${written:-0}" -gt $((count / 4)) ] && break
    kill -0 $pid 2>/dev/null || fail "the run ended before it could be killed"
done
kill -9 $pid
wait $pid 2>/dev/null || true
run sluice status add-interest

say "meanwhile the application changes 1,000 of them: half had been repaired, half had not"
awk -F'\t' -v step=$((count / 1000)) 'NR % step == 0 { sub(/"balance":[0-9.]*/, "\"balance\":1000.00", $2); print $1 "\t" $2 }' \
    before >changes
run "$app" put rocksdb:live customers <changes

say "the same command goes on where it stopped, and verifies"
status=0
run sluice run repair.yaml --yes || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 8 ] || fail "the run ended with $status"
run "$app" dump rocksdb:live customers >after

say "each balance was repaired exactly once, and no change of the application is lost"
run python3 "$here/tests/demo/check.py" before changes after

say "the store is compared with what was wanted once more"
run sluice verify add-interest

say "take it all back"
status=0
run sluice rollback add-interest --yes || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 8 ] || fail "the rollback ended with $status"
run "$app" dump rocksdb:live customers >back
run python3 "$here/tests/demo/check.py" --back before changes back

say "who did what, and that nothing of it was changed"
run sluice audit log
run sluice audit verify

say "done. What to look at next"
printf '  sluice help\n  docs/spec.md, docs/transforms.md, docs/contracts.md\n  ARCHITECTURE.md\n'
