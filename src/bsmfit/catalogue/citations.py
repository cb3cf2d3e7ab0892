"""What to cite for a result: the bibliography of every data file that went into it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bsmfit.catalogue.files import data_root, model_root, read_text

__all__ = ["bibliography"]


def bibliography(inputs: Iterable[str]) -> str:
    """BibTeX of the publications behind data files.

    Args:
        inputs: Data files as a result names them, ``FOLDER/FILE``.

    Returns:
        The entries of the folders' ``refs.bib``, each folder and each key once; a
        comment for a folder that is not shipped with the package.
    """
    seen: set[str] = set()
    folders = dict.fromkeys(name.partition("/")[0] for name in inputs)
    parts = []
    for folder in folders:
        root = model_root() if folder == "models" else data_root() / folder
        path = root / "refs.bib"
        if path.is_file():
            parts.append(f"% {folder}\n{_new_entries(read_text(path), seen)}")
        else:
            parts.append(f"% {folder}: not shipped with bsmfit; cite its own source")
    return "\n\n".join(parts) + "\n"


def _new_entries(text: str, seen: set[str]) -> str:
    """The entries whose key was not seen; shipped files begin each on a line with @."""
    kept = []
    for entry in re.split(r"^(?=@)", text.strip(), flags=re.MULTILINE):
        key = re.match(r"@\w+\{\s*([^,\s]+)", entry)
        if key is None or key[1] not in seen:
            kept.append(entry)
        if key is not None:
            seen.add(key[1])
    return "".join(kept).strip()
