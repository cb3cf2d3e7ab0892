"""What a folder of blocks is: its card, its plan and how the plane is cut.

``batch.json`` is written before the first block and carries its own SHA-256. It is all
that status, workers and jobs of an array need to know which blocks there are; reading
it needs no JAX.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from bsmfit._version import __version__
from bsmfit.errors import DataFileError, OutputError
from bsmfit.scan.atomic import atomic_file
from bsmfit.scan.batch.run_card import RunCard
from bsmfit.scan.blocks import BlockCut, BlockFolder
from bsmfit.scan.sealed_file import sealed, unsealed

__all__ = ["MANIFEST_FILE", "RESULT_FILE", "Manifest", "claim_manifest"]

MANIFEST_FILE = "batch.json"
RESULT_FILE = "scan.nc"

_MAX_BYTES = 50_000_000
_AGAIN = "run `bsmfit batch run CARD --out DIR --overwrite` to begin again"


@dataclass(frozen=True)
class Manifest:
    """What a folder of blocks is.

    Attributes:
        card: The card.
        plan_hash: Identity of the plan.
        cut: How the plane is cut.
        n_coupling: Points in a row.
        version: Version of the package.
    """

    card: RunCard
    plan_hash: str
    cut: BlockCut
    n_coupling: int
    version: str = __version__

    def folder(self, directory: Path) -> BlockFolder:
        """The blocks in the folder of the result."""
        return BlockFolder(directory / "blocks", self.plan_hash)

    def write(self, directory: Path) -> None:
        """Write ``batch.json``, whole or not at all.

        Raises:
            OutputError: It cannot be written.
        """
        fields = dataclasses.asdict(self) | {"card": json.loads(self.card.to_json())}
        content = json.dumps(fields, sort_keys=True, indent=1).encode()
        with atomic_file(directory / MANIFEST_FILE) as temporary:
            temporary.write_bytes(sealed(content))

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """Read ``batch.json``.

        Args:
            directory: The folder of the result.

        Returns:
            The manifest.

        Raises:
            DataFileError: There is none, or it is damaged.
        """
        path = directory / MANIFEST_FILE
        if not path.is_file():
            msg = (
                f"{directory} holds no batch run: there is no {MANIFEST_FILE}; give "
                "the folder of `bsmfit batch run CARD --out DIR`"
            )
            raise DataFileError(msg)
        try:
            if path.stat().st_size > _MAX_BYTES:
                msg = f"is larger than {_MAX_BYTES} bytes"
                raise ValueError(msg)
            fields = json.loads(unsealed(path.read_bytes()))
            fields["card"] = RunCard.model_validate_json(json.dumps(fields["card"]))
            fields["cut"] = BlockCut(**fields["cut"])
            return cls(**fields)
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{path} {error}; {_AGAIN}"
            raise DataFileError(msg) from error

    def differences(self, other: Manifest) -> list[str]:
        """Say where another manifest differs, as `ScanPlan.differences`."""
        lines = self.card.differences(other.card)
        if self.version != other.version:
            lines.append(f"version: {other.version} there, {self.version} now")
        if not lines and self.plan_hash != other.plan_hash:
            lines = [
                "a data file, or what the model or a channel computes, has changed"
            ]
        return lines


def claim_manifest(directory: Path, mine: Manifest) -> Manifest:
    """Write the manifest, or find that of the same run.

    Args:
        directory: The folder of the result.
        mine: What is to be computed.

    Returns:
        The manifest to go by: that of the folder where it has one, since another
        device may cut blocks into other calls.

    Raises:
        OutputError: The folder holds another run.
        DataFileError: Its manifest is damaged.
    """
    if not (directory / MANIFEST_FILE).exists():
        mine.write(directory)
        return mine
    found = Manifest.read(directory)
    differences = mine.differences(found)
    if differences:
        has_begun = (directory / "blocks").exists() or (
            directory / RESULT_FILE
        ).exists()
        if has_begun:
            msg = (
                f"{directory} holds another run ({'; '.join(differences)}); choose "
                "another folder, or pass --overwrite to replace what is there"
            )
            raise OutputError(msg)
        mine.write(directory)
        return mine
    return found
