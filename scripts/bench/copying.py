"""What screening is measured against: copying the arrays that it reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keeper.book.screening.columns import Columns


def copying(columns: Columns) -> Callable[[], None]:
    """Copies all arrays of a book's columns, into buffers made beforehand."""
    arrays = [
        array
        for block in columns.blocks
        for matrix in (block.equity, block.maintenance)
        for array in (matrix.data, matrix.indices, matrix.indptr)
    ]
    buffers = [np.empty_like(array) for array in arrays]

    def copy() -> None:
        for array, buffer in zip(arrays, buffers, strict=True):
            np.copyto(buffer, array)

    return copy
