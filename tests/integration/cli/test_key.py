"""`keeper key`: what is made can sign, only its owner may read it, and the key is never shown."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from keeper.chain import signer
from keeper.config import SignerSettings as SignerSettings
from tests.support.program import run_keeper
from tests.support.terminal import at_terminal

pytestmark = pytest.mark.integration

KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
ADDRESS = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
PASSWORD = "correct horse"


def keeper(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return run_keeper("key", *arguments, environment={**os.environ, **environment}, stdin=stdin)


def test_a_new_key_is_private_to_its_owner_and_signs(tmp_path: Path) -> None:
    path, password = tmp_path / "k.json", tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    before = os.umask(0)
    try:
        done = keeper("new", "--keystore", str(path), "--password-file", str(password))
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = signer.load(SignerSettings(keystore=path, password_file=password))
    assert loaded.address in done.stdout
    shown = keeper("show", "--keystore", str(path))
    assert shown.stdout == loaded.address + "\n", "the address only, and without the password"


def test_an_imported_key_comes_from_standard_input_and_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    done = keeper("import", "--keystore", str(path), stdin=f"0x{KEY}\n", KEEPER_KEYSTORE_PASSWORD=PASSWORD)
    assert done.returncode == 0, done.stderr
    assert ADDRESS in done.stdout
    for said in (done.stdout, done.stderr, path.read_text()):
        assert KEY not in said and PASSWORD not in said
    assert KEY not in keeper("show", "--json", "--keystore", str(path)).stdout


def test_a_keystore_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    path.write_text("the only copy")
    for command in ("new", "import"):
        done = keeper(command, "--keystore", str(path), stdin=KEY, KEEPER_KEYSTORE_PASSWORD=PASSWORD)
        assert done.returncode == 2 and "not overwritten" in done.stderr
    assert path.read_text() == "the only copy"


@pytest.mark.parametrize("given", ["", "hello", KEY[:-2], "zz" * 32, "0" * 64])
def test_what_is_no_key_is_refused_without_being_quoted(tmp_path: Path, given: str) -> None:
    path = tmp_path / "k.json"
    done = keeper("import", "--keystore", str(path), stdin=given, KEEPER_KEYSTORE_PASSWORD=PASSWORD)
    assert done.returncode == 2 and "not a private key" in done.stderr
    assert not given or given not in done.stderr
    assert not path.exists()


def test_an_empty_or_missing_password_makes_no_keystore(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    empty = keeper("new", "--keystore", str(path), KEEPER_KEYSTORE_PASSWORD="")
    assert empty.returncode == 2 and "empty password" in empty.stderr
    missing = keeper("new", "--keystore", str(path))
    assert missing.returncode == 2 and "password is missing" in missing.stderr
    assert not path.exists()


def test_at_a_terminal_key_and_password_are_asked_for_and_not_echoed(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    answers = {"not shown): ": KEY, "k.json: ": PASSWORD, "again: ": PASSWORD}
    code, seen = at_terminal(tmp_path, ["key", "import", "--keystore", str(path)], answers)
    assert code == 0, seen
    assert ADDRESS in seen
    assert KEY not in seen and PASSWORD not in seen
