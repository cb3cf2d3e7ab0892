"""``--device``: where commands that scan compute."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["DeviceKind", "DeviceOption", "start_devices"]

_PLATFORMS = "JAX_PLATFORMS"


class DeviceKind(StrEnum):
    """Kinds of device, as `bsmfit.scan.devices.DEVICE_KINDS`."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "gpu"


DeviceOption = Annotated[
    DeviceKind,
    typer.Option(
        "--device",
        help="Where to compute: all GPUs of this machine, or its CPU. The default "
        "takes GPUs where JAX sees any.",
    ),
]


def start_devices(kind: DeviceKind) -> None:
    """Start JAX, in float64, on the devices that were asked for.

    Workers that this process spawns inherit the choice of the CPU.

    Args:
        kind: The kind.

    Raises:
        InputError: There are none; nothing has been written.
    """
    if kind is DeviceKind.CPU:  # JAX then takes no memory of a GPU
        os.environ[_PLATFORMS] = "cpu"
    from bsmfit import enable_x64

    enable_x64()
    from bsmfit.scan.devices import local_devices

    local_devices(kind.value)
