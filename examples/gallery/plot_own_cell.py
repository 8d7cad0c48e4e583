"""
A cell of your own, learned from a stream
=========================================

Events arrive at random; at each of them the count starts again. A cell with two
equations learns to say how long ago the last one was, from streams that begin anew.
"""

from typing import Any

import matplotlib.pyplot as plt
import torch

import throughtime as tt
from throughtime.math import sigmoid, tanh

# %%
# One gate lets the old state pass or not. Where the state starts is learned.


class Gated(tt.Cell):
    """A gate that forgets, and a candidate that it lets in."""

    weight_f = tt.Parameter("hidden", "input")
    recurrent_f = tt.Parameter("hidden", "hidden")
    bias_f = tt.Parameter("hidden", role="bias", init=1.0)
    weight = tt.Parameter("hidden", "input")
    recurrent = tt.Parameter("hidden", "hidden")
    bias = tt.Parameter("hidden", role="bias")
    h = tt.State("hidden", init="learned")

    def step(self, x: Any, h: Any) -> Any:
        f = sigmoid(self.weight_f @ x + self.recurrent_f @ h + self.bias_f)
        candidate = tanh(self.weight @ x + self.recurrent @ (f * h) + self.bias)
        return f * h + (1 - f) * candidate


# %%
# T steps of B streams. Another stream may begin in the middle of a batch: ``resets``
# marks where, and nothing of the one before is carried over.

T, B = 60, 64


def draw() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Give events (T, B, 1), where a stream begins (T, B), and the answers."""
    events, resets = torch.rand(T, B) < 0.1, torch.rand(T, B) < 0.02
    since, answers = torch.zeros(B), []
    for event, begin in zip(events, resets, strict=True):
        since = torch.where(event | begin, torch.zeros(B), since + 1)
        answers.append(since)
    return events[..., None].float(), resets, torch.stack(answers) / 10


torch.manual_seed(0)
network = tt.nn.Recurrent(Gated(), input_size=1, hidden_size=32)
readout = torch.nn.Linear(32, 1)
optimiser = torch.optim.Adam([*network.parameters(), *readout.parameters()], lr=5e-3)
losses = []
for _ in range(300):
    events, resets, answers = draw()
    output, _ = network(events, resets=resets)
    loss = (readout(output)[..., 0] - answers).square().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    losses.append(loss.item())

# %%
# The last stream, and what the network says.

with torch.no_grad():
    said = readout(network(events, resets=resets)[0])[..., 0]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
left.semilogy(losses)
left.set(xlabel="training step", ylabel="squared error")
right.plot(10 * answers[:, 0], label="steps since the last event")
right.plot(10 * said[:, 0], "--", label="what the network says")
for step in resets[:, 0].nonzero():
    right.axvline(step.item(), color="grey", linewidth=0.8, linestyle=":")
right.set(xlabel="step; dotted: another stream begins")
right.set_ylim(top=1.3 * 10 * answers[:, 0].max())
right.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
