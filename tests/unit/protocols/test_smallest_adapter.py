"""What docs/protocols.md promises: the smallest adapter, all of its files, is some 300 lines."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
MOST = 340


def lines(folder: Path) -> int:
    """All lines of all files, as `wc -l` counts them."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sum(path.read_bytes().count(b"\n") for path in files)


def test_the_smallest_adapter_is_small_and_the_docs_say_its_size() -> None:
    folders = {p.parent for p in (ROOT / "keeper" / "protocols").glob("*/spec.py")}
    sizes = {folder.name: lines(folder) for folder in folders}
    smallest = min(sizes, key=lambda name: sizes[name])
    assert (smallest, sizes[smallest] < MOST) == ("liquity", True), sizes
    assert f"{sizes[smallest]} lines" in (ROOT / "docs" / "protocols.md").read_text(), sizes
