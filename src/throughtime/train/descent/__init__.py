"""DESCENT: what turns gradients into weights, by the names a training is asked for.

`optimizers` are those of PyTorch, with what they may be told; `schedules` say how the
step width changes from update to update, and `torch_schedules` are those of PyTorch;
`by_name` finds classes of PyTorch and their options; `averages` keep a mean of the
weights beside them; `clipping` makes a gradient smaller before it is used.

May import torch and `errors`; nothing of `train`.
Next: `learning`, which takes the steps.
"""
