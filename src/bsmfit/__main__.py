"""Run the command line with ``python -m bsmfit``, installed or from the source tree."""

from bsmfit.cli.start import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
