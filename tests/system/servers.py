"""Servers for tests: redis-server or valkey-server, standalone, behind Sentinel or as a cluster; each in a directory of
its own, on ports that were free, stopped by its process id. Nothing sleeps for a time: what is waited for is a
condition, with a limit.

    with Servers(folder) as servers:                # redis-server of the PATH; Servers(folder, "valkey") the other
        cluster = servers.cluster(primaries=3, replicas=1)
        cluster.client().set("k", "v")              # an independent client: Debian's python3-redis
        with cluster.moving():                      # slots move back and forth meanwhile
            …

Needs python3-redis: programs of tests run by another python3 than the system's find it through need_client().
"""

import contextlib
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from stand import Skip, test

SLOTS = 16384


class Unavailable(Exception):
    """Cannot be had on this machine; says what."""


def need_client():
    """python3-redis; where this python is not the system's own, from where the system keeps it."""
    try:
        import redis
    except ImportError:
        sys.path.append("/usr/lib/python3/dist-packages")
        try:
            import redis
        except ImportError as error:
            raise Unavailable(f"the Debian package python3-redis: {error}") from error
    logging.getLogger("redis").setLevel(logging.CRITICAL) # it prints every redirection that it follows
    return redis


def program_of(kind):
    """redis-server; valkey-server by $SLUICE_VALKEY (a program, or a folder that has it), else of the PATH."""
    given = os.environ.get("SLUICE_VALKEY", "") if kind == "valkey" else ""
    for path in (given, os.path.join(given, "valkey-server")) if given else ():
        if os.path.isfile(path):
            return path
    found = shutil.which(f"{kind}-server")
    if not found:
        raise Unavailable(f"{kind}-server is not installed" + (" and $SLUICE_VALKEY does not name one" if kind == "valkey" else ""))
    return found


def wait_for(holds, what, limit=30.0):
    """Asks until it is so, more and more rarely; returns what it is. An exception of the client's counts as not so."""
    end, pause, last = time.monotonic() + limit, 0.002, None
    while time.monotonic() < end:
        try:
            found = holds()
            if found:
                return found
        except (OSError, need_client().RedisError) as error:
            last = error
        threading.Event().wait(pause)
        pause = min(pause * 1.5, 0.1)
    raise TimeoutError(f"not within {limit} s: {what}" + (f" ({last})" if last else ""))


def free_ports(n, bus=False):
    """Ports below those the system gives out by itself; of a cluster's nodes the one 10,000 above is free as well."""
    found = []
    for _ in range(2000):
        port = random.randint(10000, 19999)
        if port not in found and all(is_free(each) for each in ((port, port + 10000) if bus else (port,))):
            found.append(port)
        if len(found) == n:
            return found
    raise Unavailable("free ports")


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_in_step(replica, primary):
    """In the view of both: the primary learns later than the replica that it has all."""
    def in_step():
        rows = [row for name, row in primary.info("replication").items() if name.startswith("slave") and isinstance(row, dict)]
        return (replica.info("replication").get("master_link_status") == "up" and
                any(row["port"] == replica.port and row["state"] == "online" for row in rows))
    wait_for(in_step, "a replica in step")


class Server:
    """One process. Its data, its log and its configuration lie in its directory."""

    def __init__(self, servers, port, settings, mode=()):
        self.servers, self.port, self.mode = servers, port, list(mode)
        self.folder = servers.folder / f"{port}"
        self.folder.mkdir()
        self.config = self.folder / "server.conf"
        self.config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        self.password = settings.get("requirepass", "").strip('"') or None
        self.tls = servers.tls if "tls-port" in settings else None
        self.process = None
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self, ready=True):
        """ready False: it need not answer yet."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([self.servers.program, str(self.config), *self.mode], cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.servers.environment)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.address} ended with {self.process.returncode}:\n{self.log()[-2000:]}")
            return self.client().ping()
        wait_for(answers, f"{self.address} answers")

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def client(self, **more):
        more = {"password": self.password, "socket_timeout": 10, **self.client_tls(), **more}
        return need_client().Redis(host="127.0.0.1", port=self.port, **more)

    def client_tls(self):
        if not self.tls:
            return {}
        return {"ssl": True, "ssl_ca_certs": str(self.tls / "ca.crt"), "ssl_certfile": str(self.tls / "client.crt"),
                "ssl_keyfile": str(self.tls / "client.key"), "ssl_check_hostname": False}

    def call(self, *words):
        """One command on a connection of its own."""
        client = self.client()
        try:
            return client.execute_command(*words)
        finally:
            client.close()

    def info(self, section):
        return self.call("INFO", section)

    def is_running(self):
        return self.process.poll() is None

    # --- ends and pauses

    def end(self, how):
        if self.is_running():
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
        self.process.wait(timeout=30)

    def kill(self):
        self.end(signal.SIGKILL)

    def stop(self):
        self.end(signal.SIGTERM)

    def freeze(self):
        """It hangs: nothing is answered, connections are still taken by the system."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


class Cluster:
    def __init__(self, servers, nodes, replicas):
        self.servers, self.nodes, self.replicas = servers, nodes, replicas

    def client(self, **more):
        """Follows redirections by itself, whatever moves."""
        redis = need_client()
        return redis.cluster.RedisCluster(startup_nodes=[redis.cluster.ClusterNode("127.0.0.1", node.port)
                                                         for node in self.running()],
                                          password=self.nodes[0].password,
                                          **{"cluster_error_retry_attempts": 100, **self.nodes[0].client_tls(), **more})

    def running(self):
        return [node for node in self.nodes if node.is_running()]

    def ids(self):
        return {node.call("CLUSTER", "MYID").decode(): node for node in self.running()}

    def primaries(self):
        """Running nodes that own slots, in the view of each itself."""
        return [node for node in self.running() if self.slots(node)]

    def slots(self, node):
        """What the node says it owns."""
        mine = []
        for line in self.view(node):
            if "myself" in line[2] and "master" in line[2]:
                for word in line[8:]:
                    if not word.startswith("["):
                        first, _, last = word.partition("-")
                        mine += range(int(first), int(last or first) + 1)
        return mine

    @staticmethod
    def view(node):
        """CLUSTER NODES of the node, split into words."""
        client = node.client()
        client.response_callbacks.clear()
        try:
            text = client.execute_command("CLUSTER NODES")
        finally:
            client.close()
        return [line.split() for line in text.decode().splitlines()]

    @staticmethod
    def info(node):
        """CLUSTER INFO of the node: texts by name."""
        found = node.call("CLUSTER", "INFO")
        return found if isinstance(found, dict) else dict(line.split(":") for line in found.decode().split())

    def owner(self, slot):
        return next(node for node in self.primaries() if slot in self.slots(node))

    def replicas_of(self, primary):
        mine = primary.call("CLUSTER", "MYID").decode()
        return [node for key, node in self.ids().items()
                if any(line[0] == key and line[3] == mine for line in self.view(node))]

    def wait_whole(self, limit=60):
        """Every running node sees every slot owned and the cluster well, and they agree about owners and replicas."""
        def whole():
            views = set()
            for node in self.running():
                if self.info(node)["cluster_state"] != "ok":
                    return False
                views.add(tuple(sorted((line[0], line[3], *(word for word in line[8:] if not word.startswith("[")))
                                       for line in self.view(node) if "fail" not in line[2])))
            return len(views) == 1
        wait_for(whole, "a whole cluster", limit)

    # --- slots

    def move_begin(self, slot, source, target):
        """Half of a move: the slot is on its way, its keys are where they were."""
        names = {node: key for key, node in self.ids().items()}
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])

    def move_keys(self, slot, source, target, most=None, at_once=100):
        """Moves keys, all or so many."""
        moved = 0
        words = ("AUTH", source.password) if source.password else ()
        while most is None or moved < most:
            keys = source.call("CLUSTER", "GETKEYSINSLOT", slot, at_once if most is None else min(at_once, most - moved))
            if not keys:
                break
            source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "REPLACE", *words, "KEYS", *keys)
            moved += len(keys)
        return moved

    def move_end(self, slot, source, target):
        """The target owns it; told to it first, so that no moment has no owner."""
        name = target.call("CLUSTER", "MYID")
        for node in (target, source, *(node for node in self.primaries() if node not in (source, target))):
            node.call("CLUSTER", "SETSLOT", slot, "NODE", name)

    def move(self, slot, target):
        source = self.owner(slot)
        if source is target:
            return 0
        self.move_begin(slot, source, target)
        moved = self.move_keys(slot, source, target)
        self.move_end(slot, source, target)
        return moved

    @contextlib.contextmanager
    def moving(self, slots=None, seed=1):
        """Slots move from primary to primary for as long as the block lasts, one right after the other; gives a list that
        grows by each slot moved."""
        done, stop, failed = [], threading.Event(), []
        mover = Mover(self)

        def body():
            dice = random.Random(seed)
            try:
                while not stop.is_set():
                    slot = dice.choice(slots) if slots else dice.randrange(SLOTS)
                    mover.move(slot, dice.choice([node for node in mover.clients if node is not mover.owner[slot]]))
                    done.append(slot)
            except Exception as error:  # pylint: disable=broad-except
                failed.append(error)
        thread = threading.Thread(target=body)
        thread.start()
        try:
            yield done
        finally:
            stop.set()
            thread.join()
            mover.end()
        if failed:
            raise failed[0]

    # --- failover

    def fail_over(self, primary):
        """Kills it with SIGKILL; returns the replica that has taken its slots over."""
        slot = self.slots(primary)[0]
        heirs = self.replicas_of(primary)
        primary.kill()
        return self.wait_heir(heirs, slot)

    def wait_heir(self, heirs, slot):
        heir = wait_for(lambda: next((node for node in heirs if slot in self.slots(node)), None), "a promoted replica", 60)
        self.wait_whole()
        return heir


class Mover:
    """Moves slots as fast as the servers do it: over connections that stay, knowing who owns what because nobody else moves
    any."""

    def __init__(self, cluster):
        self.names = {node: name for name, node in cluster.ids().items()}
        self.owner = {slot: node for node in cluster.primaries() for slot in cluster.slots(node)}
        self.clients = {node: node.client() for node in set(self.owner.values())}
        for client in self.clients.values():
            client.response_callbacks.clear()

    def call(self, node, *words):
        return self.clients[node].execute_command(*words)

    def epoch(self, node, whose):
        lines = self.call(node, "CLUSTER", "INFO").decode().split()
        return int(dict(line.split(":") for line in lines)[whose])

    def move(self, slot, target):
        source = self.owner[slot]
        words = ("AUTH", source.password) if source.password else ()
        self.call(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.names[source])
        self.call(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.names[target])
        while keys := self.call(source, "CLUSTER", "GETKEYSINSLOT", slot, 100):
            self.call(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "REPLACE", *words, "KEYS", *keys)
        # A target that has not heard of the newest epoch keeps an old one, and loses the slot, keys and all, to the next word
        # of the one that had it: this is how far slots can be moved without a pause.
        newest = max(self.epoch(node, "cluster_my_epoch") for node in self.clients)
        wait_for(lambda: self.epoch(target, "cluster_current_epoch") >= newest, "a target that knows the newest epoch")
        for node in (target, source, *(node for node in self.clients if node not in (source, target))):
            self.call(node, "CLUSTER", "SETSLOT", slot, "NODE", self.names[target])
        self.owner[slot] = target

    def end(self):
        for client in self.clients.values():
            client.close()


class Sentinels:
    """A primary, its replicas, and who watches them."""

    def __init__(self, name, nodes, sentinels):
        self.name, self.nodes, self.sentinels = name, nodes, sentinels

    def master(self):
        found = next(sentinel for sentinel in self.sentinels if sentinel.is_running()).call(
            "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)
        return next(node for node in self.nodes if node.port == int(found[1]))

    def fail_over(self):
        """Kills the master; returns the one that follows."""
        before = self.master()
        before.kill()
        return wait_for(lambda: self.follows(before), "another master", 60)

    def follows(self, before):
        now = self.master()
        return now if now is not before and now.info("replication")["role"] == "master" else None


class Servers:
    def __init__(self, folder, kind="redis"):
        need_client()
        self.kind, self.program = kind, program_of(kind)
        self.folder = Path(folder) / f"servers-{kind}"
        self.folder.mkdir(parents=True)
        self.started = []
        self.tls = None
        self.environment = None # of those that are started from now on; None: this process's

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        for server in self.started:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                server.kill()

    def version(self):
        text = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=True).stdout
        return text.partition(" v=")[2].split()[0]

    # --- what they need

    def certificates(self):
        """A CA, a server's certificate for 127.0.0.1 and localhost, a client's; made once. Returns the folder."""
        if self.tls:
            return self.tls
        folder = self.folder / "tls"
        folder.mkdir()

        def openssl(*words):
            run = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
            if run.returncode:
                raise Unavailable(f"openssl {words[0]}: {run.stderr}")
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=sluice test CA")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        for name in ("server", "client"):
            openssl("req", "-new", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                    "-extfile", "names", "-out", f"{name}.crt")
        self.tls = folder
        return folder

    def acl(self, *rules):
        """A file of users, a rule a line (`user sluice on >secret ~* +@all`); its path is for the setting `aclfile`."""
        path = self.folder / f"users-{len(list(self.folder.glob('users-*')))}.acl"
        path.write_text("".join(rule + "\n" for rule in rules))
        return path

    def tls_settings(self, port):
        folder = self.certificates()
        return {"port": 0, "tls-port": port, "tls-cert-file": folder / "server.crt", "tls-key-file": folder / "server.key",
                "tls-ca-cert-file": folder / "ca.crt", "tls-replication": "yes"}

    def settings(self, port, tls=False, **more):
        """Names of settings are given with `_` for `-`; one that is given wins."""
        settings = {"port": port, "bind": "127.0.0.1", "save": '""', "appendonly": "no", "dir": ".", "daemonize": "no",
                    "repl-diskless-sync-delay": 0, "repl-ping-replica-period": 1}
        if tls:
            settings.update(self.tls_settings(port))
        settings.update({name.replace("_", "-"): value for name, value in more.items()})
        return settings

    def run(self, port, settings, mode=()):
        server = Server.__new__(Server)
        self.started.append(server)
        server.process = None
        server.__init__(self, port, settings, mode)
        return server

    # --- what is started

    def standalone(self, tls=False, **settings):
        port = free_ports(1)[0]
        return self.run(port, self.settings(port, tls, **settings))

    def replica_of(self, primary, **settings):
        server = self.standalone(replicaof=f"127.0.0.1 {primary.port}", **settings)
        wait_in_step(server, primary)
        return server

    def sentinels(self, name="main", replicas=1, watchers=3):
        """Fails over after a second."""
        primary = self.standalone()
        nodes = [primary] + [self.replica_of(primary) for _ in range(replicas)]
        rows = {"sentinel monitor": f"{name} 127.0.0.1 {primary.port} 2", "sentinel down-after-milliseconds": f"{name} 1000",
                "sentinel failover-timeout": f"{name} 5000"}
        watching = []
        for port in free_ports(watchers):
            watching.append(self.run(port, {"port": port, "bind": "127.0.0.1", "dir": ".", **rows}, ["--sentinel"]))

        def known():
            found = [sentinel.call("SENTINEL", "MASTER", name) for sentinel in watching]
            rows = [dict(zip(words[::2], words[1::2])) for words in found]
            return all(int(row[b"num-other-sentinels"]) == watchers - 1 and int(row[b"num-slaves"]) == replicas for row in rows)
        wait_for(known, "sentinels that know each other")
        return Sentinels(name, nodes, watching)

    def cluster(self, primaries=3, replicas=1, tls=False, **settings):
        """Slots in equal ranges; `replicas` for each primary; whole when this returns."""
        nodes = []
        for port in free_ports(primaries * (1 + replicas), bus=True):
            more = {"cluster-enabled": "yes", "cluster-node-timeout": 2000, "cluster-config-file": "nodes.conf",
                    "cluster-replica-validity-factor": 0, **({"tls-cluster": "yes"} if tls else {})}
            nodes.append(self.run(port, {**more, **self.settings(port, tls, **settings)}))
        for i, node in enumerate(nodes):
            node.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for i, node in enumerate(nodes[:primaries]):
            node.call("CLUSTER", "ADDSLOTSRANGE", SLOTS * i // primaries, SLOTS * (i + 1) // primaries - 1)
        for node in nodes[1:]:
            node.call("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        cluster = Cluster(self, nodes, replicas)
        wait_for(lambda: all(len(cluster.view(node)) == len(nodes) and not any("handshake" in line[2] for line in cluster.view(node))
                             for node in nodes), "nodes that know each other")
        for i, node in enumerate(nodes[primaries:]):
            node.call("CLUSTER", "REPLICATE", nodes[i % primaries].call("CLUSTER", "MYID"))
        for i, node in enumerate(nodes[primaries:]):
            wait_in_step(node, nodes[i % primaries])
        cluster.wait_whole()
        return cluster


KINDS = os.environ.get("SLUICE_SERVERS", "redis,valkey").split(",")


def take_turn(kind):
    """Of what takes long the second kind of server is by hand."""
    if kind != KINDS[0] and not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: the other kind of server has had its turn")


def each_kind(words, slow=False):
    """The test for both servers, each by its name; of a slow one the second kind is by hand."""
    def keep(function):
        for kind in KINDS:
            def body(stand, kind=kind):
                if slow:
                    take_turn(kind)
                try:
                    with Servers(stand.dir, kind) as servers:
                        function(stand, servers)
                except Unavailable as error:
                    raise Skip(str(error)) from error
            test(f"{kind}: {words}")(body)
        return function
    return keep
