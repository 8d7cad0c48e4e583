"""x² − y²: Newton's method goes to the saddle, saddle-free Newton leaves it.

At the origin the surface bends up along x and down along y. From (1, 0.001), all but on
the ridge, gradient descent slides towards the saddle first and leaves it slowly; a
Newton step ends in it exactly; a step with |H| in the place of H doubles the distance
along y (Dauphin et al. 2014).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from throughtime.diagnose.lab.experiment import check_steps
from throughtime.optim import SaddleFreeNewton
from throughtime.optim.curvature import Loss, hessian_product

START = (1.0, 1e-3)
RATE = 0.1
STEPS = 40
FAR = 1.0
"""The saddle is left where |y| is larger."""
_THERE = 1e-12

# Of the methods in their order: colour, marker and its size.
_LOOK = (("#8aa4c8", "o", 4), ("#111827", "s", 10), ("#c2410c", "D", 6))

Update = Callable[[Loss, Tensor], None]


@dataclass(frozen=True)
class Path:
    """Where a method went.

    Parameters
    ----------
    method
        Its name.
    points
        The start and each step, `(n + 1, 2)`.
    """

    method: str
    points: np.ndarray

    @property
    def losses(self) -> np.ndarray:
        """x² − y² at each point, `(n + 1,)`."""
        return self.points[:, 0] ** 2 - self.points[:, 1] ** 2

    @property
    def left_after(self) -> int | None:
        """How many steps it took to |y| > 1; None: it did not come so far."""
        far = np.flatnonzero(np.abs(self.points[:, 1]) > FAR)
        return int(far[0]) if len(far) else None


@dataclass(frozen=True)
class Saddle:
    """The paths of three methods from one start."""

    paths: tuple[Path, ...]
    title: str = "Down x² − y²: who stays in the saddle"

    @property
    def sentence(self) -> str:
        """What it shows."""
        start = _point(self.paths[0].points[0])
        found = "; ".join(f"{path.method} {_ending(path)}" for path in self.paths)
        return f"Down x² − y² from {start}: {found}."

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return headers and rows: a method each."""
        headers = ["method", "after 1 step", "steps to |y| > 1", "at the end", "loss"]
        rows = [
            [
                path.method,
                _point(path.points[1]),
                "never" if path.left_after is None else str(path.left_after),
                _point(path.points[-1]),
                f"{path.losses[-1]:.4g}",
            ]
            for path in self.paths
        ]
        return headers, rows

    def draw(self, figure: Figure) -> None:
        """Draw the paths over the surface, and |y| by steps."""
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        surface, distance = figure.subplots(1, 2)
        ticks = np.linspace(-1.4, 1.4, 57)
        x, y = np.meshgrid(ticks, ticks)
        surface.contourf(x, y, x**2 - y**2, levels=16, cmap="coolwarm", alpha=0.5)
        for path, (colour, marker, size) in zip(self.paths, _LOOK, strict=True):
            look = {"color": colour, "marker": marker, "markersize": size}
            look |= {"markerfacecolor": "none", "label": path.method}
            surface.plot(*path.points.T, **look)
            distance.plot(np.abs(path.points[:, 1]), **look)
        surface.set_title("x² − y²", loc="left")
        surface.set(xlabel="x", ylabel="y", aspect="equal")
        surface.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4))
        distance.set_title("|y|, the distance along the way down", loc="left")
        distance.set_yscale("symlog", linthresh=1e-4)
        distance.set(xlabel="step", ylim=(-2e-5, 3))
        distance.axhline(FAR, color="gray", linewidth=0.8)
        distance.legend(loc="center right")

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "title": self.title,
            "paths": [
                {
                    "method": path.method,
                    "points": path.points.tolist(),
                    "losses": path.losses.tolist(),
                    "left_after": path.left_after,
                }
                for path in self.paths
            ],
            "sentence": self.sentence,
        }


def saddle(
    start: tuple[float, float] = START, rate: float = RATE, steps: int = STEPS
) -> Saddle:
    """Go down x² − y² by gradient descent, Newton and saddle-free Newton.

    Parameters
    ----------
    start
        Where all begin.
    rate
        Step width of gradient descent, which takes about log(1 / y₀) / (2 rate) steps.
    steps
        How many at most; who has come to ``|y| > 1`` goes no further.
    """
    check_steps(steps)
    methods: list[tuple[str, Update]] = [
        ("gradient descent", partial(_descend, rate=rate)),
        ("Newton", _newton),
        ("saddle-free Newton", _saddle_free),
    ]
    return Saddle(
        tuple(Path(name, _follow(update, start, steps)) for name, update in methods)
    )


def _follow(update: Update, start: tuple[float, float], steps: int) -> np.ndarray:
    point = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    points = [point.detach().clone()]
    while len(points) <= steps and math.fabs(points[-1][1]) <= FAR:
        update(lambda: point[0] ** 2 - point[1] ** 2, point)
        points.append(point.detach().clone())
    return torch.stack(points).numpy()


def _descend(loss: Loss, point: Tensor, *, rate: float) -> None:
    (slope,) = torch.autograd.grad(loss(), point)
    with torch.no_grad():
        point -= rate * slope


def _newton(loss: Loss, point: Tensor) -> None:
    product = hessian_product(loss, [point])
    matrix = torch.stack([product(unit) for unit in torch.eye(2, dtype=torch.float64)])
    with torch.no_grad():
        point -= torch.linalg.solve(matrix, product.gradient)


def _saddle_free(loss: Loss, point: Tensor) -> None:
    SaddleFreeNewton([point], damping=0.0).step(loss)


def _ending(path: Path) -> str:
    if path.left_after is not None:
        return f"has left the saddle after {path.left_after} steps"
    steps = len(path.points) - 1
    if np.abs(path.points[-1]).max() < _THERE:
        first = int(np.flatnonzero(np.abs(path.points).max(axis=1) < _THERE)[0])
        return f"is in the saddle after {first} and stays"
    return f"has not left it after {steps}"


def _point(point: np.ndarray) -> str:
    x, y = (f"{value:.4g}".replace("-", "−") for value in point.round(12) + 0.0)
    return f"({x}, {y})"
