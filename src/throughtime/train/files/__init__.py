"""FILES: the folder of a run, each file of it written whole or not at all.

`folder` names them and writes; `describing` makes a model what JSON can hold, and back;
`documents` and `storage` read and write `model.json`, metrics and weights, and trust
nothing that they read; `resuming` finds what a training goes on from.

May import what `train` may, `asking`, `preparing` and `model`.

Next: `runs`, which opens a folder.
"""
