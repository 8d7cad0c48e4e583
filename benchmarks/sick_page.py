"""The page about runs that do not learn: what was measured, in tables and pictures."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.sick_cases import Outcome

Pair = tuple[Outcome, Outcome | None]
HEAD = Path(__file__).with_suffix(".md")


def page(found: Sequence[Pair], seconds: float, machine: str) -> str:
    """Write the page of what was found, whose pictures lie in `images/`."""
    return "\n".join([*_lines(found, seconds, machine), ""])


def _lines(found: Sequence[Pair], seconds: float, machine: str) -> Iterator[str]:
    yield from HEAD.read_text(encoding="utf-8").splitlines()
    yield ""
    groups = [list(own) for _, own in groupby(found, lambda pair: pair[0].case.name)]
    for group in groups:
        if group[0][0].case.ending:
            yield from _sick(group)
    yield from _healthy([pair for g in groups for pair in g if not g[0][0].case.ending])
    yield from _TAIL.format(minutes=seconds / 60, machine=machine).splitlines()


def _sick(group: list[Pair]) -> Iterator[str]:
    (first, mended), *_ = group
    case = first.case
    yield f"## {case.name[0].upper()}{case.name[1:]}"
    yield ""
    yield from _STORIES[case.ending].splitlines()
    yield ""
    yield from _indented(f"throughtime train {case.words} --out RUN")
    yield from _indented("throughtime diagnose RUN")
    yield ""
    yield f"Of seed {first.seed} this says:"
    yield ""
    for line in first.said.splitlines():
        if line.startswith(("diagnosis:", "picture:", "cost:")):
            continue
        yield f"    {line}".rstrip()
    yield f"![What error does in {case.name}](images/sick-{case.ending}.png)"
    yield ""
    if mended is not None:
        yield (
            f"With the remedy it names, `{mended.remedy}`, everything else as it was, "
            f"all {len(group)} seeds:"
        )
    yield ""
    yield f"| seed | {first.metric} | verdict | remedy | {first.metric} | verdict |"
    yield "| ---: | ---: | --- | --- | ---: | --- |"
    for sick, after in group:
        cells = [str(sick.seed), f"{sick.value:.3f}", sick.findings[0].kind]
        if after is None:
            cells += ["", "", ""]
        else:
            cells += [f"`{after.remedy}`", f"{after.value:.3f}", after.findings[0].kind]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _healthy(pairs: list[Pair]) -> Iterator[str]:
    yield "## Healthy runs"
    yield ""
    yield "Runs on bundled data that learn raise no alarm. Notes are none: they say"
    yield "what may be worth a try."
    yield ""
    yield "| command | seed | metric | value | trivial | verdict | notes |"
    yield "| --- | ---: | --- | ---: | ---: | --- | --- |"
    for one, _ in pairs:
        notes = [note.kind for note in one.findings if note.severity == "note"]
        cells = [
            f"`{one.case.words}`",
            str(one.seed),
            one.metric.replace("_", " "),
            f"{one.value:.3f}",
            f"{one.baseline:.3f}",
            "ALARM" if one.alarm else one.findings[0].kind,
            ", ".join(notes),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _indented(command: str) -> Iterator[str]:
    """A command as a block, in lines that fit a page."""
    line = ""
    for word in command.split():
        if len(line) + len(word) > 80:
            yield f"    {line} \\"
            line = "   "
        line = f"{line} {word}" if line else word
    yield f"    {line}"


_STORIES = {
    "vanishing": """\
A sequence of 201 steps begins with +1 or −1, then comes nothing but zeros; which was
it? A tanh network of 32 units stays at chance: 200 steps back nothing is left of the
error.""",
    "exploding": """\
The adding problem with a yes or no: two of 150 numbers are marked, is their sum above
1? A ReLU network that starts from the identity lets error pass, until its weights grow
a little: without clipping a few updates throw them away, and it stays at chance.""",
    "saturated": """\
The same question of 40 numbers, asked of an LSTM with a learning rate of 1: a few
updates drive its gates to 0 and 1, where their derivatives are nearly 0.""",
}

_TAIL = """\
## How this page was made

By `python -m benchmarks.sick_runs --out docs/why_does_it_not_learn.md`, in
{minutes:.0f} minutes ({machine}). Thresholds were set on runs of seeds 100 to 104,
which are not shown here. `accuracy` is that of the test part.
"""
