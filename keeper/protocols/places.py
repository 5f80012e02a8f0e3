"""Which factors of screening belong to which market: places in the order in which markets became known."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")


class Places(Generic[K]):
    """Markets by place, `each` factors to a market, the first of them after `first` factors that belong to
    none. Markets beyond the last place have no factors."""

    def __init__(self, first: int, each: int, most: int) -> None:
        self.first, self.each, self.most = first, each, most
        self._place: dict[K, int] = {}
        self.ids: list[K] = []

    @property
    def factors(self) -> int:
        """How many there are in all."""
        return self.first + self.each * self.most

    def of(self, market: K) -> int | None:
        """The number of a market's first factor, which it is given where it has none yet; None beyond the
        last place."""
        place = self._place.get(market)
        if place is None:
            if len(self.ids) >= self.most:
                return None
            place = self._place[market] = len(self.ids)
            self.ids.append(market)
        return self.first + self.each * place

    def market(self, factor: int) -> K | None:
        """Whose factor it is; None for those that belong to no market."""
        return None if factor < self.first else self.ids[(factor - self.first) // self.each]
