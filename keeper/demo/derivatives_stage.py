"""The stage of `keeper demo --derivatives`: perpetuals on two exchanges and options on a third, under one
signer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_utils.crypto import keccak

from keeper.demo.running import CONFIG, RECORD, Ground
from keeper.demo.stage import GENESIS, POLICY, protect, write_keystore
from keeper.localchain import lyra_avalon, perp_v2, synthetix_v3
from keeper.localchain import lyra_avalon_actions as options
from keeper.localchain import perp_v2_actions as curie
from keeper.localchain import synthetix_v3_actions as perps
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import view
from keeper.localchain.lyra_avalon_market import (
    AvalonDeployment,
    AvalonOption,
    AvalonSpec,
    BoardSpec,
    StrikeSpec,
)
from keeper.localchain.lyra_avalon_parameters import LiquidationPenalty
from keeper.localchain.perp_v2_market import DOLLAR, BaseSpec, CurieDeployment
from keeper.localchain.perp_v2_takeover import deploy_takeover
from keeper.localchain.synthetix_v3_market import FeedSpec, LocalPerp, PerpSpec, SynthetixDeployment
from keeper.localchain.transactions import Tx, call_of, send_batch
from keeper.model.money import WAD
from keeper.service import deployment

BLOCK_SECONDS = 20
"""More than the fifteen seconds that Perp v2 counts its price limit by."""
WEEK = 7 * 86_400
FIRST = {"ETH": 2_000, "BTC": 30_000, "SOL": 100}
SYNTHETIX, CURIE, AVALON = "perps", "curie", "options"
MARKETS = {SYNTHETIX: "synthetix-v3", CURIE: "perp-v2", AVALON: "lyra-avalon"}
TRADER, SETTLER, CROWD = ("0x" + digit * 40 for digit in "abc")
FEEDS = tuple(FeedSpec(symbol, price * 10**8) for symbol, price in FIRST.items())
PERPS = (
    PerpSpec("ETH", 100_000 * WAD),
    PerpSpec("BTC", 10_000 * WAD),
    # A small market, which one crowd can tilt: its funding grows fast.
    PerpSpec("SOL", 10_000_000 * WAD),
)
BOARDS = (BoardSpec((StrikeSpec(1_850 * WAD), StrikeSpec(2_000 * WAD), StrikeSpec(2_150 * WAD)), lasts=WEEK),)
HEDGE, LEG_LONG, LEG_SHORT, ADDED, REDUCED, FUNDED, WHALE = 102, 103, 104, 105, 106, 107, 900
SQUEEZED, SAVED = "0x" + "5c" * 20, "0x" + "5a" * 20
_DEPLOYER = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
TOP_UP, TARGET = "1.50", "1.80"
"""Health levels far enough from 1 that an order is settled before the account breaks."""
_ETHER, _BITCOIN = 13 * WAD, 13 * WAD * 2_000 // 30_000


@dataclass(frozen=True)
class Character:
    """An account of the story: its market, its key in the record, its part, and its intended end."""

    market: str
    account: str
    label: str
    ends: str
    """`liquidated`, `unharmed`, `top_up`, `reduce` or `settled`."""


@dataclass(frozen=True)
class DerivativesStage(Ground):
    """Everything set up before prices begin to move."""

    perps: SynthetixDeployment
    curie: CurieDeployment
    options: AvalonDeployment
    cast: tuple[Character, ...]


@contextmanager
def derivatives_stage(folder: Path) -> Iterator[DerivativesStage]:
    """A running local chain with all three exchanges; it is stopped when the context ends."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        rpc = anvil.rpc
        key = Account.from_key(keccak(text="keeper demo --derivatives"))
        first = synthetix_v3.deploy(rpc, FEEDS, PERPS)
        spec = AvalonSpec(penalty=LiquidationPenalty(minimum=100 * WAD))
        third = lyra_avalon.deploy(rpc, BOARDS, spec)
        second = perp_v2.deploy(rpc, [BaseSpec("vETH", FIRST["ETH"] * 10**8)], build="2.8.4")
        grant = _perps(anvil, first, key.address)
        _curie(anvil, second)
        takeover = deploy_takeover(rpc, second, key.address, key.address)
        cast = (*_CAST, *_options(anvil, third))
        _purse(anvil, key.address, first, second, third)
        write_keystore(folder, key)
        text = _config(anvil.url, first, second, third, grant, takeover)
        (folder / CONFIG).write_text(text)
        anvil.set_automine(False)
        anvil.set_timestamp_interval(BLOCK_SECONDS)
        anvil.mine()
        yield DerivativesStage(anvil, folder, key.address, anvil.block_number(), first, second, third, cast)


_CAST = (
    Character(SYNTHETIX, str(HEDGE), "long ETH, short BTC: a hedge", "unharmed"),
    Character(SYNTHETIX, str(LEG_LONG), "the hedge's long leg alone", "liquidated"),
    Character(SYNTHETIX, str(LEG_SHORT), "the hedge's short leg alone", "liquidated"),
    Character(SYNTHETIX, str(ADDED), "long ETH, protected by adding", "top_up"),
    Character(SYNTHETIX, str(REDUCED), "long ETH, protected by reducing", "reduce"),
    Character(SYNTHETIX, str(FUNDED), "long SOL, which pays funding", "liquidated"),
    Character(CURIE, SQUEEZED, "short ETH", "liquidated"),
    Character(CURIE, SAVED, "long ETH, for which is deposited", "top_up"),
)


def _perps(anvil: Anvil, system: SynthetixDeployment, keeper: str) -> str:
    """Open the accounts; returns the contract that two of them gave their rights to."""
    eth, btc, sol = (system.markets[symbol] for symbol in FIRST)
    for account, dollars, trades in (
        (HEDGE, 2_000, ((eth, _ETHER), (btc, -_BITCOIN))),
        (LEG_LONG, 2_000, ((eth, _ETHER),)),
        (LEG_SHORT, 2_000, ((btc, -_BITCOIN),)),
        (ADDED, 2_000, ((eth, _ETHER),)),
        (REDUCED, 2_000, ((eth, _ETHER),)),
        (FUNDED, 2_000, ((sol, 100 * WAD),)),
        # Keeps the ether market level, and tilts the small one.
        (WHALE, 5_000_000, ((eth, -4 * _ETHER), (btc, 2 * _BITCOIN), (sol, 20_000 * WAD))),
    ):
        who = CROWD if account == WHALE else TRADER
        made = [perps.create_account(system, who, account)]
        made += perps.mint_and_deposit(system, who, account, dollars * WAD)
        send_batch(anvil.rpc, made, system.errors)
        for market, size in trades:
            _traded(anvil, system, who, account, market, size)
    contract = deployment.grant("SynthetixGrant", system.perps)
    at = contract.address
    steps: list[Tx] = [{"from": SETTLER, "to": _DEPLOYER, "data": contract.request, "gas": 8_000_000}]
    for account in (ADDED, REDUCED):
        name = account.to_bytes(32, "big")
        for right in ("PERPS_MODIFY_COLLATERAL", "PERPS_COMMIT_ASYNC_ORDER"):
            steps.append(perps.grant(system, TRADER, account, right, at))
        limit = (name, eth.id.to_bytes(32, "big"), 10 * WAD)
        steps += [
            call_of(TRADER, at, "setOperator(bytes32,address,bool)", name, keeper, True),
            call_of(TRADER, at, "setLimit(bytes32,bytes32,uint128)", *limit),
            call_of(TRADER, at, "setShare(bytes32,uint256)", name, WAD // 50),
        ]
    send_batch(anvil.rpc, steps, system.errors)
    return at


def _traded(
    anvil: Anvil, system: SynthetixDeployment, who: str, account: int, market: LocalPerp, size: int
) -> None:
    """Commit, wait, bring the price and settle."""
    send_batch(anvil.rpc, [perps.commit_order(system, who, account, market, size)], system.errors)
    anvil.increase_time(6)
    price = FIRST[market.symbol] * 10**8
    settling = perps.bring_and_settle(anvil.rpc, system, SETTLER, account, market, price)
    send_batch(anvil.rpc, settling, system.errors)


def _curie(anvil: Anvil, system: CurieDeployment) -> None:
    """Open a short that is taken over, and a long that is topped up."""
    market = system.markets["vETH"]
    for who, dollars, size in ((SQUEEZED, 1_500, -7 * WAD), (SAVED, 1_700, 8 * WAD)):
        steps = curie.mint_and_deposit(system, who, dollars * DOLLAR)
        send_batch(anvil.rpc, [*steps, curie.open_position(system, who, market, size)])


def _options(anvil: Anvil, system: AvalonDeployment) -> Sequence[Character]:
    """Open positions of option sellers: two with too little collateral for what comes, two that last to the
    end."""
    low, middle, high = system.boards[0].strikes
    send_batch(anvil.rpc, options.mint_and_approve(system, TRADER, 10**6 * WAD, 100 * WAD), system.errors)
    found = []
    for strike, kind, dollars, label, ends in (
        (high, AvalonOption.SHORT_CALL_QUOTE, 560, "a call at 2,150 sold", "liquidated"),
        (middle, AvalonOption.SHORT_PUT_QUOTE, 540, "a put at 2,000 sold", "liquidated"),
        (low, AvalonOption.SHORT_PUT_QUOTE, 1_850, "a put at 1,850, fully covered", "settled"),
        (middle, AvalonOption.SHORT_CALL_BASE, 1, "a call at 2,000, covered in ether", "settled"),
    ):
        number = int(str(view(anvil.rpc, system.token, "nextId()", (), "uint256")[0]))
        opened = options.open_position(system, TRADER, strike, kind, WAD, dollars * WAD)
        send_batch(anvil.rpc, [opened], system.errors)
        found.append(Character(AVALON, str(number), label, ends))
    return found


def _purse(
    anvil: Anvil,
    keeper: str,
    first: SynthetixDeployment,
    second: CurieDeployment,
    third: AvalonDeployment,
) -> None:
    """Give the keeper what it protects and takes over with."""
    mint = "mint(address,uint256)"
    steps = [
        perps.mint(first, keeper, 50_000 * WAD),
        call_of(second.owner, second.usd, mint, keeper, 50_000 * DOLLAR),
        call_of(third.owner, third.quote, mint, keeper, 50_000 * WAD),
    ]
    send_batch(anvil.rpc, steps)
    anvil.set_balance(keeper, 200 * WAD)


def _config(
    url: str,
    first: SynthetixDeployment,
    second: CurieDeployment,
    third: AvalonDeployment,
    grant: str,
    takeover: str,
) -> str:
    protected = "\n".join(
        f"{protect(market, account, TARGET, 20_000, action, asset)}top_up = {TOP_UP}\nwarn = {TOP_UP}\n"
        for market, account, action, asset in (
            (SYNTHETIX, str(ADDED), "add_collateral", "snxUSD"),
            (SYNTHETIX, str(REDUCED), "reduce", "ETH"),
            (CURIE, SAVED, "add_collateral", second.usd),
        )
    )
    return f"""\
[chains.local]
chain_id = 31337
rpc = ["{url}"]
block_time = {BLOCK_SECONDS}
poll = 0.02
native_price = 2000

[markets.{SYNTHETIX}]
chain = "local"
protocol = "synthetix-v3"
address = "{first.perps}"
synthetix_v3.grant = "{grant}"

[markets.{CURIE}]
chain = "local"
protocol = "perp-v2"
address = "{second.clearing_house}"
unknown_oracles = "act"
perp_v2.takeover = "{takeover}"

[markets.{AVALON}]
chain = "local"
protocol = "lyra-avalon"
address = "{third.market}"
unknown_oracles = "act"
lyra_avalon.upkeep_gas_per_day = "1"    # boards are settled and paid out, though nobody pays for it

{POLICY}
{protected}
[service]
record = "{RECORD}"
"""
