"""Reads of strangers' contracts, and their answers decoded: words, addresses, texts."""

from __future__ import annotations

from keeper.chain.calldata import encoded
from keeper.chain.calldata import topic as topic
from keeper.chain.calls import Answer, Call

WORD = 32
MOST_LETTERS = 64
# More than a price over several adapters, pools and vaults takes.
SOURCE_GAS = 3_000_000


def call(target: str, signature: str, *arguments: object) -> Call:
    """A read of `target` by the function's signature, with its own gas limit: a source that burns all its gas
    takes none from the others."""
    return Call(target, encoded(signature, *arguments), SOURCE_GAS)


def word(answer: Answer, index: int = 0) -> int | None:
    """The unsigned word at `index`; None when the call failed or its answer is shorter."""
    data = answer.data[index * WORD : (index + 1) * WORD]
    return int.from_bytes(data, "big") if answer.ok and len(data) == WORD else None


def signed(answer: Answer, index: int = 0) -> int | None:
    """The signed word at `index`; None when the call failed or its answer is shorter."""
    unsigned = word(answer, index)
    return None if unsigned is None else unsigned - (unsigned >> 255 << 256)


def address(answer: Answer) -> str | None:
    """An address in lower case; None when the call failed, and for anything that is no address or zero."""
    value = word(answer)
    if not value or value >> 160 or len(answer.data) != WORD:
        return None
    return f"0x{value:040x}"


def text(answer: Answer, most: int = MOST_LETTERS) -> str:
    """A string (or bytes32, as with the oldest tokens); empty when the call failed.

    Anybody can choose the text: unprintable characters (control characters, NUL, changes of the writing
    direction) are left out, and it is cut to `most` letters.
    """
    if not answer.ok or len(answer.data) < WORD:
        return ""
    if len(answer.data) == WORD:
        raw = answer.data.rstrip(b"\0")
    else:
        length = min(word(answer, 1) or 0, 4 * most)
        raw = answer.data[2 * WORD : 2 * WORD + length]
    return "".join([each for each in raw.decode("utf-8", "replace") if each.isprintable()][:most])
