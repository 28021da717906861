"""`python -m tests.storage.disk`: the figures of all surveys, `--few` those of a default test run."""

import sys
import time

from tests.storage.disk.survey import workplace
from tests.storage.disk.totals import FEW, MANY, distinct, survey_all


def main() -> None:
    """Check every state and print how many there are."""
    began = time.monotonic()
    with workplace() as folder:
        found = survey_all(FEW if "--few" in sys.argv[1:] else MANY, folder)
    for name, figures in found.items():
        print(f"{name:24}{figures.looks:8,} looks{len(figures.states):8,} states")
    looks, states = sum(figures.looks for figures in found.values()), len(distinct(found))
    print(f"{'all':24}{looks:8,} looks{states:8,} states, all survived, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
