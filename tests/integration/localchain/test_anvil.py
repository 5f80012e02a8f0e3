"""Anvil starts, obeys, and always stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keeper.errors import UnreachableError
from keeper.localchain import anvil as anvil_module
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions, find_anvil
from keeper.localchain.rpc import Json, LocalRpc, RpcRefusedError, as_dict, as_int

pytestmark = pytest.mark.integration

SOME_ACCOUNT = "0x00000000000000000000000000000000000abcde"


def _timestamp(anvil: Anvil, block: str = "latest") -> int:
    return as_int(as_dict(anvil.rpc.call("eth_getBlockByNumber", block, False))["timestamp"])


def test_two_chains_run_side_by_side_and_stop() -> None:
    with Anvil(AnvilOptions(chain_id=1)) as first, Anvil(AnvilOptions(chain_id=10)) as second:
        assert first.rpc.integer("eth_chainId") == 1
        assert second.rpc.integer("eth_chainId") == 10
        rpc = first.rpc
    with pytest.raises(UnreachableError):
        rpc.call("eth_chainId")
    with pytest.raises(UnreachableError, match="not running"):
        first.url  # noqa: B018


def test_leaves_no_states_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past states go to a folder of the node's own, which ends with it; the user's home stays as it is."""
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with Anvil() as anvil:
        for number in range(600):
            anvil.set_balance(SOME_ACCOUNT, number)
            anvil.mine()
        assert any(path.is_file() for path in scratch.rglob("*"))
    assert list(scratch.iterdir()) == []
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_stops_when_its_block_raises() -> None:
    rpc: LocalRpc | None = None
    try:
        with Anvil() as anvil:
            rpc = anvil.rpc
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert rpc is not None
    with pytest.raises(UnreachableError):
        rpc.call("eth_chainId")


def test_dies_with_a_killed_parent() -> None:
    program = (
        "import time\nfrom keeper.localchain.anvil import Anvil\n"
        "with Anvil() as anvil:\n    print(anvil.rpc.port, flush=True)\n    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    limit = time.monotonic() + 10
    while _listening(port):
        assert time.monotonic() < limit, "Anvil outlived its parent"
        time.sleep(0.02)


def _listening(port: int) -> bool:
    return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    options = AnvilOptions(extra=("--no-such-flag",), log=tmp_path / "anvil.log")
    with pytest.raises(UnreachableError, match="no-such-flag"), Anvil(options):
        pass


def test_missing_anvil_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(anvil_module, "NODE_MODULES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreachableError, match="make setup"):
        find_anvil()


def test_a_users_own_anvil_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "anvil"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_anvil() == own


def test_log_goes_to_the_file_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "anvil.log"
    with Anvil(AnvilOptions(log=log)) as anvil:
        anvil.mine()
    assert "Listening on" in log.read_text()


def test_blocks_are_mined_at_the_times_asked_for(anvil: Anvil) -> None:
    start = _timestamp(anvil)
    anvil.set_next_timestamp(start + 100)
    number = anvil.mine()
    assert _timestamp(anvil) == start + 100
    anvil.set_timestamp_interval(12)
    assert anvil.mine(3) == number + 3
    assert _timestamp(anvil) == start + 136
    anvil.rpc.call("anvil_removeBlockTimestampInterval")


def test_snapshot_undoes_and_is_used_up(anvil: Anvil) -> None:
    anvil.set_balance(SOME_ACCOUNT, 1)
    snapshot = anvil.snapshot()
    anvil.set_balance(SOME_ACCOUNT, 5)
    anvil.revert(snapshot)
    assert anvil.rpc.integer("eth_getBalance", SOME_ACCOUNT, "latest") == 1
    with pytest.raises(UnreachableError, match="gone"):
        anvil.revert(snapshot)


def test_code_and_storage_can_be_set(anvil: Anvil) -> None:
    # PUSH1 0 SLOAD PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN: answers its first storage word.
    anvil.set_code(SOME_ACCOUNT, bytes.fromhex("60005460005260206000f3"))
    anvil.set_storage_at(SOME_ACCOUNT, 0, 42)
    assert anvil.rpc.integer("eth_call", {"to": SOME_ACCOUNT}, "latest") == 42


def test_reorg_replaces_blocks() -> None:
    with Anvil() as anvil:
        number = anvil.mine(4)
        before = [as_dict(anvil.rpc.call("eth_getBlockByNumber", hex(n), False)) for n in (1, 2, 3, 4)]
        anvil.reorg(2)
        after = [as_dict(anvil.rpc.call("eth_getBlockByNumber", hex(n), False)) for n in (1, 2, 3, 4)]
        assert anvil.block_number() == number
        same = [one["hash"] == two["hash"] for one, two in zip(before, after, strict=True)]
    assert same == [True, True, False, False]


def test_nothing_is_mined_without_mining() -> None:
    with Anvil(AnvilOptions(no_mining=True)) as anvil:
        transfer: Json = {"from": ACCOUNTS[0], "to": ACCOUNTS[1], "value": "0x1"}
        transaction = anvil.rpc.text("eth_sendTransaction", transfer)
        assert anvil.rpc.call("eth_getTransactionReceipt", transaction) is None
        anvil.mine()
        assert anvil.rpc.call("eth_getTransactionReceipt", transaction) is not None


def test_transaction_gas_limit_is_mainnets_when_asked() -> None:
    too_much: Json = {"from": ACCOUNTS[0], "to": ACCOUNTS[1], "gas": hex(2**24 + 1)}
    with Anvil(AnvilOptions(tx_gas_limit=True)) as anvil, pytest.raises(RpcRefusedError):
        anvil.rpc.call("eth_sendTransaction", too_much)


def test_forks_another_chain(anvil: Anvil) -> None:
    anvil.set_balance(SOME_ACCOUNT, 77)
    number = anvil.mine()
    with Anvil(AnvilOptions(fork_url=anvil.url, fork_block=number)) as fork:
        assert fork.rpc.integer("eth_getBalance", SOME_ACCOUNT, "latest") == 77
