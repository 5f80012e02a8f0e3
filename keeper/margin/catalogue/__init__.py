"""Every margin model by name: from a portfolio written as JSON to a requirement and its explanation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from keeper.errors import MarginError
from keeper.margin.catalogue import lending, options, perps, risk, schedules
from keeper.margin.catalogue.entry import Entry, ModelAnswer
from keeper.margin.catalogue.reading import Fields

ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        *lending.ENTRIES,
        *schedules.ENTRIES,
        *perps.ENTRIES,
        *risk.ENTRIES,
        *options.ENTRIES,
    )
}


def answer(model: str, document: object) -> ModelAnswer:
    """The answer of a model to `document` (a parsed JSON object); MarginError names the field at fault."""
    if model not in ENTRIES:
        raise MarginError(
            f"no model {model!r}", field="model", remedy=f"Known: {', '.join(sorted(ENTRIES))}."
        )
    fields = Fields(document)
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            result = ENTRIES[model].answer(fields)
    except OverflowError as error:
        raise MarginError(
            f"its numbers are too large to compute with ({error})", field="the file", remedy="Correct them."
        ) from error
    fields.finish()
    for name in ("initial", "maintenance", "equity"):
        amount = getattr(result.requirement, name)
        if not isinstance(amount, int | Fraction) and not np.isfinite(amount).all():
            raise MarginError(
                "is no finite number: the inputs are too large", field=name, remedy="Correct the file."
            )
    return result


__all__ = ["ENTRIES", "Entry", "ModelAnswer", "answer"]
