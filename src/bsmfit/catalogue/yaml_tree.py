"""From the text of a YAML file to plain values, within bounds.

    text --libyaml events--> text, numbers, lists, mappings + line of every key

The tree is built from events, one after the other, so that a file which is nested too
deeply, holds too many values or multiplies itself by aliases is refused where that
shows, before it takes time or memory. Keys given twice and tags are always refused.
libyaml does the parsing where PyYAML has it; the events of pure Python are the same.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, NoReturn

import yaml
from yaml.reader import Reader, ReaderError

from bsmfit.catalogue.schema_errors import KeyPath, join_keys
from bsmfit.errors import DataFileError

__all__ = ["YamlRules", "parse_yaml"]

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

# The plain scalars of YAML 1.2 (core schema), without octal and hexadecimal numbers.
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclasses.dataclass(frozen=True)
class YamlRules:
    """What a YAML file may be.

    Attributes:
        max_values: Most keys, entries and values in all; what an alias repeats counts
            each time.
        max_depth: Most levels of lists and mappings.
        has_aliases: Whether ``*name`` may repeat what ``&name`` marked.
        is_typed: Whether plain numbers, truth values and null become such; else all
            scalars are text.
    """

    max_values: int = 50_000
    max_depth: int = 50
    has_aliases: bool = False
    is_typed: bool = True


def parse_yaml(text: str, rules: YamlRules) -> tuple[Any, dict[KeyPath, int]]:
    """Parse a file of one YAML document.

    Args:
        text: What the file holds.
        rules: What it may be.

    Returns:
        Its content, None where it has no document; and the line of every key and list
        entry, counted from 1, by key path.

    Raises:
        DataFileError: It is no YAML, or against the rules; the message begins with the
            line and does not name the file.

    Examples:
        >>> parse_yaml("a: [1.5, no]", YamlRules())[0]
        {'a': [1.5, 'no']}
    """
    unprintable = Reader.NON_PRINTABLE.search(text)
    if unprintable:
        _refuse_control_character(text, unprintable.start())
    builder = _Builder(rules)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise DataFileError(_describe_syntax_error(error, text)) from None
    except ReaderError as error:
        _refuse_control_character(text, error.position)
    return builder.content, builder.lines


@dataclasses.dataclass(slots=True)
class _Frame:
    """A list or mapping that is being read."""

    content: dict[str, Any] | list[Any]
    path: KeyPath
    anchor: str | None
    n_before: int
    key: str | None = None


class _Builder:
    """Takes events and keeps the tree that they describe."""

    def __init__(self, rules: YamlRules) -> None:
        self.rules = rules
        self.content: Any = None
        self.lines: dict[KeyPath, int] = {}
        self.n_values = 0
        self._n_documents = 0
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open(event, {})
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open(event, [])
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self._frames.pop()
            self._remember(frame.anchor, frame.content, frame.n_before)
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._n_documents += 1
            if self._n_documents > 1:
                remedy = "give the file of one table or record"
                _refuse(event, f"a second document (---) is not allowed; {remedy}")

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        _refuse_tag(event)
        is_plain = self.rules.is_typed and event.implicit[0]
        value = _resolve(event.value) if is_plain else event.value
        frame = self._frames[-1] if self._frames else None
        if frame is not None and isinstance(frame.content, dict) and frame.key is None:
            self._count(event)
            self._take_key(event, frame, value)
            return
        self._place(event, value)
        self._remember(event.anchor, value, self.n_values - 1)

    def _take_key(self, event: yaml.ScalarEvent, frame: _Frame, key: Any) -> None:
        if not isinstance(key, str):
            given = _shortened(repr(event.value))
            _refuse(event, f"a key must be text, but {given} is not; quote it")
        path = (*frame.path, key)
        if key in frame.content:
            name = _shortened(repr(join_keys(path)))
            first = self.lines[path]
            _refuse(
                event,
                f"the key {name} is given twice; the first one is in line {first}",
            )
        self.lines[path] = event.start_mark.line + 1
        frame.key = key

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        if not self.rules.has_aliases:
            _refuse(event, "an alias (*name) is not allowed; write the value out")
        name = _shortened(event.anchor)
        if event.anchor not in self._anchors:
            _refuse(event, f"the alias *{name} repeats nothing that ends above it")
        value, n_values = self._anchors[event.anchor]
        self.n_values += n_values - 1
        self._place(event, value)

    def _open(self, event: yaml.NodeEvent, content: dict | list) -> None:
        _refuse_tag(event)
        n_before = self.n_values
        path = self._place(event, content)
        if len(self._frames) == self.rules.max_depth:
            limit = self.rules.max_depth
            _refuse(event, f"nested too deeply (at most {limit} levels)")
        self._frames.append(_Frame(content, path, event.anchor, n_before))

    def _place(self, event: yaml.Event, value: Any) -> KeyPath:
        """Put a value where the next one belongs, and return its path."""
        self._count(event)
        if not self._frames:
            self.content = value
            path: KeyPath = ()
        else:
            frame = self._frames[-1]
            if isinstance(frame.content, list):
                path = (*frame.path, len(frame.content))
                frame.content.append(value)
            elif frame.key is None:
                _refuse(event, "a key must be text, but this one is not; quote it")
            else:
                path = (*frame.path, frame.key)
                frame.content[frame.key] = value
                frame.key = None
        self.lines.setdefault(path, event.start_mark.line + 1)
        return path

    def _remember(self, anchor: str | None, value: Any, n_before: int) -> None:
        if anchor is not None and self.rules.has_aliases:
            self._anchors[anchor] = (value, self.n_values - n_before)

    def _count(self, event: yaml.Event) -> None:
        self.n_values += 1
        if self.n_values > self.rules.max_values:
            limit = self.rules.max_values
            _refuse(event, f"more than {limit} keys and values, the most that is read")


def _resolve(text: str) -> Any:
    """What a plain scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        # Decimal: YAML 1.1 would read 010 as 8. A long one is a float, finite or inf.
        return int(text) if len(text) < 19 else float(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    special = _NO_NUMBER.fullmatch(text)
    if special is None:
        return text
    return float("nan") if special[1] is None else float(f"{special[1]}inf")


def _refuse(event: yaml.Event, problem: str) -> NoReturn:
    mark = event.start_mark
    msg = f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
    raise DataFileError(msg)


def _refuse_tag(event: yaml.NodeEvent) -> None:
    tag = getattr(event, "tag", None)
    if tag is not None:
        tag = _shortened(tag)
        _refuse(event, f"a tag ({tag}) is not allowed; write a plain value")


def _refuse_control_character(text: str, position: int) -> NoReturn:
    line = text.count("\n", 0, position) + 1
    msg = f"line {line}: a control character is not allowed in YAML"
    raise DataFileError(msg) from None


def _describe_syntax_error(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    if "maximum nesting depth" in (error.problem or ""):
        return f"{where}nested too deeply"  # libyaml's own bound, met on reading ahead
    problem = error.problem or error.context or "not valid YAML"
    context = ""
    if error.context and error.problem:
        begin = error.context_mark
        start = f" from line {begin.line + 1}" if begin else ""
        context = f" ({error.context}{start})"
    if mark and _character_at(text, mark.line, mark.column) == "\t":
        return f"{where}a tab is not allowed here; indent with blanks"
    return f"{where}{problem}{context}"


def _character_at(text: str, line: int, column: int) -> str:
    lines = text.splitlines()[line : line + 1]
    return lines[0][column : column + 1] if lines else ""


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
