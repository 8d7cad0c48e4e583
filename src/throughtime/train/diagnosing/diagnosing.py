"""`diagnose`: why a saved run does, or does not, learn."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from throughtime.diagnose import GradientFlow
from throughtime.diagnose.diagnosis import Diagnosis
from throughtime.diagnose.findings import find
from throughtime.errors import NothingToMeasure, NothingWatched
from throughtime.train.asking.settings import check_count
from throughtime.train.diagnosing import dynamics, parts
from throughtime.train.diagnosing.looking import Look, look
from throughtime.train.diagnosing.training import course, update_ratios, window
from throughtime.train.files.documents import document_bytes
from throughtime.train.files.folder import DIAGNOSIS, FLOW, write
from throughtime.train.judging import new_data
from throughtime.train.runs import Run
from throughtime.train.tasks import make_task

Found = TypeVar("Found")
SEQUENCES = 64


def diagnose(
    run: Run,
    data: Any = None,
    *,
    surface: bool = False,
    lags: int | None = None,
    sequences: int = SEQUENCES,
    seed: int = 0,
) -> Diagnosis:
    """Look into a run, and write what was found as `diagnosis.json` into its folder.

    Parameters
    ----------
    run
        The run; its best weights are looked at, in evaluation mode.
    data
        New data in the place of the validation part, as `judge` takes them.
    surface
        Whether to look at the loss around the weights, too, which takes longest.
    lags
        The largest lag of gradients by lag; None: all there are.
    sequences
        How many sequences, or stretches of a text, to look at: less of long ones.
    seed
        Draws them.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ThroughtimeError
        The data cannot be used, or a number is not possible.
    """
    check_count("sequences", sequences, at_least=1)
    if lags is not None:
        check_count("lags", lags, at_least=1)
    dataset = run.dataset if data is None else new_data(run, data)
    split = "validation" if data is None else "test"
    look_at = look(make_task(dataset, run.settings), run.model, split, sequences, seed)
    if not look_at.counts.any():
        raise NothingToMeasure(source=dataset.name)
    part = split if data is None else dataset.name
    found = _measured(run, look_at, part, surface, lags)
    write(run.path / DIAGNOSIS, document_bytes(found.to_json()))
    return found


def _measured(
    run: Run, look: Look, part: str, surface: bool, lags: int | None
) -> Diagnosis:
    watch = _Stopwatch()
    known = watch("course", lambda: course(run, look))
    flow = watch("flow", lambda: _flow(look))
    diagnosis = Diagnosis(
        data={
            "part": part,
            "sequences": len(look.lengths),
            "steps": look.steps,
            "per": "step" if look.per_step else "sequence",
        },
        seconds=watch.seconds,
        flow=None if flow is None else parts.flow(flow),
        saturation=[] if flow is None else parts.saturation(flow),
        dead=[] if flow is None else parts.dead(flow),
        updates=update_ratios(run.path / FLOW),
    )
    if look.model.recurrent.state_names:
        gradients = watch("lags", lambda: parts.gradients(look, lags))
        layers = parts.horizons(gradients)
        back = window(run, look)
        diagnosis = replace(
            diagnosis,
            lags=parts.lags_part(gradients),
            memory=watch(
                "memory",
                lambda: parts.memory(look, layers, back, learned=known.learned),
            ),
        )
        diagnosis = replace(
            diagnosis,
            spectrum=watch("spectrum", lambda: dynamics.spectrum(look)),
            fixed_points=watch("fixed_points", lambda: dynamics.points(look)),
        )
    if surface:
        found = watch("surface", lambda: dynamics.surface(run, look))
        diagnosis = replace(diagnosis, surface=found)
    return replace(diagnosis, findings=find(diagnosis, known))


def _flow(look: Look) -> GradientFlow | None:
    """Look at the backward pass, if the cell has anything to look at."""
    try:
        return look.flow()
    except NothingWatched:
        return None


class _Stopwatch:
    """Says what each part cost."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, make: Callable[[], Found]) -> Found:
        start = time.perf_counter()
        found = make()
        self.seconds[name] = time.perf_counter() - start
        return found
