"""A further market in an existing configuration: appended, so that the rest stays as it was written."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from keeper.config import Settings, chain_name
from keeper.errors import ConfigError
from keeper.protocols.registry import PROTOCOLS
from keeper.setup.answers import InitAnswers
from keeper.setup.survey import Survey
from keeper.setup.text import sections
from keeper.setup.toml_edit import with_sections


def rpc_of(settings: Settings, chain: str | None) -> str | None:
    """The first node of the chain that is meant; None where the chain is ambiguous."""
    if chain is None and len(settings.chains) == 1:
        [only] = settings.chains.values()
        return only.rpc[0]
    return settings.chains[chain].rpc[0] if chain in settings.chains else None


def names_in(settings: Settings, found: Survey, market: str | None, chain: str | None) -> tuple[str, str]:
    """The names of chain and market in this file: an existing chain keeps its name, a market gets a new one.
    ConfigError when the market is in the file already, or a given name is another's."""
    same = [name for name, each in settings.chains.items() if each.chain_id == found.chain_id]
    place = chain if chain in same or not same else same[0]
    if chain is not None and chain != place:
        raise ConfigError(
            f"chain id {found.chain_id} is called {place!r} in the file",
            where="--chain",
            remedy="Leave it out",
        )
    place = place or chain_name(found.chain_id)
    if not same and place in settings.chains:
        raise ConfigError(
            f"{place!r} is another chain in the file", where="--chain", remedy="Give another name"
        )
    for name, each in settings.markets.items():
        if each.chain == place and each.address.lower() == found.identity.address.lower():
            raise ConfigError(
                f"{each.address} is in the file already, as markets.{name}", where="ADDRESS", remedy="Edit it"
            )
    if market in settings.markets:
        raise ConfigError(
            f"{market!r} is another market in the file", where="--market", remedy="Give another"
        )
    usual = PROTOCOLS[found.identity.protocol].market
    further = (f"{usual}{number}" for number in count(2))
    free = usual if usual not in settings.markets else next(n for n in further if n not in settings.markets)
    return place, market or free


def with_market(path: Path, settings: Settings, found: Survey, answers: InitAnswers) -> str:
    """The file's text with the market's sections added, and those of its chain where that is new."""
    new = sections(found, answers, chain=answers.chain not in settings.chains)
    return with_sections(path.read_text(), new)
