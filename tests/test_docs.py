"""The code in the documentation runs."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("pages", [("limits.md", "intervals.md")])
def test_code_of_pages_runs_from_top_to_bottom(pages, capsys):
    namespace = {}
    for page in pages:
        text = (DOCS / page).read_text(encoding="utf-8")
        for code in re.findall(r"```python\n(.*?)```", text, flags=re.S):
            exec(compile(code, page, "exec"), namespace)
    printed = capsys.readouterr().out.splitlines()
    # statistics.md, sections 3, 10 and 6
    assert printed[0].startswith("3.993")
    assert printed[1].startswith("1.912")
    assert printed[-1].startswith("0.0 3.85")
