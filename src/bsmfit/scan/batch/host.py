"""Where a card is computed, and whether code that it names may run there.

No number depends on it, so it is no part of a card, of a plan or of a folder: each
command says it again.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Host"]


@dataclass(frozen=True)
class Host:
    """What a process is told beside the card.

    Attributes:
        device: Kind of device, of `bsmfit.scan.devices.DEVICE_KINDS`.
        allow_code: Whether the Python function that a model card names may run.
    """

    device: str = "auto"
    allow_code: bool = False

    def options(self) -> list[str]:
        """The same as options of a command.

        Examples:
            >>> Host("cpu", allow_code=True).options()
            ['--device', 'cpu', '--allow-code']
        """
        device = [] if self.device == "auto" else ["--device", self.device]
        return device + self.code_option()

    def code_option(self) -> list[str]:
        """The option of a command that computes nothing."""
        return ["--allow-code"] if self.allow_code else []
