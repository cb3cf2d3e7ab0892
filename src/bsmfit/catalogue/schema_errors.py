"""Turn pydantic's errors into sentences a user can act on.

Each fault names the line and the path of the key, what was given, what is allowed and
the closest valid key. The wording is ours: no type codes, no links.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bsmfit.errors import closest_name

__all__ = ["MAX_FAULTS", "KeyPath", "describe_errors", "join_keys"]

KeyPath = tuple[str | int, ...]

MAX_FAULTS = 50
"""Faults that are described; looking for the closest key takes 0.3 ms each."""

_EXPECTED = {
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
}
_BOUNDS = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "<="),
}


def describe_errors(
    error: ValidationError,
    schema: type[BaseModel],
    content: Mapping[str, Any],
    lines: Mapping[KeyPath, int],
) -> list[str]:
    """Describe every fault that pydantic found.

    Args:
        error: What pydantic raised.
        schema: The schema that the content was validated against.
        content: The plain content of the file.
        lines: Line of every key, counted from 1, by key path.

    Returns:
        One sentence per fault, in the order of the file, of the first `MAX_FAULTS`.
    """
    first = error.errors(include_url=False)[:MAX_FAULTS]
    found = [(_path_of(details), details) for details in first]
    guessed: set[KeyPath] = set()
    for path, details in found:
        if details["type"] == "extra_forbidden":
            guess, _ = _closest_key(path, schema, content)
            guessed.add((*path[:-1], guess or ""))
    faults: list[tuple[KeyPath, str]] = []
    missing: dict[KeyPath, list[str]] = {}
    for path, details in found:
        kind = details["type"]
        if kind == "missing":
            if path not in guessed:  # else the misspelt key is reported
                missing.setdefault(path[:-1], []).append(repr(str(path[-1])))
        elif kind != "too_short" or not _is_below(path, [p for p, _ in found]):
            faults.append((path, _describe(details, path, schema, content)))
    for parent, keys in missing.items():
        faults.append((parent, _describe_missing(parent, keys)))
    numbered = [(_line_of(path, lines), text) for path, text in faults]
    return [f"line {line}: {text}" for line, text in sorted(numbered, key=_first)]


def join_keys(path: KeyPath) -> str:
    """Write a key path as text.

    Args:
        path: Keys and positions from the top level on.

    Returns:
        The path with dots, positions in brackets.

    Examples:
        >>> join_keys(("nuisances", 0, "size"))
        'nuisances[0].size'
    """
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if text else key
    return text


def _path_of(details: ErrorDetails) -> KeyPath:
    path: list[str | int] = [key for key in details["loc"] if key != "[key]"]
    below = details.get("ctx", {}).get("key", "") if details["type"] == "bsmfit" else ""
    keys = below.replace("[", ".").replace("]", "").split(".")
    path.extend(int(key) if key.isdigit() else key for key in keys if key)
    return tuple(path)


def _first(fault: tuple[int, str]) -> int:
    return fault[0]


def _is_below(path: KeyPath, others: list[KeyPath]) -> bool:
    return any(len(o) > len(path) and o[: len(path)] == path for o in others)


def _line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _describe(
    details: ErrorDetails,
    path: KeyPath,
    schema: type[BaseModel],
    content: Mapping[str, Any],
) -> str:
    kind = details["type"]
    if kind == "extra_forbidden":
        return _describe_unknown_key(path, schema, content)
    name = join_keys(path) or "the file"
    if details["loc"][-1:] == ("[key]",):
        return f"the key {name} {_expectation(details)}"
    if kind == "bsmfit":
        return f"{name} {details['msg']}"
    return f"{name} = {_shown(_value_at(content, path))} {_expectation(details)}"


def _expectation(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    given = details["input"]
    if kind == "string_type" and isinstance(given, int | float):
        return "must be text; put it in quotes"
    if kind in _EXPECTED:
        quoted = isinstance(given, str) and _is_number(given)
        return _EXPECTED[kind] + (", without quotes" if quoted else "")
    if kind in _BOUNDS:
        key, symbol = _BOUNDS[kind]
        return f"must be {symbol} {context[key]:g}"
    if kind == "literal_error":
        return _describe_choice(given, str(context["expected"]))
    if kind == "string_too_short":
        return "must not be empty"
    if kind in ("too_short", "too_long"):
        key, word = (
            ("min_length", "least") if kind == "too_short" else ("max_length", "most")
        )
        return f"must have at {word} {context[key]} entries"
    if kind == "string_pattern_mismatch":
        return f"must match the pattern {context['pattern']}"
    return details["msg"].replace("Input should", "should").replace("Value error, ", "")


def _describe_choice(given: Any, expected: str) -> str:
    guess = None
    if isinstance(given, str):
        guess = closest_name(given, [word.strip("'") for word in _words(expected)])
    hint = f"; did you mean {guess!r}?" if guess else ""
    return f"must be {expected}{hint}"


def _words(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _describe_unknown_key(
    path: KeyPath, schema: type[BaseModel], content: Mapping[str, Any]
) -> str:
    given, parent = str(path[-1]), path[:-1]
    guess, allowed = _closest_key(path, schema, content)
    where = f" in {join_keys(parent)}" if parent else ""
    hint = f"; did you mean {guess!r}?" if guess else ""
    return f"unknown key {_shown(given)}{where}{hint} (allowed: {', '.join(allowed)})"


def _describe_missing(parent: KeyPath, keys: list[str]) -> str:
    where = f" in {join_keys(parent)}" if parent else ""
    if len(keys) == 1:
        return f"the key {keys[0]} is missing{where}"
    return f"the keys {', '.join(keys)} are missing{where}"


def _closest_key(
    path: KeyPath, schema: type[BaseModel], content: Mapping[str, Any]
) -> tuple[str | None, list[str]]:
    """Return the closest valid key, one not yet given if possible, and all of them."""
    given, parent = str(path[-1]), path[:-1]
    model = _model_at(schema, parent)
    allowed = sorted(model.model_fields) if model else []
    present = _value_at(content, parent) or {}
    absent = [key for key in allowed if key not in present]
    return closest_name(given, absent) or closest_name(given, allowed), allowed


def _model_at(annotation: Any, path: KeyPath) -> type[BaseModel] | None:
    """Follow a key path through the annotations of nested schemas."""
    annotation = _strip(annotation)
    if not path:
        is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        return annotation if is_model else None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(path[0]))
        return _model_at(field.annotation, path[1:]) if field else None
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return _model_at(arguments[1], path[1:])
    return _model_at(arguments[0], path[1:]) if arguments else None


def _strip(annotation: Any) -> Any:
    """Remove Annotated and "or None" around an annotation."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin is Union or origin is types.UnionType:
            options = [a for a in get_args(annotation) if a is not type(None)]
            annotation = options[0]
        else:
            return annotation


def _value_at(content: Any, path: KeyPath) -> Any:
    for key in path:
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def _shown(value: Any) -> str:
    if value is None:
        return "(empty)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{...}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
