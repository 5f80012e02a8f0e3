"""Where the key and its password come from, and that they are nowhere else."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from keeper.chain import keystore, signer
from keeper.config import SignerSettings as SignerSettings
from keeper.errors import ConfigError, KeeperError, UnreachableError
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import Anvil
from keeper.localchain.transactions import queue
from keeper.protocols.registry import load
from tests.integration.execution.conftest import CRASH, OTHER, Fresh, Ready
from tests.support import processes
from tests.support.keeping import KEY, PASSWORD, write_keystore
from tests.support.liquidations import liquidations
from tests.support.standin_web3signer import standin_web3signer
from tests.support.waiting import wait_for
from tests.support.world import config_text

pytestmark = pytest.mark.integration

ADDRESS = Account.from_key(KEY).address
SECRET = KEY.removeprefix("0x")
FILED = "kept-in-a-file-only"
PROMPTED = "typed-at-the-terminal-only"


def settings(folder: Path) -> SignerSettings:
    return SignerSettings(keystore=folder / "keystore.json")


def test_the_password_comes_from_file_before_credential_before_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_keystore(tmp_path)
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    good, bad = tmp_path / "good", tmp_path / "bad"
    for file, text in (
        (good, PASSWORD + "\n"),
        (bad, "wrong\n"),
        (credentials / keystore.CREDENTIAL, PASSWORD),
    ):
        file.write_text(text)
        file.chmod(0o600)
    monkeypatch.setenv(keystore.PASSWORD_VARIABLE, "wrong")
    with pytest.raises(ConfigError, match="password is wrong"):
        signer.load(settings(tmp_path))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert signer.load(settings(tmp_path)).address == ADDRESS
    with pytest.raises(ConfigError, match="password is wrong"):
        signer.load(settings(tmp_path).model_copy(update={"password_file": bad}))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert signer.load(settings(tmp_path).model_copy(update={"password_file": good})).address == ADDRESS


@pytest.mark.parametrize("file", ["keystore.json", "password"])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, file: str) -> None:
    write_keystore(tmp_path)
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    (tmp_path / file).chmod(0o644)
    wanted = settings(tmp_path).model_copy(update={"password_file": tmp_path / "password"})
    with pytest.raises(ConfigError, match=r"open to others \(mode 0644\)") as refused:
        signer.load(wanted)
    assert PASSWORD not in str(refused.value)


def test_an_external_signer_signs_for_the_whole_daemon_and_the_key_is_never_here(
    fresh: Fresh, ready: Ready
) -> None:
    with standin_web3signer(KEY) as outside:
        w = ready()
        assert w.actor.sender is not None
        text = w.config.read_text().replace(
            'keystore = "keystore.json"', f'web3signer = "{outside.url}"\naddress = "{outside.address}"'
        )
        (w.folder / "keystore.json").unlink()
        w.config.write_text(text)
        found = load(w.config).signer
        assert found is not None and signer.public_address(found) == ADDRESS
        external = signer.load(found)
        w.actor.sender = replace(w.actor.sender, signer=external)
        w.step(CRASH)
        w.step()
        assert len(outside.signed) == len(w.transactions()) >= 2
        legacy = {"chainId": 31337, "nonce": 5, "to": ADDRESS, "value": 7, "data": "0x12", "gas": 30000}
        for fees in ({"gasPrice": 10**9}, {"type": 2, "maxFeePerGas": 9, "maxPriorityFeePerGas": 1}):
            signed = Account.from_key(KEY).sign_transaction({**legacy, **fees})
            raw, digest = external.sign({**legacy, **fees})
            assert raw == "0x" + bytes(signed.raw_transaction).hex()
            assert digest == "0x" + bytes(signed.hash).hex()
        with pytest.raises(ConfigError, match="without chain id"):
            external.sign({"nonce": 1})
        outside.wrong = True
        with pytest.raises(KeeperError, match="signed with another key"):
            external.sign({**legacy, "gasPrice": 1})
    assert w.intents()[0].state == "settled" and liquidations(*fresh)[OTHER] == 1
    with pytest.raises(UnreachableError, match="cannot be reached"):
        external.sign({**legacy, "gasPrice": 1})


def test_an_external_signer_without_the_key_is_said(tmp_path: Path) -> None:
    with standin_web3signer(KEY) as outside, pytest.raises(ConfigError, match="has no key for"):
        signer.load(SignerSettings(web3signer=outside.url, address="0x" + "12" * 20))


def prepared(anvil: Anvil, market: AaveDeployment, ready: Ready, more: str = "") -> Path:
    """A configuration for a daemon of its own, with an account that a crash makes liquidatable."""
    w = ready()
    w.store.close()
    assert w.actor.sender is not None
    w.actor.release()
    w.config.write_text(config_text(anvil, market, more, "sqlite:///own.db"))
    return w.config


def has_acted(config: Path) -> bool:
    asked = subprocess.run(
        [sys.executable, "-m", "keeper.cli.main", "history", "--json", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(asked.stdout or "[]")
    return any(intent["transactions"] for intent in found)


def daemon(config: Path, log: Path, terminal: int | None) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if k != keystore.PASSWORD_VARIABLE}
    with log.open("wb") as out:
        return processes.start(
            [sys.executable, "-m", "keeper.cli.main", "run", "--live", "--config", str(config), "--json"],
            env=environment,
            stdin=terminal if terminal is not None else subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def ours(session: int) -> list[Path]:
    """The daemon's processes."""
    entries = [entry for entry in Path("/proc").glob("[0-9]*") if (entry / "stat").exists()]
    return [entry for entry in entries if os.getsid(int(entry.name)) == session]


@pytest.mark.parametrize("way", ["file", "prompt"])
def test_key_and_password_are_nowhere_in_logs_database_or_proc(
    fresh: Fresh, ready: Ready, tmp_path: Path, way: str
) -> None:
    anvil, market = fresh
    more = 'password_file = "password"\n' if way == "file" else ""
    config = prepared(anvil, market, ready, more + '[service]\nalerts_file = "alerts.jsonl"\n')
    password = FILED if way == "file" else PROMPTED
    path = tmp_path / "keystore.json"
    encrypted = Account.from_key(KEY).encrypt(password, kdf="pbkdf2", iterations=100)
    path.write_text(json.dumps(encrypted))
    path.chmod(0o600)
    master, slave = pty.openpty()
    if way == "file":
        (tmp_path / "password").write_text(password)
        (tmp_path / "password").chmod(0o600)
    process = daemon(config, tmp_path / "log", slave if way == "prompt" else None)
    try:
        if way == "prompt":
            wait_for(lambda: b"Password of" in (tmp_path / "log").read_bytes())
            os.write(master, password.encode() + b"\n")
        wait_for(lambda: b'"event": "block"' in (tmp_path / "log").read_bytes())
        queue(anvil, act.set_price(market, market.reserves["WETH"], CRASH["WETH"]))
        anvil.mine()
        wait_for(lambda: has_acted(config))
        shown = b""
        for entry in ours(process.pid):
            shown += (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        assert b"keeper.cli.main" in shown and b"PATH=" in shown
    finally:
        process.terminate()
        process.wait(30)
        os.close(master)
        os.close(slave)
    files = [p for p in tmp_path.iterdir() if p.is_file() and p.name not in ("password", "keystore.json")]
    assert {"log", "own.db", "alerts.jsonl"} <= {p.name for p in files}
    everything = shown + b"".join(p.read_bytes() for p in files)
    for secret in (password, SECRET, SECRET.upper(), str(int(SECRET, 16)), encrypted["crypto"]["ciphertext"]):
        assert secret.encode() not in everything
    assert bytes.fromhex(SECRET) not in everything
