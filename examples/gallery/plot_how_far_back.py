"""
How far back does error reach?
==============================

A loss at the last step, and the size of its gradient at every step before: with an
Elman network it vanishes, with an LSTM whose gates forget little it stays.
"""

import matplotlib.pyplot as plt
import torch

import throughtime as tt

T, B, F, H = 100, 32, 8, 64


def reach(module: tt.nn.Recurrent) -> torch.Tensor:
    """Give ‖∂L/∂x‖ of every step, the mean over sequences."""
    x = torch.randn(T, B, F, requires_grad=True)
    output, _ = module(x)
    (gradient,) = torch.autograd.grad(output[-1].square().sum(), x)
    return gradient.norm(dim=-1).mean(dim=-1)


# %%
# The forget gate of a fresh LSTM is about one half: every step halves what is behind
# it. A bias of 3 opens it to 0.95 (Gers et al. 2000; Jozefowicz et al. 2015).

torch.manual_seed(0)
open_gates = tt.nn.Recurrent(tt.cells.LSTM(), F, H)
with torch.no_grad():
    open_gates.bias_ih_l0[H : 2 * H] = 3.0

networks = {
    "Elman": tt.nn.Recurrent(tt.cells.Elman(), F, H),
    "GRU": tt.nn.Recurrent(tt.cells.GRU(), F, H),
    "LSTM": tt.nn.Recurrent(tt.cells.LSTM(), F, H),
    "LSTM, forget bias 3": open_gates,
}

# %%
# Orders of magnitude, so the axis is logarithmic. Where a line is straight, error
# shrinks by the same factor at every step: the factor is what matters, not the start.

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for name, module in networks.items():
    axes.semilogy(range(T), reach(module).clamp(min=1e-30), label=name)
axes.set(xlabel="step", ylabel="size of the gradient", ylim=(1e-20, 10))
axes.set_title("Error from the last step, on its way back")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
