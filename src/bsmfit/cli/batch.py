"""``bsmfit batch``: maps from a run card, in blocks, by one process or many."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bsmfit.cli.compilation_cache import start_compilation_cache
from bsmfit.cli.device import DeviceKind, DeviceOption, start_devices
from bsmfit.cli.options import AllowCodeOption, FigureOption, parse_path
from bsmfit.cli.parameters import ProfileOption
from bsmfit.cli.scan_files import write_exports
from bsmfit.cli.scan_report import report
from bsmfit.cli.terminal import progress_bar

if TYPE_CHECKING:
    import xarray as xr

    from bsmfit.scan.batch.batch_run import Outcome
    from bsmfit.scan.batch.host import Host

__all__ = ["batch"]

batch = typer.Typer(
    help="Maps from a run card, in blocks, by one process or many.",
    no_args_is_help=True,
)


class Scheduler(StrEnum):
    """Batch systems that submit files are written for."""

    SLURM = "slurm"
    HTCONDOR = "htcondor"


CardArgument = Annotated[
    Path, typer.Argument(parser=parse_path, help="Run card, a YAML file.")
]
FolderArgument = Annotated[
    Path, typer.Argument(parser=parse_path, help="Folder of the run.")
]
OutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        parser=parse_path,
        metavar="PATH",
        help="Folder of the run; made where missing.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=1024,
        help="Spawn this many processes, each pinned to its share of the cores. "
        "Default: compute in this process.",
    ),
]
DaskOption = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Compute on a Dask cluster: tcp://HOST:PORT of a scheduler, or local:N "
        "for N processes here (pip install 'bsmfit[cluster]').",
    ),
]
TakeOverOption = Annotated[
    bool,
    typer.Option("--take-over", help="Take the lock of a process on another host."),
]


@batch.callback()
def _batch() -> None:
    """Maps from a run card, in blocks, by one process or many."""


@batch.command(epilog="Example: bsmfit batch run card.yaml --out result --workers 2")
def run(
    card: CardArgument,
    out: OutOption,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    block: Annotated[
        str | None,
        typer.Option(
            "--block",
            metavar="I/N",
            help="Only every N-th block from the I-th on, as one of N jobs of an "
            "array; `bsmfit batch merge` joins them.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another run in the folder.")
    ] = False,
    device: DeviceOption = DeviceKind.AUTO,
    allow_code: AllowCodeOption = False,
    take_over: TakeOverOption = False,
) -> None:
    """Compute the map of a card; one that was stopped continues.

    Writes blocks/*.nc while it runs and scan.nc when all are there.
    """
    from bsmfit.errors import InputError

    given = {"--workers": workers, "--dask": dask, "--overwrite": overwrite or None}
    if block is not None and any(value is not None for value in given.values()):
        option = next(name for name, value in given.items() if value is not None)
        msg = f"--block and {option} do not go together; leave one of them out"
        raise InputError(msg)
    _check_routes(workers, dask)
    from bsmfit.scan.batch.run_card import read_run_card

    share = None if block is None else _share(block)
    content = read_run_card(card)
    host = _enable(device, allow_code=allow_code)
    from bsmfit.scan.batch.batch_run import run_batch, run_share

    with progress_bar() as progress:
        if share is not None:
            outcome = run_share(
                content,
                out,
                share,
                take_over=take_over,
                host=host,
                progress=progress,
            )
        else:
            outcome = run_batch(
                content,
                out,
                n_worker=workers or 0,
                dask=dask,
                overwrite=overwrite,
                take_over=take_over,
                host=host,
                progress=progress,
            )
    _tell(outcome, out, host, is_share=share is not None)


@batch.command(epilog="Example: bsmfit batch resume result --workers 2")
def resume(
    folder: FolderArgument,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    device: DeviceOption = DeviceKind.AUTO,
    allow_code: AllowCodeOption = False,
    take_over: TakeOverOption = False,
) -> None:
    """Compute what is missing of a run that was stopped, and merge."""
    from bsmfit.scan.batch.manifest import Manifest
    from bsmfit.scan.batch.progress import is_finished

    _check_routes(workers, dask)
    manifest = Manifest.read(folder)
    if is_finished(folder, manifest):
        typer.echo(f"nothing to do: {folder / 'scan.nc'} is complete")
        return
    host = _enable(device, allow_code=allow_code)
    from bsmfit.scan.batch.batch_run import run_batch

    with progress_bar() as progress:
        outcome = run_batch(
            manifest.card,
            folder,
            n_worker=workers or 0,
            dask=dask,
            take_over=take_over,
            host=host,
            progress=progress,
        )
    _tell(outcome, folder, host)


@batch.command(epilog="Example: bsmfit batch status result")
def status(
    folder: FolderArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON in place of text.")
    ] = False,
) -> None:
    """Say how far a run is; every block is checked."""
    from bsmfit.scan.batch.progress import batch_status

    found = batch_status(folder)
    if as_json:
        report = {
            "n_block": found.n_block,
            "n_whole": found.n_whole,
            "is_finished": found.is_finished,
            "owners": list(found.owners),
            "plan_hash": found.manifest.plan_hash,
            "version": found.manifest.version,
        }
        typer.echo(json.dumps(report, indent=2))
        return
    state = "complete" if found.is_finished else "not complete"
    typer.echo(f"{folder}: {found.n_whole} of {found.n_block} blocks, {state}")
    for owner in found.owners:
        typer.echo(f"at work: {owner}")
    if not found.is_finished and not found.owners:
        typer.echo(f"continue: {_command('resume', folder)}")


@batch.command(epilog="Example: bsmfit batch merge result")
def merge(
    folder: FolderArgument,
    allow_code: AllowCodeOption = False,
    take_over: TakeOverOption = False,
) -> None:
    """Join the blocks of a run, once all are there, to scan.nc."""
    host = _enable(allow_code=allow_code)
    from bsmfit.scan.batch.batch_run import merge_batch

    _tell_result(merge_batch(folder, take_over=take_over, host=host), folder)


@batch.command(epilog="Example: bsmfit batch export result --profile decay_length")
def export(
    folder: FolderArgument,
    profile: ProfileOption = None,
    figure: FigureOption = True,
    take_over: TakeOverOption = False,
) -> None:
    """Write contours and figures of a finished run beside its scan.nc.

    Where the card has axes of parameters each plane has contours of its own.
    """
    from bsmfit.errors import OutputError
    from bsmfit.scan.batch.manifest import Manifest
    from bsmfit.scan.batch.progress import is_finished

    if not is_finished(folder, Manifest.read(folder)):
        again = _command("resume", folder)
        msg = f"{folder} is not complete: {again} computes what is missing"
        raise OutputError(msg)
    _enable()
    from bsmfit.scan.folder_lock import own_folder
    from bsmfit.scan.further_parameter import profile_parameter
    from bsmfit.scan.store import read_scan

    with own_folder(folder, take_over=take_over):
        dataset = read_scan(folder / "scan.nc")
        for name in profile or ():
            dataset = profile_parameter(dataset, name)
        report(dataset, write_exports(dataset, folder, figure=figure))


@batch.command(
    epilog="Example: bsmfit batch submit card.yaml --out result --scheduler slurm "
    "--jobs 50"
)
def submit(
    card: CardArgument,
    out: OutOption,
    scheduler: Annotated[
        Scheduler, typer.Option("--scheduler", help="The batch system.")
    ],
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=100_000, help="Jobs in the array.")
    ],
    cores: Annotated[
        int, typer.Option("--cores", min=1, max=1024, help="Cores of each job.")
    ] = 1,
    memory: Annotated[
        int, typer.Option("--memory", min=1, max=4096, help="Memory of each job [GB].")
    ] = 3,
    hours: Annotated[
        int, typer.Option("--hours", min=1, max=720, help="Longest time of a job [h].")
    ] = 4,
    device: DeviceOption = DeviceKind.AUTO,
    allow_code: AllowCodeOption = False,
) -> None:
    """Write, and do not send, the submit file of an array of jobs.

    --device and --allow-code are those of the jobs: a GPU need not be on this machine.
    """
    from bsmfit.errors import InputError
    from bsmfit.scan.batch.host import Host
    from bsmfit.scan.batch.run_card import read_run_card
    from bsmfit.scan.batch.submit_file import ArrayJob, write_submit_file
    from bsmfit.scan.folder_lock import own_folder

    content = read_run_card(card)
    of_jobs = Host(device.value, allow_code=allow_code)
    here = DeviceKind.CPU if device is DeviceKind.CPU else DeviceKind.AUTO
    host = _enable(here, allow_code=allow_code)
    from bsmfit.scan.batch.open_batch import open_batch

    with own_folder(out):
        n_block = len(open_batch(content, out, host=host).manifest.cut.blocks())
        if jobs > n_block:
            msg = (
                f"--jobs {jobs}: the card has {n_block} blocks; take at most that many "
                "jobs, or smaller block_points in the card"
            )
            raise InputError(msg)
        job = ArrayJob(
            card=card.absolute(),
            directory=out.absolute(),
            n_job=jobs,
            n_core=cores,
            memory_gb=memory,
            hours=hours,
            host=of_jobs,
        )
        path = write_submit_file(job, scheduler.value)
    send = "sbatch" if scheduler is Scheduler.SLURM else "condor_submit"
    typer.echo(f"wrote {path}: {n_block} blocks in {jobs} jobs")
    typer.echo(f"send: {send} {shlex.quote(str(path))}")
    typer.echo(f"afterwards: {_command('merge', out, host.code_option())}")


@batch.command(epilog="Example: bsmfit batch schema > card.schema.json")
def schema() -> None:
    """Print the JSON schema of run cards, for editors."""
    from bsmfit.scan.batch.run_card import card_schema

    typer.echo(card_schema())


@batch.command(hidden=True)
def work(
    folder: FolderArgument,
    cores: Annotated[str, typer.Option("--cores", help="Cores to stay on.")] = "",
    device: DeviceOption = DeviceKind.AUTO,
    allow_code: AllowCodeOption = False,
) -> None:
    """Compute the blocks named on stdin; started by `run --workers`."""
    import sys

    from bsmfit.scan.batch.worker_process import live_as_worker, pin_to_cores

    pin_to_cores(_cores(cores))
    host = _enable(device, allow_code=allow_code)
    live_as_worker(folder, sys.stdin, sys.stdout, host)


def _enable(device: DeviceKind = DeviceKind.AUTO, *, allow_code: bool = False) -> Host:
    """Get ready to compute, where that turns out to be needed."""
    os.environ.update(start_compilation_cache(os.environ))
    start_devices(device)
    from bsmfit.scan.batch.host import Host

    return Host(device.value, allow_code=allow_code)


def _cores(text: str) -> list[int]:
    """Read numbers of cores, with commas between them."""
    from bsmfit.errors import InputError

    given = text.split(",") if text else []
    if not all(core.isdecimal() and len(core) < 6 for core in given):
        msg = f"--cores {text!r} is no list of cores; the first two are 0,1"
        raise InputError(msg)
    return [int(core) for core in given]


def _check_routes(workers: int | None, dask: str | None) -> None:
    """Refuse two ways to compute at once."""
    from bsmfit.errors import InputError

    if workers is not None and dask is not None:
        msg = "--workers and --dask do not go together; leave one of them out"
        raise InputError(msg)
    if dask is not None:
        from bsmfit.scan.batch.dask_cluster import check_address

        check_address(dask)


def _share(text: str) -> tuple[int, int]:
    """Read I/N."""
    from bsmfit.errors import InputError

    number, slash, n_share = text.partition("/")
    if not (slash and number.isdecimal() and n_share.isdecimal()):
        msg = f"--block {text!r} is not I/N; the third of ten jobs is 3/10"
        raise InputError(msg)
    if not 1 <= int(number[:9]) <= int(n_share[:9]) < 10**8:
        msg = f"--block {text}: I is from 1 to N; jobs of ten are 1/10 to 10/10"
        raise InputError(msg)
    return int(number), int(n_share)


def _command(name: str, folder: Path, options: Sequence[str] = ()) -> str:
    """A command to go on with, as it is written."""
    return shlex.join(["bsmfit", "batch", name, str(folder), *options])


def _tell(
    outcome: Outcome, folder: Path, host: Host, *, is_share: bool = False
) -> None:
    """Say what was done; a run that was stopped exits as one by that signal."""
    n_whole = outcome.n_block - outcome.n_missing
    done = f"{n_whole} of {outcome.n_block} blocks are done"
    if outcome.n_missing:
        typer.echo(
            f"bsmfit: stopped: {done} and kept; the same command, or "
            f"{_command('resume', folder, host.options())}, continues",
            err=True,
        )
        raise typer.Exit(128 + (outcome.stopped_by or 0))
    typer.echo(f"{done}, {outcome.n_computed} of them now")
    if is_share:
        merge_all = _command("merge", folder, host.code_option())
        typer.echo(f"once all jobs are: {merge_all}")
        return
    from bsmfit.scan.store import read_scan

    _tell_result(read_scan(folder / "scan.nc"), folder)


def _tell_result(dataset: xr.Dataset, folder: Path) -> None:
    """Say where the result is, and what it is."""
    from bsmfit.cli.scan_report import need_result
    from bsmfit.scan.content_digest import content_digest

    typer.echo(f"wrote {folder / 'scan.nc'}\ncontent {content_digest(dataset)}")
    need_result(dataset)
