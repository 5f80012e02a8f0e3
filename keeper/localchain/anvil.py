"""Anvil as a context manager: a private local chain that always ends with the process that started it."""

from __future__ import annotations

import atexit
import ctypes
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from keeper.errors import UnreachableError
from keeper.localchain.packages import INSTALL, NODE_MODULES
from keeper.localchain.rpc import LocalRpc, as_int

ACCOUNTS = (
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
)
"""The first of Anvil's unlocked accounts, 10,000 ETH each; their keys are public knowledge."""

_START_LIMIT_S = 30.0
_LISTENING = re.compile(r"Listening on [^\s:]+:(\d+)")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class AnvilOptions:
    """Options with which Anvil starts. Times are Unix seconds; None leaves Anvil's own default."""

    chain_id: int = 31337
    no_mining: bool = False
    timestamp: int | None = None
    gas_limit: int | None = None
    tx_gas_limit: bool = False
    """Refuse transactions above 2^24 gas, as mainnet does since EIP-7825."""
    preserve_historical_states: bool = False
    fork_url: str | None = None
    fork_block: int | None = None
    extra: tuple[str, ...] = ()
    log: Path | None = None
    """File that receives Anvil's output; None: none is kept."""


class Anvil:
    """`with Anvil() as anvil: anvil.rpc.call(...)`. The node ends with the block, and with this process.

    On Linux the kernel ends the node when the thread that started it ends, so start it from one that
    lives as long as the node is needed. Raises UnreachableError if Anvil is missing or does not start.
    """

    def __init__(self, options: AnvilOptions | None = None) -> None:
        self.options = options or AnvilOptions()
        self._process: subprocess.Popen[bytes] | None = None
        self._rpc: LocalRpc | None = None
        self._states: Path | None = None

    @property
    def rpc(self) -> LocalRpc:
        if self._rpc is None:
            raise UnreachableError("this Anvil is not running", remedy="Use it inside its `with` block")
        return self._rpc

    @property
    def url(self) -> str:
        return self.rpc.url

    def __enter__(self) -> Self:
        binary = str(find_anvil())
        # Anvil keeps past states on disk, gigabytes of them, and leaves them there: this folder goes with it.
        self._states = Path(tempfile.mkdtemp(prefix="keeper-anvil-"))
        command = [binary, "--port", "0", "--cache-path", str(self._states)]
        command += _arguments(self.options)
        with tempfile.TemporaryDirectory() as scratch:
            path = self.options.log or Path(scratch) / "anvil.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as output:
                self._process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    preexec_fn=dies_with_parent() if sys.platform == "linux" else None,
                )
            atexit.register(self.stop)
            try:
                self._rpc = LocalRpc("127.0.0.1", _wait_for_port(self._process, path))
                if self.options.log is None:
                    self._rpc.call("anvil_setLoggingEnabled", False)
            except BaseException:
                self.stop()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the node; harmless when it has ended already."""
        atexit.unregister(self.stop)
        process, self._process, self._rpc = self._process, None, None
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        states, self._states = self._states, None
        if states is not None:
            shutil.rmtree(states, ignore_errors=True)

    def mine(self, blocks: int = 1) -> int:
        """Mine blocks and return the number of the last."""
        self.rpc.call("anvil_mine", hex(blocks))
        return self.block_number()

    def block_number(self) -> int:
        return self.rpc.integer("eth_blockNumber")

    def set_next_timestamp(self, seconds: int) -> None:
        """Set the Unix time of the next block; it must not be before the latest block's."""
        self.rpc.call("evm_setNextBlockTimestamp", hex(seconds))

    def set_timestamp_interval(self, seconds: int) -> None:
        """Make each later block this many seconds later than its parent, whatever the clock shows."""
        self.rpc.call("anvil_setBlockTimestampInterval", seconds)

    def increase_time(self, seconds: int) -> None:
        """Move the time of later blocks forward by these seconds."""
        self.rpc.call("evm_increaseTime", hex(seconds))

    def set_automine(self, enabled: bool) -> None:
        self.rpc.call("evm_setAutomine", enabled)

    def set_balance(self, account: str, wei: int) -> None:
        self.rpc.call("anvil_setBalance", account, hex(wei))

    def impersonate(self, account: str) -> None:
        """Let `eth_sendTransaction` send from this account without its key."""
        self.rpc.call("anvil_impersonateAccount", account)

    def set_code(self, account: str, runtime: bytes) -> None:
        self.rpc.call("anvil_setCode", account, "0x" + runtime.hex())

    def set_storage_at(self, account: str, slot: int, value: int) -> None:
        self.rpc.call("anvil_setStorageAt", account, hex(slot), f"0x{value:064x}")

    def snapshot(self) -> int:
        """Take a snapshot and return its identifier, good for one `revert`."""
        return as_int(self.rpc.call("evm_snapshot"))

    def revert(self, snapshot: int) -> None:
        """Go back to a snapshot; UnreachableError when it was used before."""
        if self.rpc.call("evm_revert", hex(snapshot)) is not True:
            raise UnreachableError(f"snapshot {snapshot} is gone", where=self.url, remedy="Take a new one")

    def reorg(self, depth: int) -> None:
        """Replace the last `depth` blocks by as many empty ones; their transactions vanish."""
        self.rpc.call("anvil_reorg", depth, [])


def find_anvil() -> Path:
    """Path of Anvil: the one on PATH, else the npm package's; UnreachableError with the install command."""
    own = shutil.which("anvil")
    if own:
        return Path(own)
    system = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}.get(platform.system(), "")
    machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    name = f"@foundry-rs/anvil-{system}-{machine.get(platform.machine(), '')}"
    path = NODE_MODULES / name / "bin" / ("anvil.exe" if system == "win32" else "anvil")
    if not path.exists():
        raise UnreachableError(
            "Anvil, the local chain, is not installed: not on PATH and not",
            where=f"contracts/node_modules/{name}",
            remedy=f"{INSTALL}, or install Foundry",
        )
    return path


def _arguments(options: AnvilOptions) -> list[str]:
    values = {
        "--chain-id": options.chain_id,
        "--timestamp": options.timestamp,
        "--gas-limit": options.gas_limit,
        "--fork-url": options.fork_url,
        "--fork-block-number": options.fork_block,
    }
    flags = {
        "--no-storage-caching": options.fork_url is not None,
        "--no-mining": options.no_mining,
        "--enable-tx-gas-limit": options.tx_gas_limit,
        "--preserve-historical-states": options.preserve_historical_states,
    }
    given = [each for flag, value in values.items() if value is not None for each in (flag, str(value))]
    return [*given, *(flag for flag, wanted in flags.items() if wanted), *options.extra]


def _wait_for_port(process: subprocess.Popen[bytes], log: Path) -> int:
    limit = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < limit:
        found = _LISTENING.search(log.read_text(errors="replace"))
        if found:
            return int(found.group(1))
        if process.poll() is not None:
            break
        time.sleep(0.01)
    tail = " ".join(log.read_text(errors="replace").split())[-400:]
    raise UnreachableError(f"Anvil did not start: {tail or 'no output'}", where=str(find_anvil()))


def dies_with_parent() -> Callable[[], None]:
    """A `preexec_fn` for Linux: the kernel ends the child when the thread that started it ends."""
    # Looked up before the fork: the child may only make plain calls.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec
