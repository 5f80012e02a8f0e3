"""The shape of a measure, as build/bench.jsonl holds it."""

from typing import TypedDict


class Result(TypedDict):
    """`ratio` compares value and baseline as the aim says; `ok` whether the aim was met in this run."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    aim: str
    ok: bool
