"""YAML from the web as text, lists and mappings, within limits.

Nothing is constructed but these. Aliases are followed, since tools that make
HEPData tables write them, but only as far as the content stays small: a few lines of
aliases of aliases would otherwise stand for billions of entries. A key that occurs
twice in one mapping is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from bsmfit.catalogue.downloads import read_download, shown
from bsmfit.catalogue.files import display_path
from bsmfit.errors import DataFileError

__all__ = ["read_plain_yaml"]

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_LARGEST_MIB = 2  # takes seconds to parse
_MOST_ENTRIES = 600_000  # a table of 10 000 rows has 140 000
_DEEPEST = 32  # a table has 8 levels


def read_plain_yaml(path: Path) -> Any:
    """Read a file of one YAML document.

    Args:
        path: The file.

    Returns:
        Its content: text, lists and mappings.

    Raises:
        DataFileError: The file cannot be read, is no YAML, has a key twice, is nested
            too deeply or stands for too many entries.
    """
    name = display_path(path)
    text = read_download(path, largest_mib=_LARGEST_MIB)
    try:
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        problem = error.problem or error.context or "not valid YAML"
        if "another document" in problem:
            problem = "a second document (---): give the file of one table"
        if "nesting depth" in problem or "deep" in problem:
            problem = "it is nested too deeply"
        msg = f"{name}, {line}{problem}"
        raise DataFileError(msg) from None
    except (ReaderError, UnicodeEncodeError):
        msg = f"{name}: a control character is not allowed in YAML; remove it"
        raise DataFileError(msg) from None
    except RecursionError:
        msg = f"{name} is nested too deeply"
        raise DataFileError(msg) from None
    if node is None:
        msg = f"{name} is empty (it has comments only); download it again"
        raise DataFileError(msg)
    return _Builder(name).build(node, 0)[0]


class _Builder:
    """Turns nodes into plain values; an alias is built once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._built: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def build(self, node: yaml.Node, depth: int) -> tuple[Any, int]:
        """Return the value of a node, and how many entries it stands for."""
        if isinstance(node, yaml.ScalarNode):
            return node.value, 1
        key = id(node)
        if key in self._built:
            return self._built[key]
        if key in self._open:
            raise self._refusal(node, "an alias (*name) stands for itself")
        if depth > _DEEPEST:
            msg = f"it is nested too deeply (more than {_DEEPEST} levels)"
            raise self._refusal(node, msg)
        self._open.add(key)
        is_mapping = isinstance(node, yaml.MappingNode)
        made = self._mapping(node, depth) if is_mapping else self._list(node, depth)
        if made[1] > _MOST_ENTRIES:
            msg = (
                f"it has more than {_MOST_ENTRIES} entries, counted as often as an "
                "alias (*name) repeats them; keep only what is needed"
            )
            raise self._refusal(node, msg)
        self._open.remove(key)
        self._built[key] = made
        return made

    def _list(self, node: yaml.Node, depth: int) -> tuple[list[Any], int]:
        parts = [self.build(entry, depth + 1) for entry in node.value]
        return [value for value, _ in parts], 1 + sum(size for _, size in parts)

    def _mapping(self, node: yaml.Node, depth: int) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {}
        total = 1
        for key, entry in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._refusal(key, "a key must be text, not a list or mapping")
            value, size = self.build(entry, depth + 1)
            if key.value in values:
                msg = (
                    f"the key {shown(key.value)} occurs twice, with "
                    f"{shown(values[key.value])} and {shown(value)}; remove one of them"
                )
                raise self._refusal(key, msg)
            values[key.value] = value
            total += size + 1
        return values, total

    def _refusal(self, node: yaml.Node, problem: str) -> DataFileError:
        mark = node.start_mark
        line = f", line {mark.line + 1}" if mark else ""
        return DataFileError(f"{self.name}{line}: {problem}")
