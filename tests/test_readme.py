"""The README says what works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_python_example_runs(tmp_path):
    code, counts = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    lines = [line for line in code.splitlines() if line]
    assert "enable_x64" in lines[1]
    assert len(lines) < 10
    smaller = code.replace("200)", "20), coupling=(1e-7, 1e-5, 20)")
    done = subprocess.run(
        [sys.executable, "-c", smaller + counts],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    # statistics.md section 10, set A (1, 0) with a shared factor of 1.2: 1.91211
    assert re.match(r"1\.9121\d* exact likelihood-ratio", done.stdout)
    assert {path.name for path in tmp_path.iterdir()} == {"contour.png", "contour.csv"}


@pytest.mark.parametrize(
    "link", sorted(set(re.findall(r"\]\((?!http)(.*?)\)", README)))
)
def test_links_lead_somewhere(link):
    assert (Path(__file__).parents[1] / link).exists()
