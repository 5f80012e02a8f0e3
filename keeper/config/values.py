"""The kinds of values in the settings.

Ratios are Decimals read from the file's own digits; a float never stands between file and arithmetic.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated
from urllib.parse import urlsplit

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_BLANK = re.compile(r"\s")


def checked_address(value: str) -> str:
    """An address in its checksummed form; ValueError for anything else, or a mistyped checksum."""
    if not is_hex_address(value):
        raise ValueError("is no address: write 0x and 40 hexadecimal digits")
    mixed = value[2:] not in (value[2:].lower(), value[2:].upper())
    if mixed and not is_checksum_address(value):
        raise ValueError("has a wrong checksum: a digit is mistyped; copy the address again")
    return str(to_checksum_address(value))


def checked_account(value: str) -> str:
    """An account by its address or, where accounts are numbered, its number in decimal."""
    if value.isascii() and value.isdecimal() and int(value) < 2**128:
        return str(int(value))
    return checked_address(value)


Address = Annotated[str, AfterValidator(checked_address)]
Account = Annotated[str, AfterValidator(checked_account)]
# A health of a hundred is none; a percentage is.
Ratio = Annotated[Decimal, Field(gt=0, lt=100)]
# Whole units and coins: more than all there are is an amount of wei, or of a token's smallest units.
Money = Annotated[Decimal, Field(ge=0, lt=10**12)]


def checked_url(url: str, what: str, *schemes: str) -> str:
    """The address of a service; ValueError for anything else, without repeating it (it may hold a key)."""
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)) or not named or _BLANK.search(url):
        raise ValueError(f"{what} must start with {wanted} and name a host (and a port below 65536)".strip())
    return url


def one_url(what: str, *schemes: str) -> AfterValidator:
    """A validator for a text that must be such an address."""
    return AfterValidator(lambda url: checked_url(url, what, *schemes))


def all_urls(what: str, *schemes: str) -> AfterValidator:
    """A validator for a list in which every entry must be such an address."""
    return AfterValidator(lambda urls: [checked_url(url, what, *schemes) for url in urls])


def _native_price(value: object) -> object:
    """A number as a number, even if written in quotes; everything else names an asset or a feed."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


NativePrice = Annotated[
    Annotated[Decimal, Field(gt=0, lt=10**12)] | Annotated[str, Field(min_length=1, max_length=128)],
    BeforeValidator(_native_price),
]
"""Whole units of account per native coin, or the asset or feed that gives it."""


def wad(ratio: Decimal) -> int:
    """A ratio scaled to 1e18, exactly."""
    return int(ratio.scaleb(18))


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
