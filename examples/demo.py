"""What recurrence buys: four networks on spoken digits, one table, one picture.

Run it with `make demo`, or `python examples/demo.py [FOLDER]` for the run folders and
the picture (by default `runs/spoken-digits`).
"""

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator
from rich.console import Console
from rich.table import Table

import throughtime as tt

DATA = "spoken-digits"
HIDDEN_SIZE = 128
EPOCHS = 20
SEED = 0
PICTURE = "learning.png"
# An LSTM reaches about 0.98; below this something is broken.
NEEDED = 0.95
BASELINES = {card.name: card for card in tt.data.cards()}[DATA].baselines
REMARK = (
    "The recurrent networks answer from their last step, the feedforward one from the "
    "mean over all frames: it sees them all, in no order."
)
COLORS = ["#1d4ed8", "#0f9d76", "#d97706", "#9333ea"]


@dataclass(frozen=True)
class Contestant:
    """A row of the table: a name, its cell, and how many layers of it are stacked."""

    name: str
    cell: tt.Cell
    layers: int = 1


@dataclass(frozen=True)
class Result:
    """What one training gave."""

    contestant: Contestant
    test_accuracy: float
    parameters: int
    seconds: float
    best_epoch: int
    validation_accuracy: list[float]


def contestants() -> list[Contestant]:
    return [
        Contestant("LSTM", tt.cells.LSTM()),
        Contestant("GRU", tt.cells.GRU()),
        Contestant("Elman", tt.cells.Elman()),
        Contestant("feedforward, 2 layers", tt.cells.Feedforward(), 2),
    ]


def free_folder(path: Path) -> Path:
    """Where a run can go: what an earlier demonstration left there is replaced."""
    if (path / "model.json").exists():
        shutil.rmtree(path)
    return path


def train(contestant: Contestant, folder: Path) -> Result:
    """Train one network; on a terminal a bar shows how far it is."""
    start = time.perf_counter()
    run = tt.fit(
        contestant.cell,
        DATA,
        hidden_size=HIDDEN_SIZE,
        num_layers=contestant.layers,
        epochs=EPOCHS,
        seed=SEED,
        quiet=not sys.stderr.isatty(),
        out=free_folder(folder / contestant.name.split(",")[0].lower()),
    )
    seconds = time.perf_counter() - start
    validation = [epoch["validation_accuracy"] for epoch in run.metrics]
    return Result(
        contestant,
        test_accuracy=run.evaluate()["accuracy"],
        parameters=sum(weight.numel() for weight in run.model.parameters()),
        seconds=seconds,
        best_epoch=run.best_epoch,
        validation_accuracy=validation,
    )


def table(results: list[Result]) -> Table:
    columns = ["network", "test accuracy", "parameters", "seconds", "best epoch"]
    rows = Table(title=f"{DATA}: which digit was spoken?", caption=REMARK)
    for column in columns:
        rows.add_column(column, justify="left" if column == "network" else "right")
    for result in results:
        rows.add_row(
            result.contestant.name,
            f"{result.test_accuracy:.4f}",
            f"{result.parameters:,}",
            f"{result.seconds:.1f}",
            str(result.best_epoch),
        )
    return rows


def draw(results: list[Result], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for result, color in zip(results, COLORS, strict=True):
        epochs = range(1, len(result.validation_accuracy) + 1)
        label = f"{result.contestant.name}: {result.test_accuracy:.3f} on test"
        axes.plot(epochs, result.validation_accuracy, label=label, color=color)
    (name, value) = max(BASELINES.items(), key=lambda row: row[1])
    label = f"{name}, without a network: {value:.3f} on test"
    axes.axhline(value, color="#6b7280", linestyle=(0, (4, 3)), lw=1, label=label)
    axes.set_title("Which digit was spoken? Accuracy on validation data", loc="left")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def check(results: list[Result]) -> None:
    """End with an error if the LSTM has not learned what it should."""
    accuracy = {one.contestant.name: one.test_accuracy for one in results}["LSTM"]
    if accuracy < NEEDED:
        sys.exit(
            f"The LSTM's test accuracy is {accuracy:.4f}, expected at least {NEEDED}: "
            "something is broken."
        )


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs") / DATA
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    results: list[Result] = []
    entered = contestants()
    for number, contestant in enumerate(entered, 1):
        heading = f"{contestant.name}, {number} of {len(entered)} …"
        console.print(heading, highlight=False)
        results.append(train(contestant, folder))
    draw(results, folder / PICTURE)
    console.print(table(results))
    console.print(f"The picture: {folder / PICTURE}", highlight=False)
    check(results)


if __name__ == "__main__":
    main()
