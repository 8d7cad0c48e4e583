"""Mistakes in tables whose rows name items."""

from throughtime.errors.data import DataError


class RowsOfAStepDiffer(DataError):
    """Rows of one step that say different things of it."""

    message = (
        "Column {column!r} holds several values at step {step} of sequence {key!r}, "
        "expected one in all rows that name items of a step: mend the column, or give "
        "a time column that tells the steps apart."
    )


class NoItems(DataError):
    """Steps that name nothing."""

    message = (
        "{source}, column {column!r} names nothing in the training part, expected "
        "items: give a column that holds some."
    )
