"""The commented configuration file that fits the survey and the operator's answers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from keeper.config import known_chain, table_of
from keeper.oracles.sources import tree
from keeper.protocols.registry import PROTOCOLS
from keeper.service.planning.gas_ceilings import COIN, DAY_GAS, GWEI, fitting_price
from keeper.setup.answers import InitAnswers
from keeper.setup.survey import Survey, SurveyedAsset
from keeper.setup.toml_edit import dotted, inline

MOST_ASSETS = 100
"""Most price sources that are written into the file: a market may have thousands."""


def configuration(found: Survey, answers: InitAnswers) -> str:
    """The whole file, as TOML."""
    parts = [
        _head(found),
        *_of_market(found, answers, chain=True),
        _rest(answers),
        *(_protect(account, answers) for account in answers.protect),
        *([_NO_PROTECT.format(market=inline(answers.market))] if not answers.protect else []),
        *(f"[[alerts]]\nurl = {inline(url)}\n" for url in answers.alerts),
        *([_NO_ALERTS] if not answers.alerts else []),
    ]
    return "\n".join(parts)


def sections(found: Survey, answers: InitAnswers, *, chain: bool) -> str:
    """The sections that a further market adds to a file, with its chain's where that is new."""
    protected = [_protect(account, answers) for account in answers.protect]
    return "\n".join([*_of_market(found, answers, chain=chain), *protected])


def _of_market(found: Survey, answers: InitAnswers, *, chain: bool) -> list[str]:
    return [
        *([_chain(found, answers)] if chain else []),
        _market(found, answers),
        *_oracles(found, answers),
    ]


def _head(found: Survey) -> str:
    day = datetime.fromtimestamp(found.head.timestamp, UTC).date()
    led = found.identity.led_from
    return f"""\
# keeper's configuration, written by `keeper init` from block {found.head.number} ({day}).
# Next: `keeper doctor` checks it, `keeper scan` shows the accounts, `keeper run` watches without sending,
# `keeper fork --shock` tries a crash on a fork, `keeper run --live` signs and sends.
{f"# The market was found through {led}." + chr(10) if led else ""}"""


def _chain(found: Survey, answers: InitAnswers) -> str:
    # What is known by id, or probed now, each with its reason.
    known = "\n".join([*_sequencer(found), *_gas(found), *_data(found), *_coin(found)])
    return f"""\
[chains.{dotted([answers.chain])}]
chain_id = {found.chain_id}
# Tried in this order; list a second node. A URL may hold an access key, so this file is for you alone.
rpc = [{inline(found.rpc)}]
{known}
"""


def _sequencer(found: Survey) -> list[str]:
    row = known_chain(found.chain_id)
    if row is None or row.sequencer_feed is None:
        return []
    return [
        f"# Tells when the sequencer is down ({row.sources['sequencer_feed']}).",
        f'sequencer_feed = "{row.sequencer_feed}"',
    ]


def _gas(found: Survey) -> list[str]:
    if found.gas is None:
        return ["# The node did not say what gas costs: max_gas_price_gwei is set at each start."]
    most = fitting_price(found.chain_id, found.gas, None)
    price, day = Decimal(most) / GWEI, Decimal(most * DAY_GAS * found.gas.scale) / COIN
    now = Decimal(found.gas.price) / GWEI
    return [
        f"# The most that a unit of gas may cost ({now.normalize():f} gwei when this was written), and all",
        "# gas of a day, in native coins.",
        f"max_gas_price_gwei = {price.normalize():f}",
        f'max_gas_per_day = "{day.normalize():f}"',
    ]


def _data(found: Survey) -> list[str]:
    if found.data_fee == "none":
        return ["# No contract of the chain charges for data besides gas.", 'data_fee = "none"']
    return [
        "# Data is charged besides gas; a contract of the chain tells how much.",
        f'data_fee = "{found.data_fee}"',
    ]


def _coin(found: Survey) -> list[str]:
    """The section on the coin's price. Without it nothing is liquidated: gas costs would be unknown."""
    coin = found.native
    if coin.setting == "":
        return [f"# A native coin costs {coin.because}; native_price would say otherwise."]
    if coin.setting is not None:
        return [f"# What a native coin costs: {coin.because}.", f'native_price = "{coin.setting}"']
    return [
        f"# NEEDED: {coin.because}, and without it nothing is liquidated. A number (units of",
        "# account), an asset of any market (symbol or address), or the address of a feed.",
        "# native_price = 2500",
    ]


_TO_BE_BROUGHT = """
# Prices here must be brought: by whom they are signed, and our contract that brings them along, which
# keeper contracts deploy price-carrier --market {market} --live makes and names (docs/PRICES.md).
# {table}
# price_service = "https://hermes.pyth.network"
"""


def _market(found: Survey, answers: InitAnswers) -> str:
    version = found.version or "of no known arithmetic: it can only be watched"
    kind = f"revision {found.revision}, version {version}"
    if found.oracle:
        kind += f"; price oracle {found.oracle}"
    start, why = _from_block(found, answers)
    spec = PROTOCOLS[found.identity.protocol]
    own = spec.setup.table([(each.address, each.symbol) for each in found.assets], MOST_ASSETS)
    table = f"[markets.{dotted([answers.market])}.{table_of(spec.name)}]"
    if own:
        own = f"\n{table}\n{own}"
    elif any(feed.kind == "pulled" for each in found.assets if each.source for feed in each.source.feeds()):
        own = _TO_BE_BROUGHT.format(table=table, market=answers.market)
    return f"""\
# {spec.title[0].upper()}{spec.title[1:]}, {kind}.
[markets.{dotted([answers.market])}]
protocol = {inline(found.identity.protocol)}
chain = {inline(answers.chain)}
address = {inline(found.identity.address)}
# {why}
from_block = {start}
# Accounts with an asset whose price source is of no known kind: "watch" only, or "act" on its price.
unknown_oracles = "watch"
{own}"""


def _from_block(found: Survey, answers: InitAnswers) -> tuple[int, str]:
    if answers.from_block is not None:
        return answers.from_block, "Accounts are looked for from here on."
    if found.from_block is not None:
        return found.from_block, "The block that created the market: no account is older."
    return 0, "The node keeps no old states, so the market's first block is unknown: name it to scan faster."


def _oracles(found: Survey, answers: InitAnswers) -> list[str]:
    """One section per asset. Heartbeats are not on chain: those proposed were measured."""
    intro = (
        "# Price sources and the feeds they rest on. Heartbeats (seconds) are not on chain: those below\n"
        "# were measured, and guessed where so marked. min_price, max_price, deviation and a second source\n"
        "# can be added to each.\n"
    )
    rest = len(found.assets) - MOST_ASSETS
    more = [f"# And {rest} more, which can be named in the same way.\n"] if rest > 0 else []
    return [intro, *(_oracle(asset, found, answers) for asset in found.assets[:MOST_ASSETS]), *more]


def _oracle(asset: SurveyedAsset, found: Survey, answers: InitAnswers) -> str:
    by = asset.address if PROTOCOLS[found.identity.protocol].setup.by_address else asset.symbol
    name = f"markets.{dotted([answers.market])}.oracles.{dotted([by])}"
    price = Decimal(asset.price).scaleb(-found.base_decimals)
    lines = [f"# {asset.symbol} {asset.address}, price {price.normalize():f}"]
    source = asset.source
    if source is None:
        return "\n".join([*lines, "# The oracle has no price source for it.", ""])
    lines += [f"# {line}" for line in tree(source).splitlines()]
    unknown = [each.address for each in source.unresolved()]
    if unknown:
        lines.append(
            f"# Of no known kind: {', '.join(unknown)}; "
            f"see markets.{dotted([answers.market])}.unknown_oracles."
        )
    if asset.heartbeat is None:
        return "\n".join([*lines, "# No feed gives rounds behind it: there is no age to judge.", ""])
    lines += [f"# {asset.because}", f"[{name}]", f"heartbeat = {asset.heartbeat}"]
    lines += ["heartbeat_guessed = true"] if asset.guessed else []
    return "\n".join([*lines, ""])


def _rest(answers: InitAnswers) -> str:
    if answers.keystore is None:
        signer = (
            "# Without a key the keeper only watches. `keeper key new` makes one.\n"
            '# [signer]\n# keystore = "keystore.json"\n'
        )
    else:
        password = (
            f"password_file = {inline(answers.password_file)}"
            if answers.password_file
            else "# The password: KEEPER_KEYSTORE_PASSWORD, or asked for, or\n"
            '# password_file = "keystore.password"'
        )
        signer = f"[signer]\nkeystore = {inline(answers.keystore)}\n{password}\n"
    return f"""\
[store]
# What was seen, planned and sent. PostgreSQL: postgresql://user@host/name
url = {inline(answers.store)}

{signer}
[policy]
# Health below which something happens: collateral weighed by its thresholds, over debt.
warn = {answers.warn}        # you are told
top_up = {answers.top_up}      # protected accounts are topped up
liquidate = {answers.liquidate}    # others are liquidated; no protocol allows it above 1
target = {answers.target}      # where a top-up brings an account
# Least gain of a liquidation after gas, in whole units of account: dollars in most markets.
min_profit = 0
"""


def _protect(account: str, answers: InitAnswers) -> str:
    return f"""\
[[protect]]
market = {inline(answers.market)}
account = {inline(account)}
# Most that top-ups may spend in 24 hours, in whole units of account.
max_spend_per_owner_day = {inline(f"{answers.max_per_day:f}")}
# Tried in order; without them each debt is repaid, then each collateral supplied.
# steps = [{{ action = "repay", asset = "USDC" }}, {{ action = "add_collateral", asset = "WETH" }}]
"""


_NO_PROTECT = """\
# Accounts to keep healthy with your own money:
# [[protect]]
# market = {market}
# account = "0x…"
# max_spend_per_owner_day = "1000"
"""
_NO_ALERTS = """\
# Whom to tell, by any of Apprise's URLs; `keeper alerts test` tries them.
# [[alerts]]
# url = "json://host:port/path"
"""
