#!/usr/bin/env python3
"""The page in a real browser: starts page.mjs, or says why it cannot be: no node, no Chromium, no packages of npm."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WEB = HERE.parent.parent / "web"
CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser")
LEAST_NODE = 20 # playwright-core asks for it


def lacking():
    """What is not there, in words; None: nothing."""
    node = shutil.which("node")
    if not node:
        return "there is no node"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = re.match(r"v(\d+)", version)
    if not major or int(major[1]) < LEAST_NODE:
        return f"node is {version.strip()}, and playwright-core asks for {LEAST_NODE}"
    if not any(Path(path).exists() for path in CHROMIUM):
        return "there is no Chromium"
    for package in ("preact", "htm", "uplot", "playwright-core", "axe-core"):
        if not (WEB / "node_modules" / package / "package.json").exists():
            return f"npm's package {package} is not in web/node_modules: `npm ci` there brings it"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sluice", required=True)
    parser.add_argument("--shots", default="page-shots", help="where screenshots are left")
    parser.add_argument("--only", default="", help="the tests whose name has these words")
    options = parser.parse_args()
    why = lacking()
    if why:
        print(f"1..0 # SKIP {why}")
        return 0
    chromium = next(path for path in CHROMIUM if Path(path).exists())
    environment = {**os.environ, "PAGE_SLUICE": str(Path(options.sluice).resolve()), "PAGE_SHOTS": str(Path(options.shots).resolve()),
                   "PAGE_CHROMIUM": chromium, "PAGE_MODULES": str(WEB / "node_modules"), "PAGE_ONLY": options.only}
    return subprocess.run(["node", str(HERE / "page.mjs")], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
