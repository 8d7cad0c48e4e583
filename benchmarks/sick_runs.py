"""`python -m benchmarks.sick_runs`: runs that do not learn, diagnosed and mended.

Three kinds of sick runs and three healthy ones, each with several seeds: trained,
diagnosed, and the sick ones trained again with the remedy that the diagnosis names.
Writes the page of the documentation about it.
"""

import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from multiprocessing import get_context
from pathlib import Path

import click

from benchmarks.sick_cases import HEALTHY, SICK, Case, Outcome, prepare
from benchmarks.sick_page import page
from throughtime.diagnose.diagnosis import Diagnosis


def outcome(case: Case, seed: int, folder: Path, remedy: str = "") -> Outcome:
    """Train, as a person would, and diagnose."""
    out = folder / f"{case.ending or case.name}-{seed}{'-mended' if remedy else ''}"
    words = [in_folder(folder, word) for word in f"{case.words} {remedy}".split()]
    start = time.perf_counter()
    trained = call(
        "train", *words, *f"--seed {seed} --threads 1 --quiet --out".split(), str(out)
    )
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    said = call("diagnose", str(out), "--threads", "1")
    took = time.perf_counter() - start
    metric, value, baseline = result(out, trained)
    stored = json.loads((out / "diagnosis.json").read_text(encoding="utf-8"))
    findings = Diagnosis.from_json(stored).findings
    return Outcome(
        case, seed, metric, value, baseline, findings, said, seconds, took, remedy
    )


def in_folder(folder: Path, word: str) -> str:
    """Where a file lies that a command names."""
    return str(folder / word) if ".parquet" in word or ".py:" in word else word


def call(*words: str) -> str:
    """Run a command, and give what it prints; a training that diverges says so."""
    from throughtime.cli import main

    printed = StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            main(list(words), standalone_mode=False)
        except SystemExit as end:
            if end.code not in (0, None):
                printed.write(f"ended with {end.code}\n")
    return printed.getvalue()


def result(out: Path, trained: str) -> tuple[str, float, float]:
    """The metric on the test part, and that of the simplest trivial method."""
    from throughtime.train import open_run

    run = open_run(out)
    value = run.evaluate("test")[run.metric]
    return run.metric, value, next(iter(run.baselines().values()), float("nan"))


def healed(case: Case, seed: int, folder: Path) -> tuple[Outcome, Outcome | None]:
    """Train and diagnose; where there is an alarm, do so again with its remedy."""
    first = outcome(case, seed, folder)
    remedy = first.findings[0].remedy
    if not first.alarm or remedy is None:
        return first, None
    return first, outcome(case, seed, folder, remedy)


def everything(
    seeds: Sequence[int], folder: Path, workers: int, report: Callable[[str], None]
) -> list[tuple[Outcome, Outcome | None]]:
    """Run all cases with all seeds, healthy ones with the first three."""
    prepare(folder)
    jobs = [(case, seed) for case in SICK for seed in seeds]
    jobs += [(case, seed) for case in HEALTHY for seed in seeds[:3]]
    found: list[tuple[Outcome, Outcome | None]] = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(healed, case, seed, folder) for case, seed in jobs]
        for future in waiting:
            first, second = future.result()
            found.append((first, second))
            mended = ""
            if second is not None:
                mended = f"; {second.remedy}: {second.value:.3f}, {second.kind}"
            report(
                f"{first.case.name}, seed {first.seed}: {first.metric} "
                f"{first.value:.3f}, {first.kind}{mended} ({first.seconds:.0f} s)"
            )
    return found


@click.command(help=__doc__)
@click.option(
    "--seeds", default="20,21,22,23,24", show_default=True, help="With commas."
)
@click.option("--workers", type=int, default=2, show_default=True, help="Processes.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the page goes; by default nowhere. Pictures go to images/ beside it.",
)
def main(seeds: str, workers: int, out: Path | None) -> None:
    """Run all, print a line for each, and write the page."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        numbers = [int(seed) for seed in seeds.split(",")]
        found = everything(numbers, folder, workers, click.echo)
        took = time.perf_counter() - start
        machine = f"{platform.machine()}, {workers} processes of one thread"
        if out is not None:
            out.write_text(page(found, took, machine), encoding="utf-8")
            images = out.parent / "images"
            for case in SICK:
                picture = folder / f"{case.ending}-{numbers[0]}" / "diagnosis.png"
                shutil.copy(picture, images / f"sick-{case.ending}.png")
    named = [first.kind == first.case.expected for first, _ in found]
    click.echo(f"{sum(named)} of {len(named)} named as expected, {took:.0f} s")


if __name__ == "__main__":
    main()
