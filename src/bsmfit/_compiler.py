"""How XLA compiles for a CPU: the emitter that takes half the time.

Most of what a user waits for at the start is compilation. Up to jaxlib 0.10 XLA's CPU
compiler has two emitters of fused operations, whose programs run at the same speed; the
one that is not the default compiles in half the time. Later versions have one.
"""

from __future__ import annotations

import os

__all__ = ["choose_quick_emitter"]

_FLAG = "xla_cpu_use_fusion_emitters"
_FIRST, _END = (0, 7), (0, 11)  # versions of jaxlib that know the flag


def choose_quick_emitter() -> None:
    """Choose the emitter, unless `XLA_FLAGS` names one or jaxlib knows no such choice.

    XLA reads the variable when it starts; afterwards it changes nothing.

    Examples:
        >>> choose_quick_emitter()
    """
    from jaxlib import version

    given = os.environ.get("XLA_FLAGS", "")
    installed = tuple(int(part) for part in version.__version__.split(".")[:2])
    if _FLAG not in given and _FIRST <= installed < _END:
        os.environ["XLA_FLAGS"] = f"{given} --{_FLAG}=false".lstrip()
