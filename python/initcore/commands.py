"""The commands of ``initcore``. To add one: a function with ``@initcore.command()``.

Exit codes: 0 it worked, 1 it did not, 2 it was asked wrongly. With ``--json``, standard output holds one JSON
document and nothing else; progress and remarks go to standard error.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import platform
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from initcore import candidates, datasets, presets, theory
from initcore._table import aligned
from initcore.bench import report as bench_report
from initcore.bench import suite
from initcore.comparison import Comparison
from initcore.experiment import compare as run_compare
from initcore.info import build_info
from initcore.presets import run_preset
from initcore.runs import finite_or_none

OUT = "initcore-compare"


class _Failure(click.ClickException):
    """It was asked rightly and did not work."""

    exit_code = 1


class _WrongArgument(click.ClickException):
    """It was asked for something that does not exist or does not fit."""

    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(build_info()["version"], prog_name="initcore")
def initcore() -> None:
    """Start neural networks right on a CPU: initialization, fast training, comparison."""


# Of every command that measures.
_AS_JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print the results as JSON, and nothing else."
)
_QUIET = click.option("--quiet", is_flag=True, help="Show no progress.")


def _items(convert: Callable[[str], Any]) -> Callable[[Any, Any, str | None], list[Any] | None]:
    def callback(context: click.Context, parameter: click.Parameter, value: str | None) -> list[Any] | None:
        if value is None:
            return None
        try:
            return [convert(item.strip()) for item in value.split(",") if item.strip()]
        except ValueError:
            raise click.BadParameter(f"must be {parameter.metavar}, got {value!r}") from None

    return callback


def _seeds(context: click.Context, parameter: click.Parameter, value: str | None) -> int | list[int] | None:
    if value is None:
        return None
    numbers: list[int] = _items(int)(context, parameter, value) or []
    return numbers[0] if len(numbers) == 1 and "," not in value else numbers


def _default(name: str) -> str:
    value = inspect.signature(run_compare).parameters[name].default
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _option(name: str, text: str, **more: Any) -> Callable[[Any], Any]:
    """An option that is an argument of `compare`; its default is that of the function."""
    default = _default(name)
    shown = "" if default == "None" else f"  [default: {default}]"
    return click.option("--" + name.replace("_", "-"), name, help=text + shown, **more)


@initcore.command()
@click.option(
    "--preset",
    type=click.Choice(presets.names()),
    help="A classic experiment, printed beside what is known of it. Other options change it.",
)
@_option("dataset", "One of " + ", ".join(datasets.names()) + ".", metavar="NAME")
@_option("folder", "Where the data set's IDX files are.", type=click.Path(file_okay=False))
@_option("layers", "Units of the hidden layers.", metavar="N,N,...", callback=_items(int))
@_option("activation", "Of the hidden layers.", metavar="NAME")
@_option("vary", "What to compare.", type=click.Choice(list(candidates.VARIED)))
@_option(
    "schemes",
    "What to compare, each a NAME or NAME:NUMBER (normal:0.02, constant:0.1, sgd:0.01).  [default: "
    + ", ".join(candidates.VARIED["initializer"].default)
    + "]",
    metavar="NAME,NAME,...",
    callback=_items(str),
)
@_option("initializer", "Of all kernels, unless it is varied.", metavar="NAME")
@_option("optimizer", "NAME or NAME:RATE, unless it is varied.", metavar="NAME")
@click.option("--learning-rate", type=float, help="Of the optimizer.  [default: the optimizer's own]")
@_option("loss", "Of the training.  [default: the usual one of the task]", metavar="NAME")
@_option("epochs", "How often each network sees the data.", type=int)
@_option("batch_size", "Examples per step.", type=int)
@_option("seeds", "How many, or which.", metavar="N or N,N,...", callback=_seeds)
@_option(
    "target",
    "Score to which epochs are counted.  [default: nine tenths of the way from chance to the best]",
    type=float,
)
@click.option("--jobs", "n_jobs", type=int, help="Networks trained at a time.  [default: one per processor]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Folder for report.html, results.json and results.csv.  [default: {OUT}; with --json none]",
)
@_AS_JSON
@_QUIET
def compare(
    preset: str | None,
    learning_rate: float | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Train one network in several ways, from several seeds each, and compare them.

    Prints for each way the final loss, the score on test rows, the epochs to a target, and signal and
    gradient from the first layer to the last before training; then a verdict. Writes a page with the
    curves, JSON and CSV.

    \b
    Examples:
      initcore compare
      initcore compare --layers 32,32,32,32,32,32 --activation tanh
      initcore compare --schemes zeros,normal:0.02,he_normal --seeds 10
      initcore compare --vary optimizer --schemes sgd:0.1,adam:0.001,lion:0.0003
      initcore compare --dataset fashion-mnist --layers 128 --epochs 3 --seeds 2
      initcore compare --preset optimizers
    """
    arguments = {name: value for name, value in given.items() if value is not None}
    if learning_rate is not None:
        _add_rate(arguments, learning_rate)
    folder = Path(OUT) if out is None and not as_json else out
    if folder is not None:
        _check_writable("--out", folder)
    try:
        with _progress("training", "trained", quiet) as progress:
            if preset is None:
                result = run_compare(**arguments, progress=progress)
            else:
                result = run_preset(preset, arguments.pop("folder", None), **arguments, progress=progress)
    except (ValueError, TypeError) as error:
        raise _WrongArgument(str(error)) from error
    except OSError as error:
        raise _Failure(str(error)) from error

    if as_json:
        click.echo(json.dumps(result.to_dict(), allow_nan=False))
    else:
        _print(result)
    if folder is not None:
        _write(result, folder)


@contextmanager
def _progress(task: str, did: str, quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar while it lasts, on a terminal; what is returned moves it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        number = bar.add_task(task, total=None)
        yield lambda done, total, label: bar.update(
            number, completed=done, total=total, description=f"{did} {label}"
        )


def _add_rate(arguments: dict[str, Any], rate: float) -> None:
    optimizer = arguments.get("optimizer", _default("optimizer"))
    if arguments.get("vary") == "optimizer":
        raise click.UsageError(
            "--learning-rate does not go with --vary optimizer: write --schemes NAME:RATE,..."
        )
    if ":" in optimizer:
        raise click.UsageError(
            f"the learning rate is given twice: --optimizer {optimizer} and --learning-rate"
        )
    arguments["optimizer"] = f"{optimizer}:{rate!r}"


def _print(result: Comparison) -> None:
    console = Console()
    if not console.is_terminal:
        click.echo(result.table())
    else:
        for note in result.notes:
            console.print(note, markup=False, highlight=False)
        wide = console.width >= 100  # else the last column, seconds, is left to the page
        table = Table(box=None, padding=(0, 1 + wide, 0, 0), pad_edge=False, header_style="bold")
        for head in result.columns()[: None if wide else -1]:
            table.add_column(re.sub("^(test|epochs to) ", r"\1\n", head), no_wrap=True, vertical="bottom")
        for row in result.rows():
            table.add_row(*row[: len(table.columns)])
        console.print(table)
        console.print()
        for sentence in result.verdict:
            console.print(sentence, markup=False, highlight=False)
    for sentence in ("", *result.known) if result.known else ():
        click.echo(sentence)


def _check_writable(option: str, folder: Path) -> None:
    """Fail now, rather than after minutes of training, if nothing can be written there."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise _Failure(f"{option} must be a folder to write to, got {folder}: {error.strerror}") from error


def _write(result: Comparison, folder: Path) -> None:
    page = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        result.save_json(folder / "results.json")
        result.save_csv(folder / "results.csv")
        result.save_html(page)
    except OSError as error:
        raise _Failure(f"the results could not be written: {error}") from error
    except ImportError as error:
        raise _Failure(
            f"{page} was not written, {folder}/results.json and results.csv were: {error}"
        ) from error
    click.echo(f"\nWrote {page}, {folder / 'results.json'} and {folder / 'results.csv'}.", err=True)


@initcore.command()
@click.option("--threads", default=1, help="How many every library may use.  [default: 1]")
@click.option("--seconds", default=60.0, help="About how long it takes.  [default: 60]")
@click.option(
    "--only",
    help=f"Parts of it: {', '.join(suite.PARTS)}.  [default: all]",
    metavar="PART,PART,...",
    callback=_items(str),
)
@click.option(
    "--output",
    "--out",
    "out",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Folder for {' and '.join(bench_report.FILES)}.",
)
@_AS_JSON
@_QUIET
def bench(
    threads: int, seconds: float, only: list[str] | None, out: Path | None, as_json: bool, quiet: bool
) -> None:
    """Measure initcore beside NumPy, PyTorch, JAX and scikit-learn, and beside this machine's roof.

    All take turns on the same work in the same run and are compared within each turn; the median counts. What
    is not installed is named.
    Other programs that run meanwhile disturb it, with more than one thread above all.

    \b
    Examples:
      initcore bench
      initcore bench --threads 2 --only training
      initcore bench --output results
    """
    if out is not None:
        _check_writable("--output", out)
    try:
        with _progress("roof", "measuring", quiet) as progress:
            results = suite.run(threads, seconds, only or (), progress)
    except (ValueError, TypeError) as error:
        raise _WrongArgument(str(error)) from error
    except RuntimeError as error:
        raise _Failure(str(error)) from error
    click.echo(json.dumps(results, allow_nan=False) if as_json else bench_report.text(results))
    if out is not None:
        try:
            bench_report.save(results, out)
        except (OSError, ImportError) as error:
            raise _Failure(f"not everything was written to {out}: {error}") from error
        click.echo(f"\nWrote {' and '.join(str(out / name) for name in bench_report.FILES)}.", err=True)


@initcore.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def info(as_json: bool) -> None:
    """Tell how initcore was built, and what it uses of this machine.

    \b
    Examples:
      initcore info
      INITCORE_ISA=x86_64_v2 INITCORE_NUM_THREADS=1 initcore info --json
    """
    facts = {**build_info(), "python": platform.python_version(), "numpy": np.__version__}
    if as_json:
        click.echo(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {_spelled(value)}")


def _spelled(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {'unlimited' if entry is None else _spelled(entry)}" for name, entry in value.items()
        )
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@initcore.command("theory")
@click.argument("names", nargs=-1, metavar="[ACTIVATION]...")
@click.option(
    "--gains", is_flag=True, help="Print stability, the edge of chaos and PyTorch's numbers beside them."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show_theory(names: tuple[str, ...], gains: bool, as_json: bool) -> None:
    """Tell by what weights must be scaled after an activation; after all of them, if none is named.

    A kernel of standard deviation GAIN / sqrt(fan_in) keeps the second moment of the signal from layer to
    layer (forward), one of GAIN / sqrt(fan_out) that of the gradient (backward); of a gated pair as swiglu,
    the kernel behind the product. With --gains, beside them:
    the SLOPE of the second moment's map at its fixed point: if it exceeds 1, as for gelu, a deep stack with
    the forward gain drifts away from there unless it is normalized; the edge of chaos, weights of CRITICAL
    SIGMA_W / sqrt(fan_in) and biases of SIGMA_B, with which neither gradients nor differences between inputs
    vanish or explode in deep networks; and what PyTorch's calculate_gain returns, which keeps the signal for
    relu, leaky_relu and linear only.

    \b
    Examples:
      initcore theory
      initcore theory gelu tanh --json
      initcore theory --gains
      initcore theory --gains swiglu silu
    """
    facts: list[dict[str, Any]] = []
    try:
        table = theory.gain_table(*names) if gains else theory.GainTable()
        for name in names or theory.with_gain():
            gain = theory.gain(name)
            facts.append({"activation": name, "formula": theory.formula(name), **dataclasses.asdict(gain)})
    except ValueError as error:
        raise _WrongArgument(str(error)) from error
    for fact, row in zip(facts, table, strict=False):
        fact |= {"stability": dataclasses.asdict(row.stability)}
        fact |= {"critical": row.critical and row.critical._asdict(), "torch": row.torch}
    if as_json:
        click.echo(json.dumps(finite_or_none(facts), allow_nan=False))
    elif gains:
        click.echo(repr(table))
    else:
        rows = [(f["activation"], f"{f['forward']:.5f}", f"{f['backward']:.5f}", f["formula"]) for f in facts]
        click.echo(aligned(("activation", "forward", "backward", "formula"), rows))
