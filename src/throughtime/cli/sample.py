"""`throughtime sample RUN`."""

import json

import rich_click as click

from throughtime.cli.options import (
    RUN,
    machine_readable,
    note_untrained,
    use_threads,
    where,
)


@click.command()
@click.argument("run", type=RUN)
@click.option(
    "--length", type=int, default=500, show_default=True, help="Characters to draw."
)
@click.option(
    "--temperature",
    type=float,
    default=1.0,
    show_default=True,
    help="Below 1 the likely comes more often; at 0 the likeliest always.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the drawing.")
@click.option("--prompt", default="", help="What comes before.")
@where
@machine_readable
def sample(
    run: str,
    length: int,
    temperature: float,
    seed: int,
    prompt: str,
    backend: str,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Draw text from the model of RUN, character by character."""
    from throughtime.train import open_run
    from throughtime.train import sample as draw

    use_threads(threads)
    opened = open_run(run, backend=backend, device=device)
    note_untrained(opened.best_epoch)
    drawn = draw(opened, length, temperature=temperature, seed=seed, prompt=prompt)
    if as_json:
        text = "".join(drawn)
        click.echo(json.dumps({"prompt": prompt, "text": text}, ensure_ascii=False))
        return
    click.echo(prompt, nl=False)
    for symbol in drawn:
        click.echo(symbol, nl=False)
    click.echo()
