"""An account's key in the book (0x hex: an address, or the 16 bytes of a number) and what people call it."""

from __future__ import annotations

from eth_utils.address import is_address, to_checksum_address

NUMBER_LETTERS = 2 + 2 * 16
"""The length of a number's key."""


def account_key(named: str) -> str:
    """The key of an address (any case) or of a number in decimal; ValueError for what is neither."""
    if named.isascii() and named.isdecimal() and int(named) < 2**128:
        return f"0x{int(named):032x}"
    if not is_address(named):
        raise ValueError("is no account: write 0x and 40 hexadecimal digits, or a number in decimal")
    return named.lower()


def account_name(key: str) -> str:
    """An address with its checksum, a number in decimal; any other key as it is."""
    if len(key) == NUMBER_LETTERS:
        return str(int(key, 16))
    return str(to_checksum_address(key)) if is_address(key) else key
