"""Compiled layers as torch operators: tensors in, addresses between, tensors out.

In reading order: ``operators`` (the doors: eager, differentiated, captured),
``registered`` (`torch.library`), ``calls`` (one call, of whole or segmented time),
``engine`` (a graph, planned, compiled when first run) with ``ways`` and ``half``; what
it needs of a call: ``door`` (what is let in), ``extents`` (where rows lie),
``operands``, ``drawing``, ``pool`` and ``scratch`` (memory); ``segments`` (bounded
memory); ``second`` (derivatives of derivatives), ``folding``, ``elements`` and
``contractions`` (mapped calls).

May import: ``backends``, ``graph``, ``errors``, torch, and of `nn` ``precision`` alone.
Next: ``execution`` in `nn`, which calls this room; ``backends.llvm``, which it enters.
"""
