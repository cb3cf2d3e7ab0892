"""The README says what works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_python_example_runs(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    lines = [line for line in code.splitlines() if line]
    assert "enable_x64" in lines[1]
    assert len(lines) < 10
    smaller = code.replace("200)", "20), coupling=(1e-7, 1e-5, 20)")
    subprocess.run(
        [sys.executable, "-c", smaller], cwd=tmp_path, check=True, capture_output=True
    )
    assert {path.name for path in tmp_path.iterdir()} == {"contour.png", "contour.csv"}


@pytest.mark.parametrize(
    "link", sorted(set(re.findall(r"\]\((?!http)(.*?)\)", README)))
)
def test_links_lead_somewhere(link):
    assert (Path(__file__).parents[1] / link).exists()
