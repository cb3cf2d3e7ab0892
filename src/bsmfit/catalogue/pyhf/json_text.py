"""JSON from the web: parsed strictly, or refused in one line.

A key that occurs twice in one object is refused (by default the last one wins), and so
are numbers that JSON does not have, nesting that no workspace has, and integers of
thousands of digits.
"""

from __future__ import annotations

import json
from typing import Any

from bsmfit.catalogue.arguments import shown
from bsmfit.errors import DataFileError

__all__ = ["parse_json"]

_DEEPEST = 64  # a workspace has 9 levels


class _Refused(ValueError):
    """What is wrong with the content, without the name of the file."""


def parse_json(origin: str, text: str) -> Any:
    """Parse a JSON document.

    Args:
        origin: What the document is called in messages.
        text: The document.

    Returns:
        Its content.

    Raises:
        DataFileError: It is not JSON, or has a key twice, a number that is not finite,
            or more than 64 levels.

    Examples:
        >>> parse_json("workspace.json", '{"poi": "mu"}')
        {'poi': 'mu'}
    """
    try:
        content = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        msg = (
            f"{origin} is not JSON: line {error.lineno}, column {error.colno}: "
            f"{error.msg}"
        )
        raise DataFileError(msg) from error
    except _Refused as error:
        msg = f"{origin}: {error}"
        raise DataFileError(msg) from error
    except RecursionError as error:
        raise DataFileError(_too_deep(origin)) from error
    except ValueError as error:  # Python's limit on the digits of an integer
        msg = f"{origin}: a number has too many digits; write it as 1e9 or 1.5"
        raise DataFileError(msg) from error
    _refuse_depth(origin, content)
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; refuse a key that occurs twice."""
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            values = [shown(value) for name, value in pairs if name == key]
            name = made.get("name")
            where = "" if key == "name" or name is None else f" of {shown(name)}"
            msg = (
                f"the key {shown(key)}{where} occurs twice in one object, "
                f"{values[0]} and {values[1]}; remove one of them"
            )
            raise _Refused(msg)
        seen.add(key)
    return made


def _constant(text: str) -> Any:
    msg = f"{text} is no number of JSON; every number must be finite"
    raise _Refused(msg)


def _refuse_depth(origin: str, content: Any) -> None:
    """Refuse deep nesting, without recursion."""
    level = [content] if isinstance(content, dict | list) else []
    for _ in range(_DEEPEST):
        level = [
            entry
            for parent in level
            for entry in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(entry, dict | list)
        ]
        if not level:
            return
    raise DataFileError(_too_deep(origin))


def _too_deep(origin: str) -> str:
    return (
        f"{origin} is not a workspace: it is nested too deeply (more than {_DEEPEST} "
        "levels); give the JSON of one pyhf workspace"
    )
