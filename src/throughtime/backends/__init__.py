"""How it runs: each folder is one way to run the plan of a step graph.

``reference`` interprets graphs with PyTorch, on any device and dtype, and judges the
others; ``llvm`` compiles them for the CPU and takes pointers, no tensors. A backend
knows neither a cell by name nor another backend: a new one is a folder and nothing
else.

May import: ``math``, ``graph``, ``errors``.
Next: ``nn``, which chooses a backend and gives it tensors.
"""
