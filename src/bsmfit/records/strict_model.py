"""The base class of every schema, and how a schema says what is wrong.

A record, a geometry and a model card are YAML files written by people. The schemas here
therefore refuse what they do not know: an unknown key, text where a number belongs,
infinities and nan. Nothing is converted silently.

A validator raises `invalid_value`, whose text `bsmfit.catalogue.yaml_file` puts beside
the file name, the line and the key path. The schemas themselves read no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Strict, StringConstraints
from pydantic_core import PydanticCustomError

__all__ = [
    "CouplingName",
    "Identifier",
    "Items",
    "NuisanceName",
    "StrictModel",
    "Text",
    "first_duplicate",
    "invalid_value",
]

Item = TypeVar("Item")

# A YAML list: the list becomes a tuple, its members stay strictly typed.
Items = Annotated[tuple[Item, ...], Strict(False)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Identifier = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)
]
NuisanceName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)
]
CouplingName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)
]


class StrictModel(BaseModel):
    """A frozen schema without unknown keys, conversions or infinite numbers."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


def invalid_value(text: str, *, key: str | None = None) -> PydanticCustomError:
    """Make the error that a validator raises for a value that is not allowed.

    Args:
        text: What was given and what is allowed.
        key: The key below the validated object that is at fault, dots between levels;
            None where the object as a whole is.

    Returns:
        The error, to be raised by the validator.
    """
    return PydanticCustomError("bsmfit", "{text}", {"text": text, "key": key or ""})


def first_duplicate(names: Sequence[str]) -> str | None:
    """Return the first name that occurs twice, or None.

    Args:
        names: Names that should all differ.

    Returns:
        The first repeated name, or None where all differ.

    Examples:
        >>> first_duplicate(["a", "b", "a"])
        'a'
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
