"""`throughtime bench NAME`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from throughtime.cli.options import (
    machine_readable,
    refuse_others,
    show,
    use_threads,
)
from throughtime.cli.tables import aligned
from throughtime.errors import TaskNeedsData, TaskTakesNoData

if TYPE_CHECKING:
    from throughtime.bench.running.runs import Result
    from throughtime.bench.running.task import Recipe, Task

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _recipe(command: _Command) -> _Command:
    """Add the options of a recipe."""
    for option in (
        click.option("--truncation", type=int, help="Steps that error flows back."),
        click.option("--steps", type=int, help="T, or the lag: how long the task is."),
        click.option("--patience", type=int, help="Epochs without a better one."),
        click.option("--epochs", type=int, help="Of a task on data, at most."),
        click.option("--updates", type=int, help="Of drawn sequences, at most."),
        click.option("--batch-size", type=int, help="B, the sequences of an update."),
        click.option("--flow-penalty", type=float, help="Of vanishing gradients."),
        click.option("--zoneout", type=float, help="Chance that a state stays."),
        click.option("--clip", type=float, help="The largest norm of a gradient."),
        click.option("--learning-rate", type=float, help="The step width."),
        click.option("--init", metavar="WAY", help="How weights start."),
        click.option("--layers", "num_layers", type=int, help="How many layers."),
        click.option("--hidden-size", type=int, help="H, the units of a layer."),
        click.option("--cell", metavar="NAME|FILE.py:Class", help="The cell."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Name all tasks.")
@click.option(
    "--explain", is_flag=True, help="Say exactly what the tasks are, and learn nothing."
)
@click.option(
    "--data",
    multiple=True,
    metavar="[NAME=]PATH",
    help="Where the data of a task lie that does not bring its own.",
)
@click.option(
    "--seeds", type=int, default=3, show_default=True, help="How many seeds there are."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The first one.")
@_recipe
@click.option(
    "--backend",
    default="auto",
    show_default=True,
    metavar="auto|llvm|reference",
    help="What computes.",
)
@click.option(
    "--dtype", default="float32", show_default=True, metavar="float32|float64"
)
@click.option("--threads", type=int, help="Threads to use; by default all there are.")
@click.option(
    "--both-backends",
    is_flag=True,
    help="Compare the losses and times of the first 50 updates in float64 by the "
    "reference backend and by llvm, instead of learning.",
)
@click.option("--out", type=click.Path(), help="A folder for a JSON file of each run.")
@click.option(
    "--table",
    type=click.Path(),
    help="Print the results of such a folder as a table of Markdown; learn nothing.",
)
@machine_readable
def bench(
    names: tuple[str, ...],
    listed: bool,
    explain: bool,
    table: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Learn tasks with published numbers, beside what is trivial.

    Each task has a recipe of its own, which options change. A task is learned with
    several seeds; what came out is told with its spread.
    """
    if listed:
        refuse_others("--list, which names all tasks", {"listed", "as_json"})
        _list(as_json)
    elif table is not None:
        refuse_others("--table, which learns nothing", {"table", "as_json"})
        _print_table(table, as_json)
    elif not names:
        raise click.UsageError("Give the NAME of a task, or --list.")
    elif explain:
        taken = {"names", "explain", "as_json"}
        refuse_others("--explain, which learns nothing", taken)
        _explain(tuple(dict.fromkeys(names)), as_json)
    else:
        if said["both_backends"]:
            from throughtime.bench.running.task import ENTRIES

            own = {"names", "data", "seed", "threads", "both_backends", "out"}
            reason = "--both-backends, with one seed and in float64"
            refuse_others(reason, {*own, "as_json", *ENTRIES})
        _run(tuple(dict.fromkeys(names)), said, as_json)


def _list(as_json: bool) -> None:
    from throughtime.bench.tasks import TASKS

    said = {task.name: task.title for task in TASKS.values()}
    width = max(map(len, said))
    lines = []
    for task in TASKS.values():
        needs = f" (--data: {task.data})" if task.data else ""
        lines.append(f"{task.name:<{width}}  {task.title}{needs}")
    show({"tasks": said}, lines, as_json)


def _explain(names: tuple[str, ...], as_json: bool) -> None:
    from throughtime.bench.tasks import find_task

    tasks = [find_task(name) for name in names]
    lines: list[str] = []
    for task in tasks:
        entries = task.recipe.entries().items()
        recipe = ", ".join(f"{name} {given}" for name, given in entries)
        lines += [task.definition.strip(), "", f"recipe: {recipe}", *_beside(task), ""]
    said = {
        task.name: {
            "definition": task.definition,
            "recipe": task.recipe.entries(),
            "floors": [one._asdict() for one in task.floors],
            "published": [one._asdict() for one in task.published],
        }
        for task in tasks
    }
    show({"tasks": said}, lines[:-1], as_json)


def _print_table(folder: str, as_json: bool) -> None:
    from throughtime.bench.running.runs import read
    from throughtime.bench.running.table import HEADERS, markdown, of_agreements, rows

    saved = read(folder)
    parts = []
    if saved.results:
        lines = [row.cells() for row in rows(saved.results)]
        parts.append(markdown(HEADERS, lines))
    if saved.agreements:
        parts.append(markdown(*of_agreements(saved.agreements)))
    said = {
        "results": [asdict(one) for one in saved.results],
        "agreements": [one.to_json() for one in saved.agreements],
    }
    show(said, ["\n".join(parts).rstrip()], as_json)


def _run(names: tuple[str, ...], said: dict[str, Any], as_json: bool) -> None:
    from throughtime.bench.running.task import ENTRIES
    from throughtime.bench.tasks import find_task
    from throughtime.cells.built_in import built_in
    from throughtime.cli.cell_names import blaming, find_cell
    from throughtime.train.asking.ranges import DTYPES
    from throughtime.train.asking.settings import check_choice, check_count

    tasks = [find_task(name) for name in names]
    paths = _paths(tasks, said["data"])
    changes = {name: said[name] for name in ENTRIES if said[name] is not None}
    named = said["cell"]
    if named is not None and built_in(named) is None:
        changes["cell"] = find_cell(named)
    recipes = [task.recipe.changed(task.name, changes) for task in tasks]
    check_count("seeds", said["seeds"], 1)
    check_count("seed", said["seed"], 0)
    check_choice("dtype", said["dtype"], DTYPES)
    check_choice("backend", said["backend"], ("auto", "llvm", "reference"))
    use_threads(said["threads"])
    asked = list(zip(tasks, recipes, strict=True))
    # A user's equations are run when the network is built.
    with blaming(named) if named else nullcontext():
        if said["both_backends"]:
            _compare_backends(asked, paths, said, as_json)
            return
        results = list(_results(asked, paths, said))
    lines = [line for task in tasks for line in _told(task, results)]
    show({"results": [asdict(one) for one in results]}, lines, as_json)


def _paths(tasks: "list[Task]", given: tuple[str, ...]) -> dict[str, str]:
    """Say where the data of each task lie that needs some."""
    needing = {task.name: task for task in tasks if task.data}
    paths: dict[str, str] = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not equals:
            name, path = (next(iter(needing)) if len(needing) == 1 else "", one)
        if name not in needing:
            known = ", ".join(needing) or "a task that needs some (see --list)"
            asked = ", ".join(task.name for task in tasks)
            raise TaskTakesNoData(given=one, task=asked, known=known)
        paths[name] = path
    for name, task in needing.items():
        if name not in paths:
            raise TaskNeedsData(task=name, expected=task.data)
    return paths


def _results(
    asked: "list[tuple[Task, Recipe]]",
    paths: Mapping[str, str],
    said: Mapping[str, Any],
) -> "Iterator[Result]":
    from throughtime.bench.running.runs import run, save
    from throughtime.bench.running.task import Engine

    for task, recipe in asked:
        # Where nothing is drawn, seeds do not differ.
        seeds = said["seeds"] if task.drawn else 1
        for seed in range(said["seed"], said["seed"] + seeds):
            engine = Engine(said["backend"], said["dtype"], seed, said["threads"])
            result = run(
                task, recipe, engine, paths.get(task.name), _Ticker(task, seed)
            )
            if said["out"] is not None:
                save(result, said["out"])
            click.echo(_line(result), err=True)
            yield result


class _Ticker:
    """Tells now and then how the loss is."""

    EVERY = 500

    def __init__(self, task: "Task", seed: int) -> None:
        self._said = f"{task.name}, seed {seed}"
        self._sum = 0.0

    def __call__(self, update: int, loss: float) -> None:
        self._sum += loss
        if update % self.EVERY == 0:
            mean, self._sum = self._sum / self.EVERY, 0.0
            click.echo(f"{self._said}: update {update}, loss {mean:.4g}", err=True)


def _line(result: "Result") -> str:
    from throughtime.bench.running.table import number

    solved = "solved" if result.solved else "not solved"
    return (
        f"{result.task}, seed {result.seed}: {result.measure} {number(result.value)} "
        f"({solved}), {result.updates} updates, {result.seconds:.0f} s"
    )


def _told(task: "Task", results: "list[Result]") -> list[str]:
    """Tell what all seeds of a task came to, beside what others reach."""
    from throughtime.bench.running.table import HEADERS, rows

    own = [one for one in results if one.task == task.name]
    shown = [HEADERS.index(name) for name in _SHOWN]
    cells = [[row.cells()[place] for place in shown] for row in rows(own)]
    floors = own[0].floors
    return ["", *aligned(_SHOWN, cells), *_beside(task, floors)]


_SHOWN = ("task", "learned by", "measure", "seeds", "median", "from … to", "solved")
_SHOWN += ("goal", "updates", "seconds")


def _beside(task: "Task", floors: Mapping[str, float] | None = None) -> list[str]:
    from throughtime.bench.running.table import number

    known = floors or {one.method: one.value for one in task.floors}
    lines = [f"  {name}: {number(value)} (trivial)" for name, value in known.items()]
    return lines + [
        f"  {one.method}: {number(one.value)} (published: {one.source})"
        for one in task.published
    ]


def _compare_backends(
    asked: "list[tuple[Task, Recipe]]",
    paths: Mapping[str, str],
    said: Mapping[str, Any],
    as_json: bool,
) -> None:
    from throughtime.bench.running.agreement import agreement
    from throughtime.bench.running.runs import save
    from throughtime.bench.running.table import of_agreements

    seed, threads = said["seed"], said["threads"]
    found = []
    for task, recipe in asked:
        path = paths.get(task.name)
        one = agreement(task, recipe, path=path, seed=seed, threads=threads)
        if said["out"] is not None:
            save(one, said["out"])
        found.append(one)
    headers, lines = of_agreements(found)
    show(
        {"agreements": [one.to_json() for one in found]},
        aligned(headers, lines),
        as_json,
    )
