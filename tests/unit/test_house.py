"""The house as docs/ARCHITECTURE.md draws it: arrows one way, no circle, one idea a file, each name once."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
KEEPER = ROOT / "keeper"
MOST_LINES = 350
# Each margin model calls its parts as its field does, and the protocol that stands on it likewise.
ALIKE = {
    "Collateral",
    "CometMarket",
    "Explanation",
    "Exposures",
    "Liquidation",
    "MarketState",
    "MarketTerms",
    "Pair",
    "Position",
    "Prices",
    "Valuation",
}


PROTOCOLS = re.compile(
    "aave|morpho|comet|compound-|compound_v|liquity|trove|synthetix|curie|perp_v2|perp-v2|lyra|avalon",
    re.IGNORECASE,
)
NAMING = (
    *("protocols", "margin", "localchain", "demo"),
    *("cli.demo", "cli.demo_all", "cli.demo_derivatives", "cli.margin"),
)
# Elsewhere a protocol is named for a reason only.
NAMED = {
    "cli.main": "help: what `init` takes, and which days the demo plays",
    "execution.batch_encoding": "our contract's number of a pool that lends",
    "model.plan": "a pool that lends, whatever market the money is for",
    "oracles.shapes": "a price source that has the form of its maker",
    "oracles.sources": "the same",
}


def _modules() -> dict[str, ast.Module]:
    found = {}
    for path in KEEPER.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text())
    return found


WHOLE = {
    "unit": {"house", "no_connections", "processes"},
    "integration": {"bad_input", "forge", "wheel"},
}
"""What tests the project as a whole."""
MODULES = _modules()


def _imports(tree: ast.Module) -> Iterator[str]:
    """Modules of ours that a file imports, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_two_modules_need_each_other() -> None:
    graph = {name: {each for each in _imports(tree) if each in MODULES} for name, tree in MODULES.items()}
    # Whatever imports nothing that is left is taken away: what remains stands in circles or leads to one.
    while free := [name for name, needs in graph.items() if not needs - {name}]:
        for name in free:
            del graph[name]
        for needs in graph.values():
            needs.difference_update(free)
    assert not graph


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in KEEPER.rglob("*.py")}
    assert {path.name: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


@pytest.mark.parametrize("kind", ["unit", "integration"])
def test_tests_stand_where_their_subject_does(kind: str) -> None:
    """A folder of tests is named as the folder of `keeper/` that it tests; only what tests the project as a
    whole stands above them."""
    tests = ROOT / "tests" / kind
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")} - {Path()}
    assert [str(each) for each in folders if not (KEEPER / each).is_dir()] == []
    assert {path.stem.removeprefix("test_") for path in tests.glob("test_*.py")} == WHOLE[kind]


def test_a_class_name_stands_once() -> None:
    places = defaultdict(list)
    for name, tree in MODULES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    assert {name for name, found in places.items() if len(found) > 1} == ALIKE


def test_no_protocol_is_named_outside_its_places() -> None:
    named = {
        name.removeprefix("keeper.")
        for name, tree in MODULES.items()
        if not name.removeprefix("keeper.").startswith(NAMING)
        if any(map(PROTOCOLS.search, [*_imports(tree), *_literals(tree)]))
    }
    assert named == set(NAMED)


def _literals(tree: ast.Module) -> Iterator[str]:
    """Texts that a file works with: what stands alone tells its reader something."""
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in told:
            yield node.value


def test_nothing_private_is_imported_from_another_file() -> None:
    found = [
        f"{name}: {node.module}.{alias.name}"
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keeper")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert found == []


def test_the_drawn_folders_are_those_that_are_checked() -> None:
    rows: dict[int, set[str]] = defaultdict(set)
    for row, folder in re.findall(
        r"^\| (\d+) \| `(keeper/\S+)` \|", (ROOT / "docs/ARCHITECTURE.md").read_text(), re.M
    ):
        rows[int(row)].add(folder.removesuffix("/").removesuffix(".py").replace("/", "."))
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = settings["contracts"][0]["layers"]
    assert [rows[number] for number in sorted(rows)] == [set(each.split(" | ")) for each in layers]
    inside = {path.stem for path in KEEPER.iterdir() if path.is_dir() and path.name != "__pycache__"} | {
        path.stem for path in KEEPER.glob("*.py") if path.stem != "__init__"
    }
    assert {f"keeper.{each}" for each in inside} == set().union(*rows.values())


def test_every_test_is_marked() -> None:
    unmarked = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if not re.search(r"^pytestmark = .*pytest\.mark\.(unit|integration)", path.read_text(), re.M)
    ]
    assert unmarked == []


ROLES_HAVE_AT_MOST = 8


def _roles() -> dict[str, ast.ClassDef]:
    """The interface of a protocol, by role."""
    here = [*(KEEPER / "protocols" / "roles").glob("*.py"), KEEPER / "book" / "source.py"]
    return {
        node.name: node
        for path in here
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
    }


def test_a_role_has_eight_members_at_most_and_a_market_names_only_roles() -> None:
    roles = _roles()
    whole = {"BookSource", "MarketRoles"}
    assert {"Mirror", "Auditor", "Valuer", "Planner", "Explainer"} < roles.keys()
    for name, role in roles.items():
        members = [each.name for each in role.body if isinstance(each, ast.FunctionDef)]
        if name not in whole:
            assert 0 < len(members) <= ROLES_HAVE_AT_MOST, (name, members)
            continue
        for each in role.body:
            if isinstance(each, ast.AnnAssign):
                told = ast.unparse(each.annotation)
            elif isinstance(each, ast.FunctionDef) and each.returns is not None:
                told = ast.unparse(each.returns)
            else:
                continue
            known = told in ("str", "int", "bool", "A_co") or any(role in told for role in roles)
            assert known, f"{name}: {ast.unparse(each)} belongs to a role"
