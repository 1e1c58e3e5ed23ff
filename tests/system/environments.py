#!/usr/bin/env python3
"""Environments: what a home asks of every run on a target, whatever its spec says."""

from server import SECRET, ledger, seed, server, token
from stand import among, must, run_all, same, test

RULES = """
environments:
  production:
    targets: ["rocksdb:live-f*"]
    approve: daemon
    canary: 5%
    reason: true
  staging:
    specs: [two]
"""


def ready(stand, rules=RULES, **more):
    seed(stand, "fix", "two", gate="verify: full", **more)
    stand.write("home/environments.yaml", rules)


def run(stand, *more, spec="fix.yaml"):
    return stand.sluice("run", spec, "--yes", "--exit-on-pause", *more, env=stand.environment(HOOK_SECRET=SECRET))


def refusals(stand):
    return [(entry["run"], entry["details"]["what"]) for entry in ledger(stand) if entry["action"] == "refused"]


@test("a run without a reason, or without a canary, is not begun: refused with 7 and an entry of the ledger; elsewhere nothing is asked")
def _(stand):
    ready(stand)
    among("not permitted as it is", stand.sluice("plan", "fix.yaml").ended(0).out)
    among("--reason", run(stand).ended(7).err)
    stand.write("whole.yaml", stand.read("fix.yaml").replace("scope: 25%", "scope: 75%"))
    among(["canary of at most 5%", "'canary'"], run(stand, "--reason", "INC-7", spec="whole.yaml").ended(7).err)
    same(refusals(stand), [(None, "run")] * 2, "the ledger")
    must(not list(stand.path("home").glob("listing/*")), "nothing is left of what was refused")
    same(stand.sluice("list", "--json").json()["runs"], [], "runs")
    run(stand, spec="two.yaml").ended(8)
    same(stand.sluice("plan", "fix.yaml", "--json").json()["environment"], {"name": "production", "approve": "daemon", "canary": 0.05, "reason": True}, "the plan")


@test("the first gate waits for who the home names, never for who planned it; what widens needs a reason and what stops needs none, by the API too")
def _(stand):
    ready(stand)
    among("approval of daemon", run(stand, "--reason", "INC-7").ended(3).err)
    author = stand.sluice("status", "fix", "--json").json()["actor"].split("@")[0]
    among("needs a reason", stand.sluice("set", "fix.1", "protect.rate.max=100/s").ended(7).err)
    stand.sluice("pause", "fix.1").ended(0)
    among("needs a reason", stand.sluice("resume", "fix.1").ended(7).err)
    own, lead = token(stand, author, "admin", "--groups", "daemon"), token(stand, "lea", "admin", "--groups", "daemon")
    with server(stand) as http_server:
        among("somebody else", http_server.act("fix.1", "approve", own, reason="mine").ended(403).json()["message"])
        among("needs a reason", http_server.act("fix.1", "approve", lead).ended(403).json()["message"])
        http_server.act("fix.1", "approve", lead, reason="looked at it").ended(200)
        among("needs a reason", http_server.act("fix.1", "resume", lead).ended(403, 409).json()["message"])
        http_server.act("fix.1", "resume", lead, reason="go").ended(200)
        http_server.until("fix.1", "done", who=lead)
    same(refusals(stand), [("fix.1", what) for what in ("set", "resume", "approve", "approve", "resume")], "the ledger")
    stand.sluice("rollback", "fix.1", "--yes").ended(0)


@test("what an environment asks is frozen with the plan; a plan in a file that was made under other rules is refused")
def _(stand):
    ready(stand)
    stand.sluice("plan", "fix.yaml", "-o", "fix.plan").ended(0)
    stand.write("home/environments.yaml", RULES.replace("approve: daemon", "approve: bin"))
    among("environments.yaml", stand.sluice("run", "--plan", "fix.plan", "--reason", "x").ended(7).err)
    stand.write("home/environments.yaml", RULES)
    among("approval of daemon", stand.sluice("run", "--plan", "fix.plan", "--reason", "x", "--exit-on-pause").ended(3).err)
    stand.write("home/environments.yaml", RULES.replace("reason: true", "reason: false"))
    among("needs a reason", stand.sluice("set", "fix.1", "protect.rate.max=100/s").ended(7).err)


@test("a spec that names an environment is held to it; a file of them that is wrong stops what it is about, with its place")
def _(stand):
    ready(stand)
    for name, code, words in (("nowhere", 2, ["fix.yaml:2:14", "no environment 'nowhere'"]), ("staging", 7, ["'staging'", "'production'"])):
        stand.write("fix.yaml", "sluice: 1\nenvironment: " + name + stand.read("two.yaml").replace("two", "fix").replace("\nsluice: 1", ""))
        among(words, run(stand, "--reason", "x").ended(code).err)
    among("staging", stand.sluice("doctor", "two.yaml").out)
    for rules, words in (("environments: {}\n", "a map of environments"), ("environments: { a: { target: [x] } }\n", "did you mean 'targets'"), ("x: 1\n", "'environments' is missing")):
        stand.write("home/environments.yaml", rules)
        among(["environments.yaml:1:", words], run(stand, spec="two.yaml").ended(2).err)


run_all()
