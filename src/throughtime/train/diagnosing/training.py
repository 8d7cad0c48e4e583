"""What a run knows of its training, for a diagnosis."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from throughtime.cells.gates import GATES
from throughtime.diagnose.course import Course
from throughtime.diagnose.diagnosis import UpdateRatio
from throughtime.train.asking.defaults import usual_rate
from throughtime.train.diagnosing.looking import Look
from throughtime.train.runs import Run
from throughtime.train.truncation import read_rule


def course(run: Run, look: Look) -> Course:
    """Gather what findings need to know of a training."""
    settings, rows = run.settings, run.metrics
    with torch.no_grad():
        own = look.by_sequence(look.answer())
        constant = look.by_sequence(look.constant())
    largest = [row["largest_gradient"] for row in rows if "largest_gradient" in row]
    items = bool(run.model.schema.items)
    return Course(
        cell=run.cell,
        forgets=run.cell in {kind.__name__ for kind in GATES},
        loss=float(own.mean()),
        constant=float(constant.mean()),
        low=_low(constant - own),
        losses=[row["loss"] for row in rows],
        validation=[row["validation_loss"] for row in rows],
        largest_gradient=max(largest, default=None),
        clip=settings.clip,
        clip_rate=max((row["clip_rate"] for row in rows), default=0.0),
        learning_rate=settings.learning_rate,
        usual_rate=usual_rate(
            settings.optimizer, of_text=run.of_text, per_step=look.per_step
        ),
        init=settings.init,
        window_option="--steps" if items else "--tbptt",
        stopped=run.stopped,
        epochs=len(rows),
        best_epoch=run.best_epoch,
    )


def _low(gains: np.ndarray) -> float:
    """The lower end of the 95 % interval of a mean (Student's t); of one number, it."""
    count, mean = len(gains), float(gains.mean())
    if count < 2:
        return mean
    error = float(gains.std(ddof=1)) / math.sqrt(count)
    return mean - float(stats.t.ppf(0.975, count - 1)) * error


def window(run: Run, look: Look) -> int | None:
    """Over how many steps error flowed back; None: over whole sequences, or any."""
    settings = run.settings
    if settings.tbptt is not None:
        chosen = [row["tbptt"] for row in run.metrics if row.get("tbptt")]
        return read_rule(chosen[-1] if chosen else settings.tbptt).credit
    if settings.steps is None or (not run.of_text and look.whole(settings.steps)):
        return None
    return settings.steps


def update_ratios(flow: Path) -> list[UpdateRatio] | None:
    """Read ``‖Δw‖ / ‖w‖`` of the last watched epoch, if a training was watched."""
    if not flow.exists():
        return None
    lines = flow.read_text(encoding="utf-8").splitlines()
    ratios = json.loads(lines[-1])["ratios"] if lines else {}
    return [UpdateRatio(name, ratio) for name, ratio in ratios.items()]
