"""Sizes of units that tests share, so that a compiled cell serves many of them."""

# (input, hidden): below, at and above the width of a vector and of a panel.
SIZES = [(1, 1), (3, 5), (5, 3), (2, 8), (7, 16), (9, 17), (17, 33), (33, 9)]
