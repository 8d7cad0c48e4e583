"""The command `throughtime`, and how its mistakes are told."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, NoReturn

import rich_click as click
from click.exceptions import NoArgsIsHelpError

from throughtime.cli.bench import bench
from throughtime.cli.compare import compare
from throughtime.cli.diagnose import diagnose
from throughtime.cli.evaluate import evaluate
from throughtime.cli.inspect import inspect
from throughtime.cli.lab import lab
from throughtime.cli.mistyped import mistyped
from throughtime.cli.predict import predict
from throughtime.cli.report import report
from throughtime.cli.sample import sample
from throughtime.cli.train import train
from throughtime.errors import (
    CellError,
    CellFileFails,
    CellFileRefused,
    ThroughtimeError,
)

# They speak of Python, as the file does.
_OF_THE_USERS_FILE = (CellError, CellFileFails, CellFileRefused)


def in_options(sentence: str, command: click.Command) -> str:
    """Say `--hidden-size 0` where the library's message says `hidden_size=0`.

    A name of one part is an ordinary word, too: it is an option only before a `=` and
    after the few words that ask for another value.
    """
    shown = {str(one.name): one.opts[0] for one in command.params}
    arguments = [one.name for one in command.params if isinstance(one, click.Argument)]
    shown |= {str(name): str(name).upper() for name in arguments}
    if "new" in shown:  # `evaluate` has new DATA beside --data, those of the training
        sentence = sentence.replace("give data", "give DATA")
    if "layers" in shown:
        shown["num_layers"] = shown["layers"]
    for name, option in shown.items():
        sentence = re.sub(rf"\b{name}=(True|False)\b", option, sentence)
        sentence = re.sub(rf"\b{name}=|^{name} (?=names )", f"{option} ", sentence)
        asking = r"(^|[\s(])" if "_" in name else r"\b(leave |smaller | as |give )"
        sentence = re.sub(rf"{asking}{name}\b", rf"\1{option}", sentence)
    return sentence


def _written(facts: Mapping[str, object], sentence: str) -> str:
    """Say `a=1,b=2` where Python says `{'a': 1, 'b': 2}`."""
    given = facts.get("given")
    if not isinstance(given, Mapping):
        return sentence
    words = ",".join(
        f"{name}={','.join(map(str, one)) if isinstance(one, list) else one}"
        for name, one in given.items()
    )
    return sentence.replace(repr(given), words)


class Commands(click.RichGroup):
    """A group whose commands may raise the package's own errors."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words as they were given: a run stores its command."""
        ctx.obj = tuple(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            self._refuse(ctx, error)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a mistake of the user's is one line and exit code 2."""
        try:
            return super().invoke(ctx)
        except ThroughtimeError as error:
            sentence = str(error)
            if not isinstance(error, _OF_THE_USERS_FILE):
                command = self.commands[str(ctx.invoked_subcommand)]
                sentence = in_options(_written(error.facts, sentence), command)
            # Unwrapped, however long, so that logs and searches find it whole.
            _end(ctx, " ".join(sentence.split()))
        except click.UsageError as error:
            self._refuse(ctx, error)

    def _refuse(self, ctx: click.Context, error: click.UsageError) -> NoReturn:
        if isinstance(error, NoArgsIsHelpError):
            raise error
        command = self.commands.get(ctx.invoked_subcommand or "", self)
        _end(ctx, mistyped(error, self, command))


def _end(ctx: click.Context, sentence: str) -> NoReturn:
    click.echo(f"Error: {sentence}", err=True)
    ctx.exit(2)


@click.group(cls=Commands)
@click.version_option(version("throughtime"), prog_name="throughtime")
def main() -> None:
    """Learning from sequences with recurrent networks."""


main.add_command(train)
main.add_command(evaluate)
main.add_command(predict)
main.add_command(sample)
main.add_command(inspect)
main.add_command(diagnose)
main.add_command(compare)
main.add_command(lab)
main.add_command(report)
main.add_command(bench)
