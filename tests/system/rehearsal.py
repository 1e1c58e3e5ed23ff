"""The steps of packaging/Containerfile without a container engine: each stage is a root of its own over this machine's, by an
overlay in a mount namespace. What it cannot show: that Debian's bare image has what is needed beyond the packages that are named, and that
they can be got; `apt-get` only looks whether what it is to install is installed here, and gives files to dpkg."""

import re
import shlex

from stand import SOURCE

APT = r"""#!/bin/sh
for word; do
    case $word in
    install) installs=yes ;;
    -*) ;;
    *.deb) dpkg -i "$word" || exit 100 ;;
    *) [ -z "$installs" ] || dpkg-query -W -f '${db:Status-Status}\n' "$word" 2>&1 | grep -qx installed || { echo "apt-get: $word is not on this machine" >&2; exit 100; } ;;
    esac
done
"""

BEGIN = """set -eu
mount -t tmpfs -o size=8g rehearsal {work}
cd {work}
"""

STAGE = """mkdir -p {name}/up {name}/work {name}/whole
mount -t overlay overlay -o lowerdir=/,upperdir={name}/up,workdir={name}/work {name}/whole
mount --rbind /dev {name}/whole/dev; mount -t proc proc {name}/whole/proc; mount -t tmpfs tmp {name}/whole/tmp
install -m755 {apt} {name}/whole/usr/local/sbin/apt-get
"""


class Rehearsal:
    """Reads the file into a script for sh."""

    def __init__(self, stand):
        self.work = stand.path("rehearsal")
        self.work.mkdir()
        self.apt = stand.write("apt-get", APT)
        self.script, self.stages = [BEGIN.format(work=shlex.quote(str(self.work)))], []
        self.user, self.folder, self.start = "root", "/", []
        for word, rest in self.lines():
            getattr(self, f"do_{word.lower()}")(rest)

    def lines(self):
        text = (SOURCE / "packaging/Containerfile").read_text()
        text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
        return [line.split(None, 1) for line in text.splitlines() if line.strip()]

    def root(self):
        return f"{self.stages[-1]}/whole"

    def inside(self, words, user=None):
        """A line of sh that does it in the newest root. It is nobody's terminal, and knows nothing of this shell's environment."""
        within = f"cd {self.folder} && {words}"
        return (f"env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "
                f"chroot --userspec={user or self.user} {self.root()} /bin/sh -c {shlex.quote(within)} </dev/null\n")

    def do_from(self, rest):
        name = rest.split(" AS ")[1] if " AS " in rest else f"stage{len(self.stages)}"
        self.stages.append(name)
        self.script.append(STAGE.format(name=name, apt=shlex.quote(str(self.apt))))

    def do_copy(self, rest):
        source, to = rest.split()[-2:]
        if rest.startswith("--from="):
            stage = rest.split()[0].partition("=")[2]
            self.script.append(f"mkdir -p {self.root()}{to}; cp {stage}/whole{source} {self.root()}{to}\n")
            return
        left = [line for line in (SOURCE / ".dockerignore").read_text().split() if not line.startswith("#")]
        excludes = " ".join(f"--exclude={shlex.quote('./' + name)}" for name in left)
        self.script.append(f"mkdir -p {self.root()}{to}; tar -C {shlex.quote(str(SOURCE))} --anchored {excludes} -cf - {source} | tar -C {self.root()}{to} -xf -\n")

    def do_run(self, rest):
        self.script.append(self.inside(rest))

    def do_user(self, rest):
        self.user = rest

    def do_workdir(self, rest):
        self.folder = rest
        self.script.append(f"mkdir -p {self.root()}{rest}\n") # an engine makes it, and it is root's

    def do_entrypoint(self, rest):
        self.start = re.findall(r'"([^"]*)"', rest)

    def do_cmd(self, rest):
        self.then(*re.findall(r'"([^"]*)"', rest))

    def then(self, *arguments, user=None, mount=None):
        """As `docker run [--user USER] [-v MOUNT:/work] sluice ARGUMENTS`."""
        if mount:
            self.script.append(f"mount --bind {shlex.quote(str(mount))} {self.root()}{self.folder}\n")
        self.script.append(self.inside(shlex.join([*self.start, *arguments]), user))
