# An importer has left customers with tier names cut off. Here are @COUNT@ of them, and the list of what is wrong.
mkdir -p archive

sluice gen customers --records @COUNT@ --seed 7 --faults faults.ndjson --out archive/customers.ndjson

# They are loaded into the embedded store. Lines that cannot be read go into quarantine, hence the exit status 8.
cat >load.yaml <<'END'
sluice: 1
name: load-customers
source: { store: "file:archive", dataset: customers.ndjson, key: username, version: updated_at }
target: { store: "rocksdb:live", dataset: customers }
END

#? 8
sluice run load.yaml --yes

sluice quarantine list load-customers --limit 2

#@ app
app dump rocksdb:live customers >before

#@ alone
sluice cat rocksdb:live customers >before

# Now the repair: whole tier names, zip codes with their zero, and 19 % of interest, which must be applied once.
cat >fix.yaml <<'END'
sluice: 1
name: fix-customers
reason: "INC-1432: importer 4.2 cut tier names; every balance lacks 19 % since July"
source: { store: "rocksdb:live", dataset: customers }
transform: { lua: fix.lua }
contract: customer.contract.yaml
target: { store: "rocksdb:live", dataset: customers }
partitions: { size: @PART@ }
stages:
  - { name: canary, scope: 1%, gate: { verify: full } }
  - { name: ramp, scope: 25%, gate: { verify: full, soak: 1s } }
  - { name: full, scope: 100%, gate: { verify: full } }
protect: { rejects: 1%, rate: { max: @RATE@/s } }
END

cat >customer.contract.yaml <<'END'
contract: 1
name: customer
version: 1
fields:
  username: { type: string, required: true, pattern: "^[a-z0-9_]+$" }
  tier: { type: string, one_of: [bronze, silver, gold, platinum], required: true }
  balance: { type: decimal, min: 0, nullable: true }
  updated_at: { type: datetime, required: true }
  address.zip: { type: string, length: 5 }
rules:
  - { name: gold-has-balance, when: "doc.tier == 'gold'", expr: "doc.balance ~= nil" }
END

# Its author thinks: a customer without a tier gets the default. What is written remembers the customer before.
cat >fix.lua <<'END'
local tier = "bronze"
local WHOLE = { bro = "bronze", sil = "silver", gol = "gold", pla = "platinum" }

function transform(doc, ctx)
  tier = doc.tier and WHOLE[doc.tier:sub(1, 3)] or tier
  doc.tier = tier
  if #doc.address.zip == 4 then doc.address.zip = "0" .. doc.address.zip end
  if doc.balance then doc.balance = decimal.round(decimal(doc.balance) * 1.19, 2) end
  return doc
end
END

# One record looks fine. So does the plan: it forecasts what will become of all, from a sample.
sluice try fix.yaml --key "$(head -1 archive/customers.ndjson | cut -d'"' -f4)"

sluice plan fix.yaml

# The canary's gate finds it: the verifier transforms the records the other way round. The run pauses, exit status 4.
#? 4
sluice run fix.yaml --yes

# The mended transform is another plan. While the writes of the first run stand, it is refused: 7.
cat >fix.lua <<'END'
local WHOLE = { bro = "bronze", sil = "silver", gol = "gold", pla = "platinum" }

function transform(doc, ctx)
  doc.tier = doc.tier and WHOLE[doc.tier:sub(1, 3)] or "bronze"
  if #doc.address.zip == 4 then doc.address.zip = "0" .. doc.address.zip end
  if doc.balance then doc.balance = decimal.round(decimal(doc.balance) * 1.19, 2) end
  return doc
end
END

#? 7
sluice run fix.yaml --yes

# It takes over instead: from the records as they were before the first run, so that the interest is applied once.
# Its ramp passes its gate, the stage that follows is watched from another terminal; then the process dies.
mkfifo news

sluice run fix.yaml --supersede fix-customers.1 --yes 2>news &
grep -m 1 'stage ramp' news; sluice watch fix-customers.2 | grep -m 1 'stage full running'; kill -9 $!

sluice status fix-customers

#@ app
# Meanwhile the application, another program, changes some of them: some had been repaired, some had not.
awk -F'\t' 'NR % @STEP@ == 0 { sub(/"balance":"?[0-9.]*"?/, "\"balance\":1000.00", $2); print $1 "\t" $2 }' before >changes

#@ app
app put rocksdb:live customers <changes

# The same command goes on where it stopped: full, verified, done. 8: a few records are refused by the contract.
#? 8
sluice run fix.yaml --supersede fix-customers.1 --yes

sluice quarantine list fix-customers --limit 2

#@ app
app dump rocksdb:live customers >after

#@ app
# Counted without sluice: everything mended and repaired exactly once, and no change of the application lost.
python3 check.py before changes after faults.ndjson

# What the gates computed makes a later look cheap: the target alone is read.
sluice verify fix-customers

#@ app
# Everything can be taken back, but for what the application has written since: it is left alone, and counted (8).
#? 8
sluice rollback fix-customers.2 --yes

#@ app
app dump rocksdb:live customers >back

#@ app
python3 check.py --back before changes back faults.ndjson

#@ alone
# Everything can be taken back, byte for byte.
sluice rollback fix-customers.2 --yes

#@ alone
sluice cat rocksdb:live customers >back
cmp before back && echo "every record is as it was"

# Who did what, when and why; and that nobody has changed a line of it.
sluice audit log --limit 12

sluice audit verify
