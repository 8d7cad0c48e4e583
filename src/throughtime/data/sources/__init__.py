"""WHERE ROWS COME FROM: files, frames and arrays as tables that are read in batches.

A source knows its columns before it is read, and gives them as polars frames of
bounded size, as often as asked, always in the same order; each batch can say where
in the data one of its rows stands, for messages. `opening` finds the source of what
was given. Each other file is one kind of source.

Imports polars, narwhals and the errors. Next: `tables`, from rows to matrices.
"""
