"""Sphinx configuration: MyST Markdown, notebooks shown without running them."""

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_VERSION_FILE = _ROOT / "src" / "bsmfit" / "_version.py"

project = "bsmfit"
author = "The bsmfit developers"
project_copyright = "2026, The bsmfit developers"
# read, not imported: building the pages needs neither JAX nor the package
release = re.search(r'__version__ = "([^"]+)"', _VERSION_FILE.read_text())[1]
version = release

extensions = ["myst_nb", "sphinx.ext.mathjax"]
exclude_patterns = ["_build", "jupyter_execute"]

myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # `.ci/run` executes the notebooks with nbmake

html_theme = "furo"
html_title = f"bsmfit {release}"
html_copy_source = False
