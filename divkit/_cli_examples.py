"""`divkit example`: the statements of the lectures, each as a table and a picture."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.table import Table

from divkit._cli_output import Json, Seed, console, print_json

__all__ = ["STUDIES", "Study", "example"]

example = typer.Typer(help="Reproduce a statement of the lectures as a table and a picture.", no_args_is_help=True)
_DPI = 160
Folder = Annotated[Path, typer.Option(help="Folder for picture and table, named as the example.")]


class Study(NamedTuple):
    """A module of `divkit.examples` with `run`, whose result has `rows`, and `figure`."""

    statement: str
    draws: bool = True

    def run(self, name: str, seed: int) -> tuple[list[dict[str, Any]], Any]:
        """Its rows, and its picture."""
        module = importlib.import_module(f"divkit.examples.{name.replace('-', '_')}")
        found = module.run(seed=seed) if self.draws else module.run()
        return found.rows, module.figure(found)


STUDIES = {
    "earth-mover-piles": Study("The lectures' piles of earth: a plan of cost 5, and the prices that prove it.", False),
    "divergence-ordering": Study("Sequences of laws that converge in some divergences and not in others.", draws=False),
    "likelihood-vs-samples": Study("A high likelihood with samples of noise, and good samples without likelihood."),
    "noise-smoothing": Study("Noise gives JSD a slope and W1 a bound between laws that do not meet.", draws=False),
    "two-sample-discriminator": Study("A trained discriminator as a two-sample test: its level and its power."),
    "mode-covering": Study("One Gaussian fitted to two modes: KL covers, reverse KL seeks.", draws=False),
    "mode-collapse": Study("Which GANs keep all modes of a ring, and what lies between; needs torch."),
    "vanishing-gradients": Study("The gradient that reaches a generator as the supports part; needs torch."),
    "optimal-discriminator": Study("D = p/(p + q) and V = 2 JSD - 2 log 2, best and learnt; needs torch."),
    "wgan-loss": Study("The loss of a Wasserstein GAN falls with W1 while JSD is log 2; needs torch."),
}


@example.command("shifted-uniform")
def shifted_uniform(
    save: Folder = Path(),
    n: Annotated[int, typer.Option(help="Draws from each segment for the sampled rows.", min=1)] = 500,
    bounds: Annotated[bool, typer.Option("--bounds", help="Also what critics prove; needs torch.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Two parallel segments theta apart: KL infinite, JSD log 2, W1 = |theta|."""
    from divkit.examples import shifted_uniform as study

    rows = study.run(n=n, rng=seed, bounds=bounds)
    fine = [study.exact(k / 50) for k in range(-50, 51)]
    table = Table("theta", "source", *study.COLUMNS.values(), title="Two parallel unit segments, theta apart")
    for row in rows:
        values = (getattr(row, name) for name in study.COLUMNS)
        table.add_row(
            f"{row.theta:+.2f}", row.source, *(f"{value:.4g}" for value in values), end_section=row.source == "lecture"
        )
    _shown("shifted-uniform", study.as_table(rows), study.figure([*fine, *rows]), save, table, as_json)


def _command(name: str, study: Study) -> None:
    def command(
        save: Folder = Path(),
        seed: Seed = 0,
        as_json: Json = False,
    ) -> None:
        rows, figure = study.run(name, seed)
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table = Table(*(column.replace("_", " ") for column in columns), title=study.statement)
        for row in rows:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        _shown(name, rows, figure, save, table, as_json)

    command.__doc__ = study.statement
    example.command(name)(command)


for _name, _study in STUDIES.items():
    _command(_name, _study)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _shown(name: str, rows: list[dict[str, Any]], figure: Any, save: Path, table: Table, as_json: bool) -> None:
    """Write picture and table into the folder, and print the table."""
    from divkit.examples._study import write_table

    save.mkdir(parents=True, exist_ok=True)
    picture, csv = (save / f"{name.replace('-', '_')}.{ending}" for ending in ("png", "csv"))
    figure.savefig(picture, dpi=_DPI)
    write_table(rows, csv)
    if as_json:
        print_json({"example": name, "rows": rows, "files": [str(picture), str(csv)]})
        return
    console().print(table)
    typer.echo(f"wrote {picture} and {csv}")
