"""SPEED: the compiled layers beside their peers, on the machine at hand. Not shipped.

`python -m benchmarks.cells` measures training steps and inference, `python -m
benchmarks.compiling` how long compiling takes, `python -m benchmarks.calls` what a call
costs, `python -m benchmarks.streaming` what a single step does, `python -m
benchmarks.checkpointing` what bounded memory does. In reading order: `shapes` (what is
measured, and what it takes in FLOPs), `peers` (what a peer is; ours and `torch.nn`),
`loops`, `jax_scan`, `keras_layers`, `onnx_operators` (the others), `contestants` (who
is installed), `measuring` (in turn, medians, noise), `peak` (what the machine could
do), `profile` (where our time goes), `comparing` (equal numbers, then times),
`summaries`, `tables`, `markdown`, `picture`, `report`, and the four commands.

May import: throughtime, and what a peer needs. Next: `cells`.
"""
