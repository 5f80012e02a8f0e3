"""Removes addresses from an npm lock file, so that it names no host at all: download and funding links, and
dependencies wanted from an address, which `overrides` in package.json replace. Folders of ours stay."""

import json
import sys
from pathlib import Path

path = Path(sys.argv[1])
lock = json.loads(path.read_text())
for package in lock["packages"].values():
    package.pop("funding", None)
    if not package.get("link"):
        package.pop("resolved", None)
    wanted = package.get("dependencies", {})
    wanted.update({name: "*" for name, version in wanted.items() if "://" in version})
path.write_text(json.dumps(lock, indent=2) + "\n")
