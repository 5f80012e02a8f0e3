"""Deploying contracts of ours with the signer, through the journal, and never twice.

They are created by the CREATE2 deployer that nearly every chain has. The creation code decides the address,
so one look at the address shows whether the contract is there, whatever happened to an earlier attempt.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eth_typing import HexAddress, HexStr
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.constants import HASH_ZERO
from web3.utils.address import get_create2_address

from keeper.chain import blocks, fees
from keeper.chain.blocks import Head
from keeper.chain.calldata import ZERO_ADDRESS
from keeper.chain.node import RpcError
from keeper.chain.pool import NodePool
from keeper.contracts import artifact
from keeper.errors import KeeperError, UnreachableError
from keeper.execution import follow, nonces, transactions
from keeper.execution.rehearsal import Action, with_margin
from keeper.execution.sender import Sender
from keeper.execution.signatures import begin, sign
from keeper.execution.submission import send
from keeper.store.tables.journal import Transaction

CREATE2_DEPLOYER = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
_SALT = HexStr(HASH_ZERO)
WAIT_SECONDS = 300.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Contract:
    """One of our contracts to deploy: the name of its artifact, and its constructor's arguments."""

    name: str
    arguments: tuple[str, ...]

    @property
    def code(self) -> HexStr:
        """The creation code, with the encoded arguments."""
        ours = artifact(self.name)
        made = Web3().eth.contract(abi=ours["abi"], bytecode=ours["bytecode"])
        return HexStr(made.constructor(*self.arguments).data_in_transaction)

    @property
    def address(self) -> str:
        """The address where it is, or will be."""
        return get_create2_address(HexAddress(HexStr(CREATE2_DEPLOYER)), _SALT, self.code)

    @property
    def request(self) -> str:
        """The calldata for the deployer: salt and creation code."""
        return _SALT + self.code[2:]


@dataclass(frozen=True, slots=True)
class Deployed:
    """The address of a contract and the transaction that created it; empty where it was there already."""

    address: str
    transaction: str


def liquidator(owner: str, operator: str) -> Contract:
    """A Liquidator: `owner` gets the profit; `operator` may carry out batches, as the owner may too."""
    same = owner.lower() == operator.lower()
    return Contract("Liquidator", (to_checksum_address(owner), ZERO_ADDRESS if same else operator))


def owner_top_up(market_pool: str) -> Contract:
    """A contract that tops up with owners' own tokens, in one pool."""
    return Contract("OwnerTopUp", (to_checksum_address(market_pool),))


def price_carrier() -> Contract:
    """A contract that brings prices; for everybody: nobody owns it."""
    return Contract("PriceCarrier", ())


def grant(name: str, market: str, *parts: str) -> Contract:
    """The grant contract of this name for the accounts of one market; `parts` are further contracts it must
    know."""
    return Contract(name, tuple(map(to_checksum_address, (market, *parts))))


def takeover(market: str, owner: str, operator: str) -> Contract:
    """A takeover contract for one market's exchange: `operator` may take over positions with their own
    money."""
    return Contract("PerpTakeover", (to_checksum_address(market), *liquidator(owner, operator).arguments))


def is_there(pool: NodePool, contract: Contract) -> bool:
    """Whether it has been deployed: only these very bytes can be at its address."""
    return bool(pool.call("eth_getCode", contract.address, "latest") not in ("0x", ""))


def cost(pool: NodePool, sender: str, contract: Contract) -> int:
    """Gas that deploying takes. KeeperError when it cannot be deployed."""
    if pool.call("eth_getCode", CREATE2_DEPLOYER, "latest") in ("0x", ""):
        raise KeeperError(
            "this chain has no CREATE2 deployer",
            where=f"chain {pool.name}, {CREATE2_DEPLOYER}",
            remedy="Deploy the contract from abis/ by hand and put its address into the configuration",
        )
    try:
        call = {"from": sender, "to": CREATE2_DEPLOYER, "data": contract.request}
        return int(pool.call("eth_estimateGas", call), 16)
    except RpcError as error:
        given = ", ".join(contract.arguments)
        raise KeeperError(
            f"{contract.name} cannot be deployed: {error.message}",
            where=f"chain {pool.name}",
            remedy=f"Check its arguments ({given}) and that {sender} has gas money",
        ) from None


def gas_money_missing(pool: NodePool, sender: str, gas: int, ceiling: int) -> str:
    """What `sender` lacks to pay for that much gas (a margin included), in words; empty when they have it."""
    most = with_margin(gas) * fees.suggest(pool, ceiling).max_fee
    has = int(pool.call("eth_getBalance", sender, "latest"), 16)
    if has >= most:
        return ""
    return f"{sender} has {_coins(has)} native coins, and gas may take {_coins(most)}"


def _coins(wei: int) -> str:
    """Rounded up, six decimals."""
    whole, rest = divmod(-(-wei // 10**12), 10**6)
    return f"{whole}.{rest:06d}"


def deploy(sender: Sender, contract: Contract, wait: float = WAIT_SECONDS) -> Deployed:
    """Deploy a contract unless it is deployed already or under way.

    KeeperError when it would revert, or another keeper is at work with the key; UnreachableError when the
    transaction is not included within `wait` seconds: the same command then waits for the same one.
    """
    if is_there(sender.pool, contract):
        return Deployed(contract.address, "")
    other = sender.lease.take()
    if other:
        raise KeeperError(
            f"another keeper signs with this key: {other}",
            where=f"chain {sender.chain}",
            remedy="Stop it while you deploy",
        )
    try:
        head = blocks.latest(sender.pool)
        transaction = _under_way(sender, contract) or _signed(sender, contract, head)
        send(sender, [transaction], head)
        return _included(sender, contract, transaction, wait)
    finally:
        sender.lease.release()


def _under_way(sender: Sender, contract: Contract) -> Transaction | None:
    """An earlier attempt that no block includes yet."""
    with sender.store.session() as session:
        flying = transactions.unmined(session, sender.chain, sender.address)
    asked = (CREATE2_DEPLOYER, contract.request)
    return next((each for each in flying if (each.target, each.data) == asked), None)


def _signed(sender: Sender, contract: Contract, head: Head) -> Transaction:
    """The deployment's transaction, signed and journalled, not sent."""
    needed = cost(sender.pool, sender.address, contract)
    missing = gas_money_missing(sender.pool, sender.address, needed, sender.limits.max_gas_price)
    if missing:
        raise KeeperError(
            missing, where=f"chain {sender.chain}", remedy=f"Send native currency to {sender.address}"
        )
    gas = with_margin(needed)
    quote = sender.quote()
    action = Action("deploy", CREATE2_DEPLOYER, contract.request)
    # The operator has just asked for it: the list of what the daemon may call does not speak of it.
    allow = {**(sender.limits.allow or {}), CREATE2_DEPLOYER: None}
    asked = replace(sender, limits=replace(sender.limits, allow=allow))
    with sender.store.session() as session:
        begin(asked, session)
        nonce = nonces.following(session, sender.chain, sender.address, quote.pending)
        return sign(asked, session, head, action, gas, quote.price, nonce, why=f"deploys {contract.name}")


def _included(sender: Sender, contract: Contract, transaction: Transaction, wait: float) -> Deployed:
    until = time.monotonic() + wait
    while time.monotonic() < until:
        follow.look(sender, blocks.latest(sender.pool), continuous=False)
        with sender.store.session() as session:
            row = session.get_one(Transaction, transaction.id)
        if row.succeeded and is_there(sender.pool, contract):
            return Deployed(contract.address, row.hash)
        if row.succeeded is False:
            raise KeeperError(f"the deployment {row.hash} reverted", where=f"chain {sender.chain}")
        time.sleep(LOOK_SECONDS)
    raise UnreachableError(
        f"the deployment {transaction.hash} is not included yet",
        where=f"chain {sender.chain}",
        remedy="Give the same command again: it waits for this transaction and makes no other",
    )


def chains_with(names: Sequence[str], wanted: str | None) -> str:
    """The chain that is meant: the one named, or the only one there is."""
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return str(wanted)
    raise KeeperError(
        f"{wanted!r} is not a chain" if wanted else "several chains are configured",
        where="--chain",
        remedy=f"Name one of {', '.join(sorted(names))}",
    )
