"""Learning from data, by `fit`: validation says which weights are measured."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from throughtime.bench.running.task import Asked, Follow, Reached
from throughtime.train import fit
from throughtime.train.showing.progress import Moment, Silent


class Following(Silent):
    """Tells of every update, and shows nothing."""

    def __init__(self, follow: Follow) -> None:
        self._follow = follow

    def batch(self, now: Moment) -> None:
        """Tell the loss."""
        self._follow(now.update, now.loss)


# What the recipe of a task calls otherwise than `fit`, or cannot say.
_OTHERS = frozenset({"cell", "updates", "truncation", "flow_penalty"})


def learn(data: Any, asked: Asked, metric: str, **said: Any) -> Reached:
    """Learn from data, and measure the best weights on their test part.

    Parameters
    ----------
    data
        As `throughtime.fit` takes them.
    asked
        The recipe, what computes, and who is told of it.
    metric
        Which of the metrics of `evaluate` is the task's.
    **said
        Further arguments of `fit`: how the data are read, what no recipe says.
    """
    engine = asked.engine
    known = asked.recipe.entries()
    own = {name: one for name, one in known.items() if name not in _OTHERS}
    if own.get("init") == "chrono":
        own["chrono_steps"] = own.get("steps")
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        run = fit(
            asked.recipe.network,
            data,
            **{**own, **said},
            seed=engine.seed,
            backend=engine.backend,
            dtype=engine.dtype,
            threads=engine.threads,
            save_every=3600.0,
            out=Path(folder) / "run",
            reporter=lambda reporter, path: Following(asked.follow),
        )
        seconds = time.perf_counter() - start
        found = run.evaluate()[metric]
        size = sum(weight.numel() for weight in run.model.parameters())
    updates = sum(row["updates"] for row in run.metrics)
    return Reached(found, updates, seconds, size)
