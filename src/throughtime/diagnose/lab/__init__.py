"""THE LAB: toy experiments whose result is known exactly, and their pictures.

Each file is one experiment: a function that makes an object with ``table()``, headers
and rows; ``sentence``, what it shows; ``draw(figure)``; and ``to_json()``.

May import what ``diagnose`` may.
Next: ``cli``, which prints and draws them.
"""
