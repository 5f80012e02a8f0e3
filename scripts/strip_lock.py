"""Removes funding links and download addresses from an npm lock file, so that it names no host at all. Links
to folders of ours stay."""

import json
import sys
from pathlib import Path

path = Path(sys.argv[1])
lock = json.loads(path.read_text())
for package in lock["packages"].values():
    package.pop("funding", None)
    if not package.get("link"):
        package.pop("resolved", None)
path.write_text(json.dumps(lock, indent=2) + "\n")
