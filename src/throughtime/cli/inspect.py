"""`throughtime inspect RUN or DATA`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from throughtime.cli.options import machine_readable, show
from throughtime.cli.training import reading
from throughtime.errors import UnusedSetting

MODEL = "model.json"


@click.command()
@click.argument("what", metavar="RUN|DATA")
@reading
@machine_readable
def inspect(what: str, as_json: bool, **options: Any) -> None:
    """Say what is in a run, or what would be learned from data.

    RUN is the folder of a run: task, columns, equations, sizes, command and metrics.
    DATA are read as `train` would read them, and nothing is learned.
    """
    folder = Path(what)
    if (folder / MODEL).is_file():
        _refuse_options()
        result, lines = _run(folder)
    else:
        result, lines = _data(what, options)
    show(result, lines, as_json)


def _refuse_options() -> None:
    """Refuse what may be said of data alone."""
    context = get_current_context()
    for name, given in context.params.items():
        default = context.get_parameter_source(name) == ParameterSource.DEFAULT
        if not default and name not in {"what", "as_json"}:
            reason = "a run, which knows how its data are read"
            raise UnusedSetting(argument=name, given=given, reason=reason)


_MISSING = (
    "train refuses missing values until --missing says what stands for them: forward, "
    "mean or zero"
)


def _data(source: str, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    from throughtime.data import Reading, describe_data, read
    from throughtime.data.sources.opening import is_table

    seed, inputs = options.pop("split_seed"), options.pop("inputs") or {}
    unsaid = options["missing"] == "error" and is_table(source)
    if unsaid:
        options["missing"] = "mean"  # who looks wants to know what is missing
    dataset = read(source, Reading(**options, inputs=inputs, seed=seed))
    description = describe_data(dataset)
    lines = str(description).splitlines()
    if unsaid and dict(description.rows).get("missing") != "none":
        lines.append(_MISSING)
    if dataset.card is not None and dataset.card.baselines:
        lines += ["", *str(dataset.card).splitlines()]
    return {"data": source, **dict(description.rows)}, lines


def _run(folder: Path) -> tuple[dict[str, Any], list[str]]:
    from throughtime.data import read_text
    from throughtime.nn import explain
    from throughtime.train import open_run
    from throughtime.train.files.folder import COMMAND
    from throughtime.train.measuring.survivors import survivors

    run = open_run(folder)
    model = run.model
    left = survivors(model) if model.schema.items or run.settings.l1 else None
    command = read_text(folder / COMMAND).strip()
    sizes = {name: list(w.shape) for name, w in model.state_dict().items()}
    best = [row for row in run.metrics if row["epoch"] == run.best_epoch]
    result: dict[str, Any] = {
        "run": str(folder),
        "data": run.data,
        "cell": run.cell,
        "task": run.task,
        "per": model.question.per,
        "features": [column.name for column in model.schema.features],
        "items": [column.name for column in model.schema.items],
        "surviving": None if left is None else left._asdict(),
        "inputs": {
            name: [column.name for column in group]
            for name, group in model.schema.inputs.items()
        },
        "missing": model.reader.missing,
        "targets": list(model.labels),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "sizes": sizes,
        "command": command,
        "epochs": len(run.metrics),
        "best_epoch": run.best_epoch,
        "stopped": run.stopped,
        "seconds": run.seconds,
        "interrupted": [row["epoch"] for row in run.metrics if row.get("interrupted")],
        "tbptt": run.metrics[-1].get("tbptt") if run.metrics else None,
        "best": best[0] if best else None,
    }
    equations = explain(model.recurrent).equations()
    return result, [*_facts(result), "", *_equations(equations)]


def _facts(result: dict[str, Any]) -> Iterator[str]:
    rows = {
        "data": result["data"],
        "task": f"{result['task']}, an answer per {result['per']}",
        **_items(result),
        **{f"input {name}": _listed(own) for name, own in result["inputs"].items()},
        "missing": result["missing"],
        "answers": _listed(result["targets"]),
        "parameters": f"{result['parameters']:,}",
        **{f"  {name}": " × ".join(map(str, s)) for name, s in result["sizes"].items()},
        "command": result["command"],
        "epochs": f"{result['epochs']}, ended by {result['stopped'] or 'nothing yet'}"
        + (", the last cut short" if result["interrupted"] else "")
        + f", {result['seconds']:.1f} seconds",
    }
    if result["tbptt"] is not None:
        rows["tbptt"] = f"{result['tbptt']} as auto chose it last"
    best = result["best"]
    if best is not None:
        measured = {k: v for k, v in best.items() if k.startswith("validation_")}
        said = [f"{k.replace('_', ' ')} {v:.4f}" for k, v in measured.items()]
        rows["best"] = f"epoch {result['best_epoch']}, {', '.join(said)}"
    width = max(map(len, rows))
    yield f"{result['run']}: {result['cell']}"
    for heading, text in rows.items():
        yield f"{heading:<{width}}  {text}"


def _items(result: dict[str, Any]) -> dict[str, str]:
    """Say what the network reads: features, or items and what is left of them."""
    kind, left = "items" if result["items"] else "features", result["surviving"]
    said = {kind: _listed(result[kind])}
    if left is None:
        return said
    return {
        **said,
        "  with weights": f"{left['count']:,} of {left['total']:,}",
        "  strongest": ", ".join(f"{n!r} {norm:.3g}" for n, norm in left["strongest"]),
    }


def _listed(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)}: {', '.join(map(repr, names[:most]))}{more}"


def _equations(equations: Any) -> list[str]:
    return ["Equations", *(f"  {line}" for line in equations.forward)]
