"""Small networks with a loss, and surfaces whose shape is known."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

import throughtime as tt
from throughtime.graph import Cell

Loss = Callable[[], Tensor]


def network(
    cell: Cell, hidden: int, backend: str = "reference", *, seed: int = 0
) -> tuple[nn.Module, Loss]:
    """A layer and a softmax over two classes in float64, and its loss on 7 steps."""
    torch.manual_seed(seed)
    layer = tt.nn.Recurrent(cell, 2, hidden, dtype=torch.float64, backend=backend)
    head = tt.nn.Softmax(hidden, 2, dtype=torch.float64, backend=backend)
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(7, 5, 2, generator=draw, dtype=torch.float64)
    y = (x.cumsum(0)[..., 0] > 0).long().flatten()

    def loss() -> Tensor:
        return nn.functional.cross_entropy(head(layer(x)[0]).flatten(0, 1), y)

    return nn.ModuleDict({"network": layer, "head": head}), loss


def dense_hessian(module: nn.Module, loss: Loss) -> Tensor:
    """∂²loss by PyTorch's own function, `(P, P)`; the judge."""
    named = dict(module.named_parameters())
    sizes = [one.numel() for one in named.values()]

    def at(flat: Tensor) -> Tensor:
        pieces = flat.split(sizes)
        values = {
            name: piece.view_as(named[name])
            for name, piece in zip(named, pieces, strict=True)
        }
        return torch.func.functional_call(Wrapped(module, loss), values)

    flat = torch.cat([one.detach().reshape(-1) for one in named.values()])
    return torch.autograd.functional.hessian(at, flat)


class Wrapped(nn.Module):
    """A module whose call is a loss of its parameters, under their own names."""

    def __init__(self, module: nn.Module, loss: Loss) -> None:
        super().__init__()
        for name, child in module.named_children():
            self.add_module(name, child)
        self._loss = loss

    def forward(self) -> Tensor:
        return self._loss()


def quadratic(values: list[float]) -> tuple[dict[str, Tensor], Loss]:
    """½ Σ λᵢ xᵢ², turned by a random rotation, at a point near 0."""
    torch.manual_seed(2)
    size = len(values)
    turn, _ = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))
    matrix = turn @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ turn.T
    x = (1e-3 * torch.randn(size, dtype=torch.float64)).requires_grad_()
    return {"x": x}, lambda: x @ matrix @ x / 2 + 1
