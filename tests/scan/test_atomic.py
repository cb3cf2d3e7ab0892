"""Files that are written whole or not at all, by many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bsmfit.scan.atomic import atomic_file


def test_800_writes_of_one_file_at_once(tmp_path):
    path = tmp_path / "result.txt"

    def write(number: int) -> None:
        with atomic_file(path) as temporary:
            temporary.write_text(f"{number:04d}" * 500)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(800)))  # raises what one of them raised
    text = path.read_text()
    assert text == text[:4] * 500
    assert list(tmp_path.iterdir()) == [path]
