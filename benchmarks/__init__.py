"""SPEED: the compiled layers beside their peers, on the machine at hand. Not shipped.

`python -m benchmarks.cells` measures training steps and inference,
`python -m benchmarks.compiling` how long compiling takes. In reading order: `shapes`
(what is measured, and what it takes in FLOPs), `peers` (who takes part: one small
class each), `measuring` (in turn, medians, noise), `peak` (what the machine could do),
`tables`, and the two commands.

May import: throughtime, and what a peer needs. Next: `cells`.
"""
