"""All that the page says of one run."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from throughtime.report.commands import again, diagnose
from throughtime.report.curves import curves, words
from throughtime.report.figures import Figure, count, written
from throughtime.report.flow import flow, units
from throughtime.report.learning import ended
from throughtime.report.memory import dynamics, memory
from throughtime.report.reading import RunFolder
from throughtime.report.surface import surface
from throughtime.report.typesetting import equations_of, typeset
from throughtime.report.verdict import Verdict, judge


@dataclass(frozen=True)
class Section:
    """Charts about one subject, or what to do to have them."""

    title: str
    figures: tuple[Figure, ...]
    missing: str
    command: str | None


@dataclass(frozen=True)
class Shown:
    """All that the page says of one run."""

    name: str
    key: str
    summary: str
    verdict: Verdict
    sections: tuple[Section, ...]
    equations: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]


def describe(run: RunFolder, name: str, key: str) -> Shown:
    """Say all of a run.

    Parameters
    ----------
    run
        What its folder holds.
    name
        How the page calls it.
    key
        By what the page links to it.
    """
    return Shown(
        name=name,
        key=key,
        summary=_summary(run),
        verdict=judge(run),
        sections=tuple(_sections(run)),
        equations=tuple(_equations(run)),
        notes=tuple(_notes(run)),
        facts=tuple(_facts(run)),
        settings=tuple(_settings(run)),
    )


def _summary(run: RunFolder) -> str:
    settings, data = run.document["settings"], run.document["data"]
    layers = count(settings["num_layers"], "layer")
    units = count(settings["hidden_size"], "unit")
    return (
        f"{run.cell}, {layers} of {units}, on {data['name']}: {run.document['task']}. "
        f"{ended(run)}"
    )


def _sections(run: RunFolder) -> Iterator[Section]:
    command = diagnose(run)
    watch = "--watch gradients"
    yield _section("Course of the training", curves(run), "No epoch is finished.", None)
    yield _section(
        "Gradient flow",
        flow(run),
        "What flows back through time was not measured.",
        command,
    )
    if not run.flow:
        yield _section(
            "Gradient flow while it learned",
            iter(()),
            "Not recorded: gradients were not watched while it learned.",
            again(run, watch) or watch,
        )
    yield _section(
        "Memory", memory(run), "How far back it remembers was not measured.", command
    )
    yield _section(
        "Units and updates",
        units(run),
        "Saturation, dead units and the size of updates were not measured.",
        command,
    )
    yield _section(
        "Stability", dynamics(run), "The Lyapunov spectrum was not measured.", command
    )
    yield _section(
        "Loss surface",
        surface(run),
        "The loss around the weights was not measured.",
        diagnose(run, "--surface"),
    )


def _section(
    title: str, figures: Iterator[Any], missing: str, command: str | None
) -> Section:
    return Section(title, tuple(figures), missing, command)


def _equations(run: RunFolder) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Titles with formulas; layers with the same ones share them."""
    found = [equations_of(graph) for graph in run.graphs]
    numbered = enumerate(found)
    for lines, layers in groupby(numbered, key=lambda pair: pair[1]):
        places = [place for place, _ in layers]
        of = "" if len(places) == len(found) else f" of layer {places[0]}"
        if len(places) > 1 and of:
            of = f" of layers {places[0]} to {places[-1]}"
        for title, one in (
            (f"Equations{of}", lines.forward),
            (f"δ equations{of}", lines.deltas),
            (f"Gradients{of}", lines.gradients),
        ):
            if one:
                yield title, tuple(map(typeset, one))


def _notes(run: RunFolder) -> Iterator[str]:
    """What is to be known to read the equations, once each."""
    yield (
        "δv is ∂L/∂(what the function takes) where v is σ, tanh or another function of "
        "one value, else ∂L/∂v; 0 behind the last step."
    )
    found = [equations_of(graph) for graph in run.graphs]
    yield from dict.fromkeys(
        f"{note}." for one in found for note in (*one.starts, *one.notes)
    )


def _facts(run: RunFolder) -> Iterator[tuple[str, str]]:
    document, training = run.document, run.training
    yield "folder", str(run.path.resolve())
    if run.command:
        yield "command", run.command
    yield "data", str(document["data"].get("source") or document["data"]["name"])
    if run.result is not None:
        for name, value in run.result["test"].items():
            yield f"test {words(name)}", written(value)
        for name, value in run.result["trivial"].items():
            yield f"trivial: {name}", written(value)
    yield "seed", str(document["settings"]["seed"])
    hardware = training.get("hardware")
    if hardware is not None:
        threads = count(training["threads"], "thread")
        yield "hardware", f"{hardware}; {threads}"
        yield "versions", training["machine"]
    seconds = sum(row["seconds"] for row in run.rows)
    yield "time", f"{seconds:,.1f} s in {count(len(run.rows), 'epoch')}"
    if run.diagnosis is not None:
        yield from _cost(run.diagnosis)


def _cost(diagnosis: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """On what the diagnosis looked, and how long."""
    data, seconds = diagnosis.get("data"), diagnosis.get("seconds")
    if data is not None:
        told = count(data["sequences"], "sequence")
        yield (
            "diagnosed on",
            f"{told} of {data['part']}, {count(data['steps'], 'step')}",
        )
    if seconds:
        parts = ", ".join(f"{part} {cost:.1f} s" for part, cost in seconds.items())
        yield "cost of the diagnosis", parts


def _settings(run: RunFolder) -> Iterator[tuple[str, str]]:
    for name, value in run.config.items():
        if not isinstance(value, dict):
            yield name, str(value)
        elif value:
            yield name, ", ".join(f"{key} = {one}" for key, one in value.items())
