"""The command line: `divkit estimate`, `compare`, `test`, `methods`, `train`, `warmup` and `example`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from divkit._cli_compare import two_tables
from divkit._cli_examples import example
from divkit._cli_measures import Kind, file_measure, kind_of
from divkit._cli_output import Json, Seed, console, print_json
from divkit._cli_pipe import patient_output
from divkit._cli_test import two_files
from divkit._cli_train import Wanted
from divkit._cli_train import train as train_gan
from divkit._errors import DivkitError, DivkitWarning, InvalidInput
from divkit._files import read_array
from divkit._gan_names import objective_names
from divkit.api import estimate as estimate_verb
from divkit.catalog import resolve_divergence
from divkit.divergences import Wasserstein
from divkit.measures import Samples
from divkit.methods import METHODS, method_class
from divkit.result import Estimate

__all__ = ["app", "run"]

app = typer.Typer(
    help="How far apart two distributions are, and how sure that is.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(example, name="example")
app.command("compare")(two_tables)
app.command("test")(two_files)


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Handle the options that stand before a command."""
    if version:
        import divkit

        typer.echo(f"divkit {divkit.__version__}")
        raise typer.Exit


@app.command()
def estimate(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[DIVERGENCE] P Q",
            help="A divergence such as kl, jsd or wasserstein1 (left out with --all), the file of the data and that of "
            "the model: .csv, .tsv, .npy or .npz[:NAME].",
        ),
    ],
    method: Annotated[str, typer.Option(help="A method of `divkit methods`, or auto.")] = "auto",
    kind: Annotated[
        Kind | None,
        typer.Option(
            help="What a file holds. Default: for an f-divergence between single rows or columns that each sum to 1, "
            "probabilities; else samples, one point a line."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every f-divergence between the samples, from one fit.")
    ] = False,
    level: Annotated[float, typer.Option(help="Confidence level of the interval.")] = 0.95,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Divergence D(P || Q) between the contents of two files."""
    named = [] if everything else ["DIVERGENCE"]
    if len(arguments) != len(named) + 2:
        raise InvalidInput(
            f"divkit estimate takes {' '.join([*named, 'P', 'Q'])}{' with --all' if everything else ''}, got "
            f"{' '.join(arguments)}; see divkit estimate --help"
        )
    p, q = arguments[-2:]
    if everything:
        _estimate_all(p, q, kind, method, level, seed, as_json)
        return
    div = resolve_divergence(arguments[0])
    arrays = read_array(p), read_array(q)
    kind = kind or (Kind.samples if isinstance(div, Wasserstein) else kind_of((p, q), arrays))
    P, Q = file_measure("P", p, arrays[0], kind), file_measure("Q", q, arrays[1], kind)
    value = estimate_verb(P, Q, div, method, level=level, rng=seed)
    if as_json:
        print_json({**value.to_dict(), "kind": kind.value, "P": p, "Q": q})
    else:
        _print_estimate(value, kind)


def _estimate_all(p: str, q: str, kind: Kind | None, method: str, level: float, seed: int, as_json: bool) -> None:
    """All f-divergences of two files of samples."""
    from divkit.methods.crossfit import estimate_all

    if kind is Kind.probabilities or method not in ("auto", "crossfit"):
        raise InvalidInput(
            "--all compares samples, by method crossfit; for probability vectors name the divergence, for another "
            "method leave --all out"
        )
    P, Q = (file_measure(name, path, read_array(path), Kind.samples) for name, path in (("P", p), ("Q", q)))
    assert isinstance(P, Samples)
    assert isinstance(Q, Samples)
    found = estimate_all(P.points, Q.points, x_weights=P.weights, y_weights=Q.weights, level=level, rng=seed)
    if as_json:
        print_json({"P": p, "Q": q, "divergences": {name: value.to_dict() for name, value in found.items()}})
        return
    table = Table("divergence", "lower bound", "standard error", f"at least (level {level:g})", "at most")
    for name, value in found.items():
        assert value.interval is not None
        error = "-" if value.stderr is None else f"{value.stderr:.2g}"
        table.add_row(name, f"{value:.6g}", error, f"{value.interval[0]:.6g}", f"{value.interval[1]:.6g}")
    console().print(table)


def _print_estimate(value: Estimate, kind: Kind) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row(value.divergence, f"{value:.12g}")
    table.add_row("files hold", kind.value)
    table.add_row("method", value.method)
    table.add_row("bound", f"{value.bound} ({value.estimand})")
    if value.stderr is not None:
        table.add_row("standard error", f"{value.stderr:.3g}")
    if value.interval is not None:
        level = "certain" if value.level == 1 else f"level {value.level:g}"
        table.add_row("interval", f"[{value.interval[0]:.12g}, {value.interval[1]:.12g}], {level}")
    for key, item in value.info.items():
        table.add_row(key.replace("_", " "), f"{item:.6g}" if isinstance(item, float) else str(item))
    Console(soft_wrap=True, markup=False, highlight=False).print(table)


@app.command()
def warmup() -> None:
    """Compile all kernels now, so that no later call has to; they stay on disk for later processes."""
    from time import perf_counter

    from divkit._warmup import STEPS

    for name, step in STEPS:
        start = perf_counter()
        step()
        typer.echo(f"{name}: {perf_counter() - start:.1f} s")


@app.command()
def methods(as_json: Json = False) -> None:
    """The table of what computes what."""
    heads = ("method", "measures", "divergences", "bound", "estimand", "needs")
    rows = [
        (cls.name, cls.measures, cls.divergences, cls.bound, cls.estimand, cls.requires or "-")
        for cls in map(method_class, METHODS)
    ]
    if as_json:
        print_json([dict(zip(heads, row, strict=True)) for row in rows])
        return
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    console(140).print(table)


@app.command()
def train(
    problem: Annotated[
        str, typer.Argument(help="ring, grid, fgan-mixture, swissroll, digits, or a file of points or images (.npy).")
    ],
    out: Annotated[Path, typer.Option(help="Folder for metrics, pictures, points and the checkpoint.")],
    objective: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(objective_names())}; by default relativistic, as it suits the problem."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Of the generator.", min=1)] = 10_000,
    batch: Annotated[int, typer.Option(help="Points of the data a step.", min=1)] = 256,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Of Adam, for both players, falling to 0; by default what suits the problem."),
    ] = None,
    width: Annotated[int, typer.Option(help="Units of a hidden layer; half as many channels.", min=1)] = 128,
    depth: Annotated[int, typer.Option(help="Hidden layers.", min=1)] = 3,
    codes: Annotated[
        int | None,
        typer.Option(help="Coordinates of the noise that become signs, for modes apart; 12 for ring and grid.", min=0),
    ] = None,
    waves: Annotated[
        int | None,
        typer.Option(help="Random waves that the discriminator sees, for many narrow modes; 32 for the grid.", min=0),
    ] = None,
    look_every: Annotated[int, typer.Option(help="Steps between metrics.", min=1)] = 250,
    attempts: Annotated[
        int,
        typer.Option(help="Trainings from other seeds, until held-out points find one hardly worse than data.", min=1),
    ] = 1,
    device: Annotated[str, typer.Option(help="As in torch: cpu, cuda.")] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in the folder.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train a GAN, judged by points that were held out; needs torch."""
    sizes = (steps, batch, learning_rate, width, depth, codes, waves, look_every)
    wanted = Wanted(problem, objective, *sizes, seed, attempts, device, resume, not as_json)
    found = train_gan(wanted, out)
    files = [str(path) for path in found.files]
    if as_json:
        found_all = {"metrics": found.metrics, "report": found.report, "files": files}
        print_json({"problem": problem, "objective": found.objective, **found_all})
        return
    table = Table("metric", "value", title=f"{problem}, {found.objective}")
    for part in (found.metrics, found.report):
        for name, value in part.items():
            table.add_row(name, value if isinstance(value, str) else f"{value:,.6g}")
        table.add_section()
    console().print(table)
    typer.echo(f"wrote {len(files)} files to {out}")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; errors are one line on standard error and exit code 2."""
    command = typer.main.get_command(app)
    try:
        with patient_output(), warnings.catch_warnings():
            warnings.simplefilter("always", DivkitWarning)
            warnings.showwarning = _show_warning
            code = command.main(
                args=None if arguments is None else list(arguments), prog_name="divkit", standalone_mode=False
            )
    except (DivkitError, OSError) as error:
        return _fail(str(error))
    except Exception as error:
        return _usage(error)
    return code if isinstance(code, int) else 0


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"divkit: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _usage(error: Exception) -> int:
    """What the command line parser raises, told apart by name: its classes have no stable public home."""
    kind, message = type(error).__name__, getattr(error, "format_message", None)
    if kind == "Abort":
        return 130
    if message is None:
        raise error
    if kind == "NoArgsIsHelpError":
        print(message())
        return 2
    return _fail(f"{message()} See divkit --help.")


def _fail(message: str) -> int:
    print(f"divkit: {' '.join(message.split())}", file=sys.stderr)
    return 2
