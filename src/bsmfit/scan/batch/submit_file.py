"""Submit files for batch systems: an array of jobs, each with its share of the blocks.

They are written, never sent: sites differ in queues, accounts and software, and the
file is short enough to be read and changed.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from bsmfit.errors import UnknownNameError
from bsmfit.scan.atomic import atomic_file, make_folder
from bsmfit.scan.batch.host import Host

__all__ = ["SCHEDULERS", "ArrayJob", "write_submit_file"]

SCHEDULERS = ("slurm", "htcondor")

_HOST = Host()


@dataclass(frozen=True)
class ArrayJob:
    """What a batch system must know.

    Attributes:
        card: The run card.
        directory: The folder of the result, seen by all jobs.
        n_job: Jobs in the array, >= 1.
        n_core: Cores of each job, >= 1.
        memory_gb: Memory of each job [GB], >= 1.
        hours: Longest time of each job [h], >= 1.
        host: What each job is told beside the card.
    """

    card: Path
    directory: Path
    n_job: int
    n_core: int = 1
    memory_gb: int = 3
    hours: int = 4
    host: Host = _HOST

    def slurm(self) -> str:
        """The script that ``sbatch`` takes."""
        log = self.directory / "logs" / "job-%a.txt"
        return "\n".join(
            [
                "#!/bin/bash",
                "#SBATCH --job-name=bsmfit",
                f"#SBATCH --array=1-{self.n_job}",
                f"#SBATCH --cpus-per-task={self.n_core}",
                f"#SBATCH --mem={self.memory_gb}G",
                f"#SBATCH --time={self.hours}:00:00",
                f"#SBATCH --output={log}",
                "# asked to stop a minute before the end: the block in flight is kept",
                "#SBATCH --signal=TERM@60",
                f"# afterwards: {self.merge_command()}",
                f"exec {self._command('${SLURM_ARRAY_TASK_ID}')}",
                "",
            ]
        )

    def htcondor(self) -> str:
        """The description that ``condor_submit`` takes."""
        logs = self.directory / "logs"
        arguments = self._command("$INT(number)").removeprefix(shlex.quote(_python()))
        return "\n".join(
            [
                f"# afterwards: {self.merge_command()}",
                f"executable = {_python()}",
                "number = $(Process) + 1",
                f"arguments = {arguments.strip()}",
                "getenv = True",
                f"request_cpus = {self.n_core}",
                f"request_memory = {self.memory_gb} GB",
                f"+MaxRuntime = {3600 * self.hours}",
                f"output = {logs}/job-$(Process).txt",
                f"error = {logs}/job-$(Process).err",
                f"log = {logs}/condor.txt",
                "kill_sig = SIGTERM",
                f"queue {self.n_job}",
                "",
            ]
        )

    def merge_command(self) -> str:
        """The command that joins the blocks."""
        start = [_python(), "-m", "bsmfit", "batch", "merge", str(self.directory)]
        return _words(start + self.host.code_option())

    def _command(self, number: str) -> str:
        """The command of one job; its number is filled in by the batch system."""
        start = [_python(), "-m", "bsmfit", "batch", "run", str(self.card)]
        start += ["--out", str(self.directory), *self.host.options()]
        return f"{_words(start)} --block {number}/{self.n_job}"


def write_submit_file(job: ArrayJob, scheduler: str) -> Path:
    """Write the submit file of an array of jobs into the folder of the result.

    Args:
        job: The array.
        scheduler: One of `SCHEDULERS`.

    Returns:
        The file.

    Raises:
        UnknownNameError: No such batch system.
        OutputError: It cannot be written.
    """
    texts = {"slurm": job.slurm, "htcondor": job.htcondor}
    if scheduler not in texts:
        kind = "scheduler"
        raise UnknownNameError.from_choices(kind, scheduler, SCHEDULERS)
    make_folder(job.directory / "logs")
    path = job.directory / ("submit.sh" if scheduler == "slurm" else "submit.sub")
    with atomic_file(path) as temporary:
        temporary.write_text(texts[scheduler](), encoding="utf-8")
    return path


def _python() -> str:
    return sys.executable


def _words(words: list[str]) -> str:
    return " ".join(map(shlex.quote, words))
