"""The command `throughtime`, and how its mistakes are told."""

from importlib.metadata import version
from typing import Any

import rich_click as click

from throughtime.cli.evaluate import evaluate
from throughtime.cli.sample import sample
from throughtime.cli.train import train
from throughtime.errors import ThroughtimeError


class Commands(click.RichGroup):
    """A group whose commands may raise the package's own errors."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a mistake of the user's is one line and exit code 2."""
        try:
            return super().invoke(ctx)
        except ThroughtimeError as error:
            # Unwrapped, however long, so that logs and searches find it whole.
            click.echo(f"Error: {' '.join(str(error).split())}", err=True)
            ctx.exit(2)


@click.group(cls=Commands)
@click.version_option(version("throughtime"), prog_name="throughtime")
def main() -> None:
    """Learning from sequences with recurrent networks."""


main.add_command(train)
main.add_command(evaluate)
main.add_command(sample)
