#!/usr/bin/env python3
"""Every command as a person and as a program use it: exit codes, JSON fields, help, names that are nearly right."""

import json

from stand import Failed, among, must, run_all, same, test

ROWS = 3000

LOAD = """
sluice: 1
name: load
reason: "a first load"
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live", dataset: items }
partitions: { count: 3 }
"""

FIX = """
sluice: 1
name: fix
source: { store: "rocksdb:live", dataset: items }
transform: { lua: fix.lua }
target: { store: "rocksdb:live", dataset: items }
protect: { rejects: 50% }
"""

FIX_LUA = """
function transform(doc, ctx)
  if doc.n % 1000 == 7 then return ctx.reject("it ends in seven") end
  doc.n = doc.n * 2 + 1
  return doc
end
"""

OUTCOMES = ("listed", "read", "written", "unchanged", "kept_live", "rejected", "filtered", "deleted", "gone", "in_doubt",
            "emitted", "retried", "appeared", "expired", "removed")
CLASSES = ("compared", "equal", "differing", "missing", "extra", "superseded", "changed_since", "kept", "unvisited",
           "expired", "in_doubt", "confidence", "below", "verdict", "report")
STATES = ("planned", "waiting", "running", "verifying", "paused", "interrupted", "halted", "promoting", "rolling-back",
          "done", "rolled-back", "aborted", "failed")


def seed(stand, rows=ROWS):
    stand.records("in/a.ndjson", ({"id": f"k{n:05d}", "n": n} for n in range(rows)))
    stand.write("load.yaml", LOAD)
    stand.write("fix.yaml", FIX)
    stand.write("fix.lua", FIX_LUA)


def loaded(stand):
    seed(stand)
    return stand.sluice("run", "load.yaml", "--yes", "--json").ended(0)


def fixed(stand):
    loaded(stand)
    return stand.sluice("run", "fix.yaml", "--yes", "--json").ended(8)


def has(document, *fields):
    for field in fields:
        must(field in document, f"no field {field!r} in {json.dumps(document)[:800]}")


def has_status(status):
    has(status, "type", "run", "spec", "state", "reason", "stage", "plan_digest", "started_at", "updated_at", "undo_until",
        "stages", "partitions", "records", "bytes", "rate", "eta_s")
    has(status["partitions"], "total", "pending", "written", "verified", "failed")
    has(status["records"], *OUTCOMES)
    has(status["bytes"], "read", "written")
    has(status["rate"], "records_per_s", "limit_records_per_s", "limited_by")
    must(status["state"] in STATES, status["state"])
    must(status["started_at"].endswith("Z") and status["updated_at"].endswith("Z"), "times are UTC")


@test("help: of all, of each command, by option and by command, in words and in JSON")
def _(stand):
    for arguments in (["help"], ["--help"], ["-h"], []):
        among("usage: sluice COMMAND", stand.sluice(*arguments).ended(0).out)
    commands = stand.sluice("help", "--json").ended(0).json()["commands"]
    same([row["name"] for row in commands], ["init", "doctor", "try", "test", "plan", "run", "status", "watch", "wait", "list", "diff", "pause",
                                             "resume", "approve", "deny", "set", "promote", "abort", "rollback", "verify", "repair", "quarantine", "prune", "cat", "dump", "explain", "gen", "demo", "stores", "hooks", "export", "audit", "serve", "token", "completion", "version", "help"], "commands")
    for row in commands:
        words = stand.sluice("help", row["name"]).ended(0).out
        same(stand.sluice(row["name"], "--help").ended(0).out, words, "help by option")
        for option in row["options"]:
            among("--" + option["name"], words, "help of " + row["name"])
        same([option["name"] for option in row["options"]][-8:],
             ["home", "catalog", "json", "quiet", "log-level", "log-format", "no-color", "help"], "what every command takes")


@test("version: in words and in JSON")
def _(stand):
    version = stand.sluice("version", "--json").ended(0).json()["version"]
    same(stand.sluice("--version").ended(0).out, f"sluice {version}\n", "version")


@test("what is nearly right is named: commands, options, runs; exit 2 and 9")
def _(stand):
    loaded(stand)
    for arguments, nearest in ((["rnu", "load.yaml"], "did you mean 'run'"), (["run", "load.yaml", "--yess"], "'--yes'"),
                               (["help", "stauts"], "'status'"), (["status", "--jsno"], "'--json'")):
        among(nearest, stand.sluice(*arguments).ended(2).err)
    among("sluice help", stand.sluice("frobnicate").ended(2).err)
    among("'load.1'", stand.sluice("status", "laod.1").ended(9).err)
    among("sluice list", stand.sluice("status", "nothing-like-it").ended(9).err)


@test("a wrong command line ends with 2 and says what was expected")
def _(stand):
    for arguments, word in ((["run"], "a spec was expected, or --plan FILE"), (["run", "a", "b"], "SPEC"), (["status", "--home"], "--home DIR"),
                            (["status", "--quiet=1"], "takes no value"), (["cat", "x"], "STORE DATASET"),
                            (["cat", "file:in", "*", "--limit", "many"], "a number was expected"),
                            (["audit", "burn"], "audit log"), (["quarantine", "eat", "x"], "quarantine list"),
                            (["status", "-j"], "-j"), (["--frob"], "a command was expected"),
                            (["audit", "verify", "--head", "xyz"], "64 hex digits"),
                            (["status", "--log-level", "loud"], "error, warn, info or debug")):
        done = stand.sluice(*arguments).ended(2)
        among(word, done.err)
        same(done.out, "", "standard output")
        wrong = stand.sluice("--json", *arguments).ended(2).lines()[-1]
        same((wrong["type"], wrong["error"], wrong["exit"]), ("error", "usage", 2), "in JSON")


@test("options stand anywhere, and end at --")
def _(stand):
    loaded(stand)
    for arguments in (["--json", "status"], ["status", "--json"], ["--json", "--home", "home", "status", "--", "load.1"],
                      ["status", "--json", "load.1", "--home=home"]):
        same(stand.sluice(*arguments).ended(0).json()["run"], "load.1", "run")
    stand.sluice("status", "--", "--json").ended(9)


@test("every option is a variable; the command line wins; 0 and nothing switch a flag off")
def _(stand):
    loaded(stand)
    environment = dict(stand.environment(), SLUICE_JSON="1")
    same(stand.sluice("status", env=environment).ended(0).json()["run"], "load.1", "run")
    for off in ("0", ""):
        environment = dict(stand.environment(), SLUICE_JSON=off)
        among("load.1  done", stand.sluice("status", env=environment).ended(0).out)
    environment = dict(stand.environment(), SLUICE_HOME="elsewhere")
    stand.sluice("status", env=environment).ended(9)
    stand.sluice("status", "--home", "home", env=environment).ended(0)
    environment = dict(stand.environment(), SLUICE_YES="1", SLUICE_REASON="by variable")
    stand.sluice("run", "fix.yaml", env=environment).ended(8)
    entries = stand.sluice("audit", "log", "--json").ended(0).lines()
    must(any(entry["action"] == "planned" and entry["run"] == "fix.1" for entry in entries), entries)
    environment = dict(stand.environment(), SLUICE_LIMIT="2", SLUICE_JSON="1")
    same(len(stand.sluice("audit", "log", env=environment).ended(0).lines()), 2, "entries")
    del environment["SLUICE_HOME"]
    among(".sluice", stand.sluice("list", env={**environment, "SLUICE_JSON": ""}).ended(9).err)


@test("a home by its catalog: sqlite: is this version's; another one, and one beside another home, are refused")
def _(stand):
    loaded(stand)
    bare = {name: value for name, value in stand.environment().items() if name != "SLUICE_HOME"}
    for arguments, env in ((["--catalog", "sqlite:home/catalog.db"], bare), ([], dict(bare, SLUICE_CATALOG="sqlite:home/catalog.db")),
                           (["--catalog", "sqlite:home/catalog.db", "--home", "./home"], bare),
                           (["--catalog", f"sqlite:{stand.path('home/catalog.db')}"], dict(bare, SLUICE_HOME="elsewhere"))):
        same(stand.sluice("status", "--json", *arguments, env=env).ended(0).json()["run"], "load.1", arguments)
    stand.sluice("status", "--home", "home", env=dict(bare, SLUICE_CATALOG="sqlite:elsewhere/catalog.db")).ended(0)
    stand.sluice("run", "fix.yaml", "--yes", "--catalog", "sqlite:other/catalog.db", env=bare).ended(7, 8)
    for uri, word in (("postgresql://db/sluice", "'postgresql:'"), ("catalog.db", "sqlite:DIR/catalog.db"),
                      ("sqlite:home", "catalog.db"), ("sqlite:home/live.db", "catalog.db")):
        among([uri, word], stand.sluice("status", "--catalog", uri, env=bare).ended(2).err)
    among("two homes", stand.sluice("status", "--catalog", "sqlite:a/catalog.db", "--home", "home").ended(2).err)


@test("without a home, and with one that has no runs, status and list say so")
def _(stand):
    for _ in range(2):
        for command in ("status", "list"):
            among("home", stand.sluice(command).ended(9).err)
    seed(stand)
    stand.write("bad.yaml", LOAD.replace("file:in", "file:nowhere"))
    stand.sluice("run", "bad.yaml", "--yes").ended(9)
    same(stand.sluice("list", "--json").ended(0).json()["runs"], [], "runs")
    stand.sluice("list").ended(0)
    among("no run yet", stand.sluice("status").ended(9).err)


@test("run: without --yes and without a terminal nothing is written, and the planned run waits")
def _(stand):
    seed(stand)
    for _ in range(2):
        among(["--yes", "load.1"], stand.sluice("run", "load.yaml").ended(2).err)
        same(stand.status()["state"], "planned", "state")
        must(not stand.path("live").exists() or stand.dump("items") == {}, "something was written")
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    same(stand.status()["run"], "load.1", "run")


@test("run --json: an object a line, each with a type; the last says how it ended")
def _(stand):
    lines = loaded(stand).lines()
    must(all("type" in line for line in lines), lines)
    while lines[0]["type"] == "progress": # of the planning, where that takes a moment
        lines.pop(0)
    same(lines[0]["type"], "planned", "first")
    same((lines[0]["listed"], lines[0]["partitions"], lines[0]["new"]), (ROWS, 3, True), "planned")
    end = lines[-1]
    same((end["type"], end["run"], end["state"], end["exit"]), ("end", "load.1", "done", 0), "end")
    has(end, "message", "verdict", "verdict_stage", "report", "ledger_head", "status")
    same(end["verdict_stage"], "full", "the stage that was verified last")
    has_status(end["status"])
    same([line["state"] for line in lines if line["type"] == "state"], ["running", "verifying"] * 2 + ["done"],
         "states: of three partitions the canary has one, the last stage the others")
    steps = {step["step"]: step for line in lines if line["type"] == "steps" for step in line["steps"]}
    must(steps["core"]["busy_us"] > 0, "time between the steps")
    must(steps["core"]["cpu_us"] > 0 and steps["log"]["cpu_us"] > 0 and steps["fence"]["cpu_us"] > 0, "of the processor", steps)
    must(steps["log"]["calls"] == steps["cas"]["calls"] >= 2, "as many intents as writes, in the last stage", steps)
    must(steps["checkpoint"]["calls"] >= 2 and "tail" not in steps, "checkpoints, and nothing of a dead holder", steps)
    refused = stand.sluice("run", "fix.yaml", "--yes", "--json").ended(8).lines()[-1]
    same((refused["exit"], refused["status"]["records"]["rejected"]), (8, 3), "with refused records")


@test("run: a done run in place is not applied again unless --again says so; one with other source and target is")
def _(stand):
    fixed(stand)
    once = stand.dump("items")
    for _ in range(2):
        among("--again", stand.sluice("run", "fix.yaml", "--yes").ended(8).err)
        same(stand.dump("items"), once, "records")
        same(stand.status()["run"], "fix.1", "newest run")
    stand.sluice("run", "fix.yaml", "--yes", "--again").ended(8, 0)
    same(stand.status()["run"], "fix.2", "newest run")
    must(stand.dump("items") != once, "nothing was written")
    same(stand.sluice("run", "load.yaml", "--yes", "--json").ended(3).lines()[-1]["run"], "load.2", "newest run")


@test("run: nor is it where runs that came to nothing stand between: one that was aborted, one that was taken back")
def _(stand):
    fixed(stand)
    once = stand.dump("items")
    for command, states in ((("abort", "fix.2"), (2,)), (("rollback", "fix.3", "--yes"), (0, 8))):
        stand.sluice("run", "fix.yaml", "--again", *command[2:]).ended(*states)
        stand.sluice(*command).ended(0)
        among("fix.1 is done already", stand.sluice("run", "fix.yaml", "--yes").ended(8).err)
        same((stand.dump("items"), stand.status()["run"]), (once, command[1]), "records and newest run")


@test("run: that a changed spec would transform once more what a done run wrote is said, with what takes that back first; where it is meant it is not")
def _(stand):
    def said(spec, *more):
        err = stand.sluice("run", spec, *more).ended(2).err
        stand.sluice("abort", spec.removesuffix(".yaml")).ended(0)
        return err
    fixed(stand)
    stand.write("none.yaml", FIX.replace("name: fix", "name: none").replace("dataset: items }\ntransform", 'dataset: items, where: "doc.n < 0" }\ntransform'))
    stand.sluice("run", "none.yaml", "--yes").ended(0)
    stand.write("fix.lua", FIX_LUA.replace("* 2", "* 3"))
    stand.write("load.yaml", LOAD.replace("a first load", "another"))
    among(["fix.1 is done, and this run transforms what it wrote once more; `sluice run ", "fix.yaml --supersede fix.1` would take that back first"], said("fix.yaml"))
    for command in (("fix.yaml", "--again"), ("fix.yaml", "--supersede", "fix.1"), ("load.yaml",), ("none.yaml",)):
        must("once more" not in said(*command), f"{command}: it does not")
    stand.write("fix.yaml", FIX.replace("fix.lua", "fix.lua, idempotent: true"))
    must("once more" not in said("fix.yaml"), "a transform that may be applied twice")


@test("status: the fields of the interface, of a run by number, by name, and of the newest")
def _(stand):
    fixed(stand)
    for name in ("fix.1", "fix", None):
        status = stand.status(name)
        has_status(status)
        same((status["type"], status["run"], status["spec"], status["state"]), ("status", "fix.1", "fix", "done"), "status")
    same(status["records"]["listed"], ROWS, "listed")
    same(status["records"]["written"] + status["records"]["rejected"], ROWS, "accounted for")
    same([(stage["name"], stage["state"]) for stage in status["stages"]], [("canary", "passed")],
         "stages of a run with one partition: those that would be empty are left out")
    status = stand.status("load.1")
    same([(stage["name"], stage["state"]) for stage in status["stages"]], [("canary", "passed"), ("full", "passed")], "stages")
    has(status["stages"][0]["partitions"], "total", "written", "verified", "failed")
    same([stage["partitions"]["verified"] for stage in status["stages"]], [1, 2], "verified by stage")
    same((status["partitions"]["verified"], status["stage"]), (3, "full"), "verified")
    words = stand.sluice("status", "fix").ended(0).out
    among(["fix.1  done", "rejected    3", "home"], words)


@test("list: newest first")
def _(stand):
    fixed(stand)
    runs = stand.sluice("list", "--json").ended(0).json()["runs"]
    same([run["run"] for run in runs], ["fix.1", "load.1"], "runs")
    for run in runs:
        has_status(run)
    lines = stand.sluice("list").ended(0).out.splitlines()
    same([line.split()[0] for line in lines], ["RUN", "fix.1", "load.1"], "lines")


@test("stores: each driver with its schemes and what it can do")
def _(stand):
    stores = {store["name"]: store for store in stand.sluice("stores", "--json").ended(0).json()["stores"]}
    must({"file", "rocksdb", "mem", "undo"} <= stores.keys(), stores)
    must(stores["rocksdb"]["can"]["cas"] and not stores["file"]["can"]["cas"] and stores["file"]["can"]["sink"], stores)
    words = stand.sluice("stores").ended(0).out
    for name in stores:
        among(name, words)


@test("cat: a dataset as NDJSON, limited, chosen, keys only; of files with their key; what is not there is 9")
def _(stand):
    loaded(stand)
    rows = stand.sluice("cat", "rocksdb:live", "items").ended(0).lines()
    same([row["n"] for row in rows], list(range(ROWS)), "rows in the order of their keys")
    same(len(stand.sluice("cat", "rocksdb:live", "items", "--limit", "7").ended(0).lines()), 7, "rows")
    same(stand.sluice("cat", "rocksdb:live", "items", "--where", "doc.n == 42").ended(0).json(), {"id": "k00042", "n": 42}, "row")
    same(stand.sluice("cat", "rocksdb:live", "items", "--keys", "--limit=1").ended(0).out, '"k00000"\n', "key")
    same(len(stand.sluice("cat", "file:in", "*.ndjson", "--key", "id").ended(0).lines()), ROWS, "rows")
    among("nothing", stand.sluice("cat", "rocksdb:live", "nothing").ended(9).err)
    stand.sluice("cat", "rocksdb:live", "items", "--where", "doc.n ==").ended(2)
    among("rocksdb", stand.sluice("cat", "rocksbd:live", "items").ended(2).err)
    stand.write("in/b.ndjson", '{"id": "x"\n')
    done = stand.sluice("cat", "file:in", "*.ndjson", "--key", "id").ended(8)
    same(len(done.out.splitlines()), ROWS, "good rows")
    among("b.ndjson:1:", done.err)


@test("verify: of a run and of a spec; fields, a saved report, exit 0")
def _(stand):
    fixed(stand)
    for what in ("fix.1", "fix"):
        document = stand.sluice("verify", what, "--json").ended(0).json()
        has(document, "type", *CLASSES)
        same((document["verdict"], document["equal"], document["refused"]), ("pass", ROWS - 3, 3), "verdict")
        same(stand.read(document["report"]), "", "report")
    among("pass: ", stand.sluice("verify", "fix.1").ended(0).out)
    same(stand.sluice("verify", "load.yaml", "--json").ended(4).json()["differing"], ROWS - 3, "after the repair, of what was loaded")
    among("`sluice verify fix` takes its newest", stand.sluice("verify", "fix.yaml").ended(2).err)


def differences(stand, document):
    return {line["key"]: line for line in map(json.loads, stand.read(document["report"]).splitlines())}


@test("verify: what the application changed is its own affair, named in the report; a pre-image that is back is missing, exit 4")
def _(stand):
    fixed(stand)
    stand.put("items", ['k00001\t{"id":"k00001","n":-1,"by":"app"}', "k00002\t-"])
    document = stand.sluice("verify", "fix.1", "--json").ended(0).json()
    same((document["changed_since"], document["equal"], document["verdict"]), (2, ROWS - 5, "pass"), "changed by the application")
    lines = differences(stand, document)
    same(lines.keys(), {"k00001", "k00002"}, "report")
    same((lines["k00001"]["kind"], sorted(lines["k00001"]["fields"])), ("changed_since", ["by", "n"]), "difference")
    same((lines["k00001"]["wanted"], lines["k00001"]["live"]),
         ({"id": "k00001", "n": 3}, {"id": "k00001", "n": -1, "by": "app"}), "difference")
    stand.put("items", ['k00003\t{"id":"k00003","n":3}'])
    for _ in range(2):
        document = stand.sluice("verify", "fix.1", "--json").ended(4).json()
        same((document["missing"], document["verdict"]), (1, "fail"), "verdict")
        line = differences(stand, document)["k00003"]
        same((line["kind"], line["fields"], line["wanted"]["n"], line["live"]["n"]), ("missing", ["n"], 7, 3), "difference")
    among("fail: ", stand.sluice("verify", "fix.1").ended(4).out)


@test("verify: a record that the run created and that is gone is missing, exit 4, for the run and for its spec")
def _(stand):
    loaded(stand)
    stand.sluice("verify", "load.yaml").ended(0)
    stand.put("items", ["k00002\t-", 'k00004\t{"id":"k00004","n":4.5}'])
    for what, more in (("load.1", "changed_since"), ("load.yaml", "differing")):
        document = stand.sluice("verify", what, "--json").ended(4).json()
        same((document["missing"], document[more], document["verdict"]), (1, 1, "fail"), what)
        lines = differences(stand, document)
        same((lines["k00002"]["kind"], lines["k00002"]["live"], lines["k00002"]["wanted"]),
             ("missing", None, {"id": "k00002", "n": 2}), "gone")
        same((lines["k00004"]["kind"], lines["k00004"]["fields"]), (more, ["n"]), "changed")


@test("quarantine: each refused record with its reason; one of them whole; unknown ones are 9")
def _(stand):
    fixed(stand)
    rows = stand.sluice("quarantine", "list", "fix", "--json").ended(0).lines()
    same([row["key"] for row in rows], ["k00007", "k01007", "k02007"], "keys")
    for row in rows:
        same((row["type"], row["code"], row["reason"]), ("refused", "rejected", "it ends in seven"), "row")
        same(row["document"]["n"] % 1000, 7, "the document as it was read")
    number = str(rows[1]["number"])
    same(stand.sluice("quarantine", "show", "fix.1", number, "--json").ended(0).json(), rows[1], "row")
    among(["k01007", "it ends in seven", '"n":1007'], stand.sluice("quarantine", "show", "fix.1", number).ended(0).out)
    same(len(stand.sluice("quarantine", "list", "fix").ended(0).out.splitlines()), 3, "lines")
    same(len(stand.sluice("quarantine", "list", "fix", "--limit", "2").ended(0).out.splitlines()), 2, "lines")
    same(stand.sluice("quarantine", "list", "load").ended(0).out, "", "of a run without refusals")
    stand.sluice("quarantine", "show", "fix.1", "99").ended(9)
    stand.sluice("quarantine", "show", "fix.1", "first").ended(2)
    stand.sluice("quarantine", "list", "nobody").ended(9)


@test("rollback: says what it would do, asks, takes back byte for byte; twice is once")
def _(stand):
    loaded(stand)
    before = stand.dump("items")
    stand.sluice("run", "fix.yaml", "--yes").ended(8)
    plan = stand.sluice("rollback", "fix", "--dry-run", "--json").ended(0).json()
    same((plan["type"], plan["run"], plan["keys"]), ("rollback-plan", "fix.1", ROWS - 3), "plan")
    among(["fix.1: about ", " keys would be taken back"], stand.sluice("rollback", "fix", "--dry-run").ended(0).out)
    among("--yes", stand.sluice("rollback", "fix").ended(2).err)
    must(stand.dump("items") != before, "a dry run wrote")
    end = stand.sluice("rollback", "fix", "--yes", "--json").ended(0).lines()[-1]
    same((end["type"], end["state"], end["exit"]), ("end", "rolled-back", 0), "end")
    same(end["status"]["records"]["restored"], ROWS - 3, "restored")
    same(stand.dump("items"), before, "records")
    for _ in range(2):
        among("rolled back already", stand.sluice("rollback", "fix", "--yes").ended(0).err)
        same(stand.dump("items"), before, "records")
    stand.sluice("rollback", "load.1", "--stage", "nowhere", "--yes").ended(9)
    among("'full'", stand.sluice("rollback", "load.1", "--stage", "ful", "--yes").ended(9).err)
    same(stand.dump("items"), before, "records")
    for _ in range(2):
        among("those before it stand", stand.sluice("rollback", "load.1", "--stage", "full", "--yes").ended(0).err)
        left = stand.dump("items")
        must(0 < len(left) < ROWS / 2 and left.items() <= before.items(), f"{len(left)} records of the canary")
    same([stage["state"] for stage in stand.status("load.1")["stages"]], ["passed", "rolled-back"], "stages")
    for _ in range(2):
        stand.sluice("rollback", "load.1", "--stage", "canary", "--yes").ended(0)
        same(stand.dump("items"), {}, "records")


@test("rollback: a key that the application has written since is left alone, listed, and makes it 8")
def _(stand):
    fixed(stand)
    stand.put("items", ['k00003\t{"id":"k00003","n":0}', "k00004\t-"])
    for _ in range(2):
        end = stand.sluice("rollback", "fix", "--yes", "--json").ended(8).lines()[-1]
        same((end["status"]["records"]["left"], end["status"]["records"]["restored"]), (2, ROWS - 5), "counts")
    notes = [json.loads(line) for line in stand.read("home/reports/fix.1/notes.ndjson").splitlines()]
    same(sorted(note["key"] for note in notes if "key" in note), ["k00003", "k00004"], "notes")
    documents = stand.documents("items")
    same((documents["k00003"]["n"], "k00004" in documents, documents["k00005"]["n"]), (0, False, 5), "documents")


@test("kept_live: fill over what is there keeps it, counts it, and ends with 8")
def _(stand):
    seed(stand)
    stand.put("items", [f'k{n:05d}\t{{"id":"k{n:05d}","n":-1}}' for n in range(5)] + ['k00005\t{"id":"k00005","n":5}'])
    status = stand.sluice("run", "load.yaml", "--yes", "--json").ended(8).lines()[-1]["status"]["records"]
    same((status["kept_live"], status["unchanged"], status["written"]), (5, 1, ROWS - 6), "records")
    same(stand.documents("items")["k00000"]["n"], -1, "what stood there")


@test("protect: too many refused, or kept live, pause the run with 3; it names the limit; only resume goes on, ends with 8")
def _(stand):
    loaded(stand)
    stand.write("fix.lua", FIX_LUA.replace("1000 == 7", "100 == 7"))
    stand.write("fix.yaml", FIX.replace("rejects: 50%", "rejects: 0.5%"))
    for spec, run, limit, outcome in (("fix.yaml", "fix.1", "protect.rejects", "rejected"),
                                      ("load.yaml", "load.2", "protect.kept_live", "kept_live")):
        for _ in range(2):
            done = stand.sluice("run", spec, "--yes", "--json").ended(3)
            among([limit, f"sluice resume {run}"], done.err)
            same(done.lines()[-1]["state"], "paused", "state")
        must(stand.status(run)["records"][outcome] > 0, "none of them is counted")
        end = stand.sluice("resume", run, "--reason", "they are known", "--json").ended(8).lines()[-1]
        same((end["state"], end["exit"]), ("done", 8), "end")


@test("audit: the log in words and JSON, its newest entries; the chain verifies, also against a head that a run printed")
def _(stand):
    head = fixed(stand).lines()[-1]["ledger_head"]
    entries = stand.sluice("audit", "log", "--json").ended(0).lines()
    same([entry["number"] for entry in entries], list(range(1, len(entries) + 1)), "numbers")
    has(entries[0], "type", "at", "actor", "action", "reason", "run", "details", "previous", "digest")
    for older, newer in zip(entries, entries[1:]):
        same(newer["previous"], older["digest"], "chain")
    same(len(stand.sluice("audit", "log").ended(0).out.splitlines()), len(entries), "lines")
    same(stand.sluice("audit", "log", "--limit", "2", "--json").ended(0).lines(), entries[-2:], "newest")
    same(stand.sluice("audit", "log", "--limit", "0", "--json").ended(0).out, "", "none")
    for more in ([], ["--head", head], ["--head", entries[3]["digest"]]):
        verdict = stand.sluice("audit", "verify", *more, "--json").ended(0).json()
        same((verdict["ok"], verdict["entries"], verdict["head"]), (True, len(entries), head), "verdict")
    among("the ledger is whole", stand.sluice("audit", "verify").ended(0).out)
    strange = stand.sluice("audit", "verify", "--head", "f" * 64, "--json").ended(4).json()
    same(strange["ok"], False, "a head that is none of ours")


@test("the home's name stands in what is said about a run")
def _(stand):
    seed(stand)
    done = stand.sluice("run", "load.yaml", "--yes", "--home", "another").ended(0)
    among("another", done.err + done.out)
    among("another", stand.sluice("status", "--home", "another").ended(0).out)


@test("--quiet says nothing but errors; results are on standard output, the rest on standard error")
def _(stand):
    seed(stand)
    done = stand.sluice("run", "load.yaml", "--yes", "--quiet").ended(0)
    same((done.out, done.err), ("", ""), "a good run")
    must(stand.sluice("run", "none.yaml", "--yes", "--quiet").ended(9, 2).err != "", "an error is told")
    done = stand.sluice("run", "fix.yaml", "--yes", "--log-level", "error").ended(8)
    same(done.err, "", "--log-level error")
    among("fix.1  done", done.out)
    must("\x1b" not in done.out + done.err, "no colours where there is no terminal")


@test("pause, resume, abort of a run that is over are refused with 7 and say what it is")
def _(stand):
    loaded(stand)
    for command in ("pause", "abort"):
        among("done", stand.sluice(command, "load").ended(7).err)
    among("done", stand.sluice("resume", "load").ended(0, 7).err)
    for command in ("pause", "resume", "abort", "rollback"):
        stand.sluice(command, "nobody", *(["--yes"] if command == "rollback" else [])).ended(9)


if __name__ == "__main__":
    run_all()
