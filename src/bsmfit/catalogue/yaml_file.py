"""Read a YAML file into a schema, or say exactly what is wrong with it.

    text --PyYAML nodes--> plain values + line of every key --pydantic--> schema

The values are plain text, numbers, lists and mappings. Numbers and truth values follow
YAML 1.2: ``1.4e17`` is a number and ``no`` is text. Duplicate keys, aliases and tags
are refused. Whatever goes wrong becomes one `DataFileError` that names the file and,
for each fault, the line, the path of the key, the value given, what is allowed and the
closest key.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from bsmfit.catalogue.files import display_path, read_text
from bsmfit.catalogue.schema_errors import KeyPath, describe_errors, join_keys
from bsmfit.errors import DataFileError

__all__ = ["YamlDocument", "load_yaml", "read_yaml", "validate_document"]

Schema = TypeVar("Schema", bound=BaseModel)


@dataclasses.dataclass(frozen=True)
class YamlDocument:
    """The plain content of a YAML file.

    Attributes:
        path: The file.
        content: Keys and values, untyped.
        lines: Line of every key and list entry, counted from 1, by key path.
    """

    path: Path
    content: dict[str, Any]
    lines: dict[KeyPath, int]


def read_yaml(path: Path, schema: type[Schema]) -> Schema:
    """Read and validate a YAML file.

    Args:
        path: The file.
        schema: What it has to be.

    Returns:
        The validated content.

    Raises:
        DataFileError: The file cannot be read, is no YAML or does not fit the schema.
    """
    return validate_document(load_yaml(path), schema)


def validate_document(document: YamlDocument, schema: type[Schema]) -> Schema:
    """Validate the content of a YAML file.

    Args:
        document: The file's content.
        schema: What it has to be.

    Returns:
        The validated content.

    Raises:
        DataFileError: It does not fit the schema; every fault is listed.
    """
    try:
        return schema.model_validate(document.content)
    except ValidationError as error:
        faults = describe_errors(error, schema, document.content, document.lines)
    shown = display_path(document.path)
    if len(faults) == 1:
        msg = f"{shown}, {faults[0]}"
    else:
        msg = f"{shown} has {len(faults)} faults:\n  " + "\n  ".join(faults)
    raise DataFileError(msg)


def load_yaml(path: Path) -> YamlDocument:
    """Read a YAML file as plain values, with the line of every key.

    Args:
        path: The file.

    Returns:
        Its content; the top level is a mapping.

    Raises:
        DataFileError: The file cannot be read or is no acceptable YAML.
    """
    shown = display_path(path)
    text = read_text(path)
    lines: dict[KeyPath, int] = {}
    try:
        loader = _PlainLoader(text)
        try:
            node = loader.get_single_node()
            content = None if node is None else _build(loader, node, (), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        msg = f"{shown}, {_describe_syntax_error(error)}"
        raise DataFileError(msg) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        msg = f"{shown}, line {line}: a control character is not allowed in YAML"
        raise DataFileError(msg) from None
    except RecursionError:
        msg = f"{shown} is nested too deeply"
        raise DataFileError(msg) from None
    if content is None:
        msg = f"{shown} is empty (it has comments only)"
        raise DataFileError(msg)
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else f"the value {content!r}"
        msg = f"{shown} must be a mapping of keys to values, but is {kind}"
        raise DataFileError(msg)
    return YamlDocument(path=path, content=content, lines=lines)


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader without aliases, with the number and truth values of YAML 1.2."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012  (PyYAML's own class attribute)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            problem = "an alias (*name) is not allowed; write the value out"
            raise ComposerError(None, None, problem, self.peek_event().start_mark)
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            problem = f"a tag ({event.tag}) is not allowed; write a plain value"
            raise ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
):
    _PlainLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first
    )


def _build(
    loader: _PlainLoader, node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int]
) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(loader, node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(loader, child, (*path, position), lines)
            for position, child in enumerate(node.value)
        ]
    if node.tag == "tag:yaml.org,2002:int":
        # Decimal: PyYAML would read 010 as 8. As a float, a long one is finite or inf.
        return int(node.value) if len(node.value) < 19 else float(node.value)
    return loader.construct_object(node)


def _build_mapping(
    loader: _PlainLoader,
    node: yaml.MappingNode,
    path: KeyPath,
    lines: dict[KeyPath, int],
) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key_node, value_node in node.value:
        mark = key_node.start_mark
        if key_node.tag != "tag:yaml.org,2002:str":
            given = repr(key_node.value) if key_node.id == "scalar" else "this one"
            problem = f"a key must be text, but {given} is not; quote it"
            raise ConstructorError(None, None, problem, mark)
        key = key_node.value
        key_path = (*path, key)
        if key in content:
            problem = (
                f"the key {join_keys(key_path)!r} is given twice; the first one is in "
                f"line {lines[key_path]}"
            )
            raise ConstructorError(None, None, problem, mark)
        lines[key_path] = mark.line + 1
        content[key] = _build(loader, value_node, key_path, lines)
    return content


def _describe_syntax_error(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = error.problem or error.context or "not valid YAML"
    context = ""
    if error.context and error.problem:
        begin = error.context_mark
        start = f" from line {begin.line + 1}" if begin else ""
        context = f" ({error.context}{start})"
    if "'\\t'" in problem:
        return f"{where}a tab is not allowed here; indent with blanks"
    if "another document" in problem:
        return f"{where}a second document (---) is not allowed"
    return f"{where}{problem}{context}"
