"""Write the digests of the shipped records, cards and tables after a change.

Run it from the repository, and commit ``data/SHA256SUMS`` with what was changed:

    python tools/write_digests.py
"""

from __future__ import annotations

from bsmfit.catalogue.digests import write_digests
from bsmfit.catalogue.files import data_root, model_root


def main() -> None:
    """Write the file."""
    print(f"wrote {write_digests(data_root(), model_root())}")


if __name__ == "__main__":
    main()
