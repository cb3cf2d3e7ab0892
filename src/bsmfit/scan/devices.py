"""Which devices compute a scan, and how its rows are dealt out to them.

Rows (masses) of one call are split evenly over all local devices of one kind; every
device runs the same program on its own rows and none waits for another. One device is
the special case of a mesh of one.

    kind --local_devices--> devices --row_mesh--> mesh --over_devices--> rows
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from bsmfit.errors import InputError, UnknownNameError

__all__ = [
    "CHUNK_POINTS",
    "DEVICE_KINDS",
    "Device",
    "by_row",
    "chunk_points",
    "describe_devices",
    "local_devices",
    "on_all_devices",
    "over_devices",
    "row_mesh",
]

DEVICE_KINDS = ("auto", "cpu", "gpu")

CHUNK_POINTS = 8192
"""Points that a CPU evaluates at once: more do not fit its caches."""

_CHUNK_VALUES = 2**21  # doubles of a CPU's temporaries: few, to stay in a cache

# points and doubles (where it does not tell its memory) of an accelerator, and what
# share of its memory temporaries are planned to take: XLA may lay them out otherwise
_MANY_POINTS, _MANY_VALUES, _MEMORY_SHARE = 2**18, 2**27, 1.0 / 16.0
_FEWEST = 32

_ON_ALL, _BY_ROW = PartitionSpec(), PartitionSpec("row")

# what JAX raises: the second one where no platform of JAX_PLATFORMS is installed
_NO_BACKEND = (RuntimeError, AssertionError)


@runtime_checkable
class Device(Protocol):
    """What is read off a device of JAX, whose own class has no public type.

    Attributes of every device: `platform` (``"cpu"``, ``"gpu"``) and `device_kind`, the
    name of its maker for it.
    """

    @property
    def platform(self) -> str:
        """Kind of device in JAX."""
        ...

    @property
    def device_kind(self) -> str:
        """Name of the device."""
        ...

    def memory_stats(self) -> dict[str, Any] | None:
        """Bytes by what they are for, or None where it does not say."""
        ...


def local_devices(kind: str = "auto") -> tuple[Device, ...]:
    """The devices of this process that a scan runs on.

    Args:
        kind: ``"gpu"`` for all GPUs, ``"cpu"`` for the CPU (or the virtual devices that
            ``XLA_FLAGS`` cuts it into), ``"auto"`` for what JAX prefers: GPUs where it
            sees any.

    Returns:
        One or more devices of one kind.

    Raises:
        UnknownNameError: There is no such kind.
        InputError: JAX sees no such device.

    Examples:
        >>> local_devices("cpu")[0].platform
        'cpu'
    """
    if kind not in DEVICE_KINDS:
        what = "device"
        raise UnknownNameError.from_choices(what, kind, DEVICE_KINDS)
    backend = None if kind == "auto" else kind
    try:
        return tuple(jax.local_devices(backend=backend))
    except _NO_BACKEND as error:
        msg = f"device {kind}: {_what_jax_sees()}; {_advice(kind)}"
        raise InputError(msg) from error


def describe_devices(devices: Sequence[Device]) -> str:
    """Name devices, with their number where there are several.

    Args:
        devices: One or more devices.

    Returns:
        Text such as ``"cpu"`` or ``"2 x NVIDIA H200"``.

    Examples:
        >>> describe_devices(local_devices("cpu")[:1])
        'cpu'
    """
    numbers = Counter(device.device_kind for device in devices)
    return ", ".join(
        kind if number == 1 else f"{number} x {kind}"
        for kind, number in numbers.items()
    )


def row_mesh(devices: Sequence[Device]) -> Mesh:
    """A mesh of devices with the one axis ``"row"``.

    Args:
        devices: One or more devices.

    Returns:
        The mesh.
    """
    return Mesh(np.array(devices, dtype=object), ("row",))


def on_all_devices(tree: PyTree, mesh: Mesh) -> PyTree:
    """Put the arrays of a tree on all devices.

    Args:
        tree: Arrays, and what else a module holds.
        mesh: The devices.

    Returns:
        The tree, of arrays of JAX.
    """
    arrays, structure = eqx.partition(
        tree, lambda leaf: eqx.is_array(leaf) or isinstance(leaf, np.ndarray)
    )
    return eqx.combine(jax.device_put(arrays, NamedSharding(mesh, _ON_ALL)), structure)


def by_row(array: np.ndarray, mesh: Mesh) -> jax.Array:
    """Deal the rows of an array out to the devices.

    Args:
        array: Rows, a multiple of the number of devices.
        mesh: The devices.

    Returns:
        The array.
    """
    return jax.device_put(array, NamedSharding(mesh, _BY_ROW))


def over_devices(
    function: Callable[..., PyTree],
    module: PyTree,
    mesh: Mesh,
    *,
    rows: tuple[jax.Array, ...],
    shared: tuple[jax.Array, ...] = (),
) -> PyTree:
    """Call a function on each device with the rows that are its own.

    Args:
        function: Called with the module, arrays of some rows, and arrays that are
            whole on every device; what it returns begins with the axis of the rows.
        module: What the function computes with; its arrays are traced.
        mesh: The devices.
        rows: Arrays of which each device has its share (`by_row`).
        shared: Arrays that each device has whole (`on_all_devices`).

    Returns:
        What the function returns, all rows; devices exchange nothing.
    """
    arrays, structure = eqx.partition(module, eqx.is_array)

    def own(
        arrays: PyTree, rows: tuple[jax.Array, ...], shared: tuple[jax.Array, ...]
    ) -> PyTree:
        return function(eqx.combine(arrays, structure), *rows, *shared)

    return jax.shard_map(
        own,
        mesh=mesh,
        in_specs=(_ON_ALL, _BY_ROW, _ON_ALL),
        out_specs=_BY_ROW,
        check_vma=False,  # devices exchange nothing
    )(arrays, rows, shared)


def chunk_points(n_value: int, device: Device) -> int:
    """Points that a device evaluates at once: as many as fit.

    A CPU is given what fits its caches. An accelerator starves on that: it is given
    262,144 points, or those whose temporaries take a sixteenth of its memory.

    Args:
        n_value: Doubles that the temporaries of one point take, about.
        device: Where they are evaluated.

    Returns:
        Points, at least 32.
    """
    most, values = CHUNK_POINTS, _CHUNK_VALUES
    if device.platform != "cpu":
        most, values = _MANY_POINTS, _values_that_fit(device)
    return int(np.clip(values // n_value, _FEWEST, most))


def _values_that_fit(device: Device) -> int:
    """Doubles of temporaries for which an accelerator has the memory."""
    memory = (device.memory_stats() or {}).get("bytes_limit")
    return int(memory * _MEMORY_SHARE) // 8 if memory else _MANY_VALUES


def _what_jax_sees() -> str:
    """Name the devices that there are, or why there is none."""
    try:
        seen = describe_devices(jax.local_devices())
    except _NO_BACKEND as error:
        reason = str(error).strip().partition("\n")[0] or "it does not say why"
        return f"JAX {jax.__version__} starts on none ({reason})"
    return f"there is none, JAX {jax.__version__} sees only {seen}"


def _advice(kind: str) -> str:
    """What to do where there is no such device."""
    # JAX's stub of its options does not list this one
    platforms = jax.config.jax_platforms  # pyright: ignore[reportAttributeAccessIssue]
    if platforms:
        return (
            f"JAX looks for {platforms} alone, since JAX_PLATFORMS says so: unset it, "
            "or name what there is"
        )
    if kind == "gpu":
        return (
            "for an NVIDIA GPU install JAX with CUDA, pip install 'bsmfit[cuda13]' or "
            "'bsmfit[cuda12]' by its driver, or take device cpu"
        )
    return "choose another device"
