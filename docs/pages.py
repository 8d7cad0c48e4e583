"""Pages that the package writes itself: what they say cannot grow old.

`architecture` puts the rooms' own signs in the order of the staircase, `cell` shows a
built-in cell with what `explain` finds, `commands` the options of the command line,
`data_sets` the cards of the bundled data.
"""

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from textwrap import fill, indent

import rich_click as click

import throughtime as tt
from docs import drawing
from throughtime.cells.built_in import BUILT_IN
from throughtime.cli.commands import main
from throughtime.graph import trace
from throughtime.graph.size_names import HIDDEN_STAND_IN, INPUT_STAND_IN

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "throughtime"
CELLS = [n for n in tt.cells.__all__ if isinstance(getattr(tt.cells, n), type)]
WIDTH = 84  # of a line of equations, so that no page has to be scrolled sideways


def write(folder: Path) -> None:
    """Write all of them, and touch none that says the same already."""
    texts = {"architecture": architecture(), "commands": commands()}
    texts |= {"data_sets": data_sets(), "errors.txt": errors()}
    texts["functions.txt"] = functions()
    texts |= {f"cells/{name}": cell(name) for name in CELLS}
    texts |= {f"cells/{word}.svg": step(made) for word, made in BUILT_IN.items()}
    for name, text in texts.items():
        path = folder / (name if "." in name else f"{name}.rst")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# --------------------------------------------------------------------- architecture
def rooms() -> list[str]:
    """Every folder of the package, from the bottom of the staircase to its top."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (stairs,) = [c for c in contracts if c["name"].startswith("Each room")]
    order = [
        room.strip(" ()")
        for step in reversed(stairs["layers"])
        for room in step.split("|")
    ]
    folders = [path.parent for path in PACKAGE.rglob("__init__.py")]
    inside = [folder.relative_to(PACKAGE).parts for folder in folders]
    known = [parts for parts in inside if parts]
    known.sort(key=lambda parts: (order.index(parts[0]), parts))
    return ["/".join(parts) for parts in known]


def sign(room: str) -> str:
    """What the door of a room says."""
    module = importlib.import_module(".".join(["throughtime", *room.split("/")]))
    return inspect.cleandoc(module.__doc__ or "")


def architecture() -> str:
    intro = [
        inspect.cleandoc(tt.__doc__ or ""),
        "From the bottom step to the top, each room's own sign (the docstring of its "
        "``__init__.py``); import-linter holds the order.",
    ]
    parts = [heading("Architecture"), *intro]
    for room in rooms():
        parts += [heading(room, "-~^"[room.count("/")]), sign(room)]
    return paragraphs(parts)


# ---------------------------------------------------------------------------- cells
def cell(name: str) -> str:
    """A built-in cell: docstring, source, and what `explain` says of it."""
    kind = getattr(tt.cells, name)
    known = {word: made for word, made in BUILT_IN.items() if type(made) is kind}
    parts = [
        heading(name),
        f".. autoclass:: throughtime.cells.{name}",
        heading("The source", "-"),
        "All that is written by hand:",
        block("python", source(kind)),
        heading("Papers", "-"),
        f"What ``throughtime.cite({name}())`` prints:",
        block("bibtex", "\n\n".join(kind.references)),
    ]
    for word, made in known.items():
        parts += [heading(f"What explain() finds: {made!r}", "-")]
        parts += [f"On the command line ``--cell {word}``.", drawn(word), "Parameters:"]
        parts += [table(parameter_rows(made)), *found(made)]
    return paragraphs(parts)


def parameter_rows(made: tt.Cell) -> Iterator[list[str]]:
    """Each parameter with its shape in I and H, and where it starts."""
    explanation = tt.explain(made)
    for one in explanation.graphs[0].parameters:
        shape = ", ".join(map(explanation.size_text, one.shape))
        start = f"starts at {one.init}" if isinstance(one.init, float) else one.init
        yield [f"``{one.name}``", f"({shape}), {start}"]


def step(made: tt.Cell) -> str:
    """The graph of one step, drawn."""
    # Two sizes that no number of the equations is.
    return drawing.picture(trace(made, INPUT_STAND_IN, HIDDEN_STAND_IN))


def drawn(word: str) -> str:
    alt = "The graph of one step: what each named value is made from."
    return f".. image:: {word}.svg\n   :alt: {alt}"


def source(kind: type[tt.Cell]) -> str:
    """The class as it is written, without the docstring that stands above it."""
    text = inspect.getsource(kind)
    docstring = ast.parse(text).body[0].body[0]
    lines = text.splitlines()
    return "\n".join(lines[: docstring.lineno - 1] + lines[docstring.end_lineno + 1 :])


def found(made: tt.Cell) -> Iterator[str]:
    explanation = tt.explain(made)
    lines = explanation.equations()
    meaning = (
        "Error flowing back: δ of a value is ∂L/∂(what its function takes); a value "
        "that no function of one argument makes is taken itself. It is 0 behind the "
        "last step."
    )
    for title, shown in [
        ("Equations:", [*lines.forward, *lines.starts]),
        (meaning, [*lines.deltas, "", *lines.notes]),
        ("Gradients:", lines.gradients),
        *((f"{title}:", lines) for title, lines in explanation.blocks()),
    ]:
        if shown:
            yield title
            yield block("text", "\n".join(map(wrapped, shown)))


def wrapped(line: str) -> str:
    return fill(line, WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False)


# --------------------------------------------------------------- commands and data
def commands() -> str:
    """Every command with its options, from the commands themselves."""
    parts = [heading("Command line"), inspect.cleandoc(main.help or "")]
    parts += [
        "A mistake ends with exit code 2 and one sentence that names cause and cure. "
        "``--json`` prints one object on standard output, all else on standard error."
    ]
    for name, command in main.commands.items():
        arguments = [p.human_readable_name for p in command.params if not is_option(p)]
        usage = " ".join(["throughtime", name, *arguments, "[OPTIONS]"])
        rows = [option_row(p) for p in command.params if isinstance(p, click.Option)]
        parts += [heading(f"throughtime {name}", "-"), block("text", usage)]
        parts += [inspect.cleandoc(command.help or ""), table(rows)]
    return paragraphs(parts)


def is_option(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option)


def option_row(option: click.Option) -> list[str]:
    names = " ".join(f"``{name}``" for name in option.opts)
    shown = option.show_default and not option.is_flag and option.default != ""
    default = f" Default: ``{option.default}``." if shown else ""
    return [names, f"{option.help}{default}"]


def data_sets() -> str:
    """The cards of the bundled data, word for word."""
    parts = [heading("Bundled data sets")]
    parts += [
        "Each lies in the wheel with its licence (`throughtime.data.licence`), and is "
        "made by a script in ``scripts/``. The trivial results are on the test part: a "
        "network below them has learned nothing worth having."
    ]
    for card in tt.data.cards():
        words = "origin licence shape task split".split()
        rows = [[word, escape(getattr(card, word))] for word in words]
        rows += [[n, f"{v:.4g} {card.metric}"] for n, v in card.baselines.items()]
        rows += [["note", escape(note)] for note in card.notes]
        parts += [
            heading(card.name, "-"),
            card.title[0].upper() + card.title[1:] + ".",
            table(rows),
        ]
    return paragraphs(parts)


# ------------------------------------------------------------- functions and errors
def functions() -> str:
    """What `throughtime.math` has, in the order of its file."""
    known = [getattr(tt.math, name) for name in tt.math.__all__]
    known.sort(key=lambda function: function.__code__.co_firstlineno)
    return table([called(one), inspect.cleandoc(one.__doc__)] for one in known)


def called(function: Callable[..., object]) -> str:
    """How it is written, without types."""
    parameters = inspect.signature(function).parameters.values()
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in parameters]
    return f"``{function.__name__}{inspect.Signature(bare)}``"


def errors() -> str:
    """Every mistake that is reported, with its message, subject by subject."""
    parts = []
    for subject in subjects():
        module = importlib.import_module(subject)
        rows = [
            [f"``{name}``", mistake(kind)]
            for name, kind in vars(module).items()
            if inspect.isclass(kind) and kind.__module__ == subject
        ]
        title, _, rest = inspect.cleandoc(module.__doc__ or "").partition("\n")
        parts += [heading(title.rstrip("."), "-"), rest.strip(), table(rows)]
    return paragraphs(parts)


def subjects() -> list[str]:
    found = {getattr(tt.errors, name).__module__ for name in tt.errors.__all__}
    return sorted(found - {tt.errors.ThroughtimeError.__module__})


def mistake(kind: type[tt.errors.ThroughtimeError]) -> str:
    says = inspect.cleandoc(kind.__doc__ or "").replace("\n", " ")
    message = " ".join(kind.message.split())
    return says if message == "{reason}" else f"{says} *{escape(message)}*"


# ------------------------------------------------------------------- reStructuredText
def paragraphs(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    return re.sub(r"([*`_|\\])", r"\\\1", text)


def heading(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}"


def block(language: str, text: str) -> str:
    body = "\n".join(f"   {row}".rstrip() for row in text.rstrip().splitlines())
    return f".. code-block:: {language}\n\n{body}"


def table(rows: Iterable[list[str]]) -> str:
    lines = [".. list-table::", "   :widths: 25 75", "   :class: facts", ""]
    for first, second in rows:
        lines += [f"   * - {first}", f"     - {indent(second, ' ' * 7).lstrip()}"]
    return "\n".join(lines)
