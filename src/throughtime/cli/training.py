"""The options of `throughtime train`, in the groups of its help."""

from collections.abc import Callable
from typing import Any, TypeVar

from throughtime.cli.built_in import CELL_HELP
from throughtime.cli.descent import DESCENT, STARTING
from throughtime.cli.option_types import Named, Names, Season, Spacing, Table, columns
from throughtime.cli.panels import option, table

Command = TypeVar("Command", bound=Callable[..., Any])

_BY_DATA = "By default what suits the data."


_DATA = [
    option(
        "Data",
        "--sequence",
        metavar="COLUMN",
        help="Says to which sequence a row belongs.",
    ),
    option("Data", "--time", metavar="COLUMN", help="Says when a row was."),
    option(
        "Data",
        "--features",
        type=Names(),
        metavar="COLUMN,…",
        help="Columns to learn from; by default all that nothing else names.",
    ),
    option(
        "Data",
        "--items",
        metavar="COLUMN[:COLUMN]",
        help="Names what happened at a step, out of very many things, and its value: "
        "all rows of one time are one step.",
    ),
    option(
        "Data",
        "--target",
        type=Names(),
        metavar="COLUMN,…",
        help="Columns to predict; by default the features' own future.",
    ),
    option(
        "Data",
        "--input",
        "inputs",
        multiple=True,
        type=Named("COLUMN", columns),
        callback=table,
        metavar="NAME=COLUMN",
        help="Feeds an Input of the cell; may be given several times.",
    ),
    option(
        "Data",
        "--missing",
        default="error",
        show_default=True,
        metavar="error|forward|mean|zero",
        help="What stands for a missing value: the last one, the mean, 0.",
    ),
    option(
        "Data",
        "--time-difference",
        is_flag=True,
        help="One more feature: the time since the step before.",
    ),
    option(
        "Data",
        "--split",
        metavar="sequence|time|COLUMN",
        help="How training, validation and test are apart; of a text time: its last "
        f"10 %. {_BY_DATA}",
    ),
    option(
        "Data",
        "--split-seed",
        type=int,
        default=0,
        show_default=True,
        help="Draws which sequence is in which part.",
    ),
    option(
        "Data",
        "--memory",
        default="256MB",
        show_default=True,
        help="Numbers that need more are kept in a file while they are used.",
    ),
]
_QUESTION = [
    option(
        "Question",
        "--task",
        metavar="classify|multilabel|regress|next|forecast",
        help="What is learned. By default it follows from the target.",
    ),
    option(
        "Question",
        "--per",
        metavar="step|sequence",
        help="One answer per step or per sequence. By default it follows from the "
        "target.",
    ),
    option("Question", "--horizon", type=int, help="Steps ahead of a forecast."),
    option(
        "Question",
        "--difference",
        type=Season(),
        metavar="none|1|SEASON",
        help="A forecast is of the change since so many steps, by default 1; none for "
        "the values themselves.",
    ),
]
_ANSWER = [
    option(
        "Question",
        "--pool",
        metavar="last|mean|max",
        help="Makes one answer of all steps. By default last; of a cell without "
        "states, mean.",
    ),
    option(
        "Question",
        "--class-weights",
        type=Table("weights", str),
        metavar="balanced|CLASS=WEIGHT,…",
        help="balanced: all classes weigh the same in all; or weights for some.",
    ),
    option(
        "Question",
        "--target-replication",
        type=float,
        metavar="SHARE",
        help="Share of the loss that is of the answers before the last step.",
    ),
]
_NETWORK = [
    option(
        "Network",
        "--cell",
        default="lstm",
        show_default=True,
        metavar="NAME",
        help=CELL_HELP,
    ),
    option("Network", "--hidden-size", type=int, help=f"Units of a layer. {_BY_DATA}"),
    option(
        "Network",
        "--layers",
        "num_layers",
        type=int,
        default=1,
        show_default=True,
        help="Layers.",
    ),
    option("Network", "--bidirectional", is_flag=True, help="Read in both directions."),
    option(
        "Network",
        "--embedding",
        type=int,
        metavar="SIZE",
        help="Learn a vector for each category. By default 64 for a text, none else.",
    ),
    option(
        "Network",
        "--heads",
        type=int,
        default=1,
        show_default=True,
        help="Parts of a layer that see themselves alone.",
    ),
    option(
        "Network",
        "--residual",
        is_flag=True,
        help="Layers above the first add what they read.",
    ),
    option(
        "Network",
        "--dropout",
        type=float,
        default=0.0,
        show_default=True,
        help="Chance that a value between two layers is zeroed.",
    ),
    option(
        "Network",
        "--checkpoint",
        type=Spacing(),
        metavar="STEPS|sqrt|512MB",
        help="Bounds memory: where states are stored for the backward pass.",
    ),
]
_LEARNING = [
    option(
        "Learning",
        "--epochs",
        type=int,
        help=f"Passes over the data at most. {_BY_DATA}",
    ),
    option(
        "Learning",
        "--patience",
        type=int,
        help=f"Epochs without a better validation loss before it stops. {_BY_DATA}",
    ),
    option(
        "Learning",
        "--time-limit",
        type=float,
        metavar="SECONDS",
        help="Time after which it stops, within an epoch, and keeps the best weights.",
    ),
    option(
        "Learning",
        "--batch-size",
        type=int,
        help=f"Sequences, or streams of a text, per update. {_BY_DATA}",
    ),
    option(
        "Learning",
        "--steps",
        type=int,
        help="Steps of a text between two updates, or the longest stretch of steps "
        f"that is learned at once. {_BY_DATA}",
    ),
    option(
        "Learning",
        "--tbptt",
        metavar="K1:K2|K|random:L0|auto",
        help="Truncates error along a stream whose state is carried on, in place of "
        "--steps: every K1 steps back over K2, at random places, or as far as needed.",
    ),
    option(
        "Learning",
        "--learning-rate",
        type=float,
        help=f"Largest step width. {_BY_DATA}",
    ),
    option(
        "Learning",
        "--save-every",
        type=float,
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="Time between two checkpoints, from which --resume goes on.",
    ),
    option(
        "Learning",
        "--seed",
        type=int,
        default=0,
        show_default=True,
        help="Of first weights and order.",
    ),
    option(
        "Learning",
        "--restarts",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="Train N seeds, as many at a time as there are threads; keep the best on "
        "validation data, and say how far apart they ended.",
    ),
    option(
        "Learning",
        "--dtype",
        default="float32",
        show_default=True,
        metavar="float32|float64",
        help="Of all numbers.",
    ),
]

_TRAINING = [*_NETWORK, *STARTING, *_LEARNING, *DESCENT]


def training(command: Command) -> Command:
    """Add what a training can be asked for."""
    for add in reversed([*_DATA, *_QUESTION, *_ANSWER, *_TRAINING]):
        command = add(command)
    return command


def reading(command: Command) -> Command:
    """Add what may be said of data and of the question."""
    for add in reversed([*_DATA, *_QUESTION]):
        command = add(command)
    return command
