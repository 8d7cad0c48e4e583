"""FILES: the folder of a run, each file of it written whole or not at all.

`folder` names them and writes; `describing` makes a model what JSON can hold, and back;
`documents` and `storage` read and write `model.json`, metrics and weights, and trust
nothing that they read.

May import what `train` may, `asking`, `preparing`, `model` and what a task is.

Next: `runs`, which opens a folder.
"""
