"""Measure Easel as it runs, and write down what came of it: `make bench`.

python -m bench.run [--only even,short,burst,sustained,flight,crowd] [--rounds 3]
python -m bench.run --only budget [--minutes 10]
"""

import argparse
import gc
from pathlib import Path

from bench import budget, report, scenarios

PAGE = Path(__file__).with_name("RESULTS.md")
SHORT = ("even", "short", "burst", "sustained", "flight", "crowd")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(SHORT), help="which scenarios, with commas")
    parser.add_argument("--rounds", type=int, default=3, help="of each bot at 20 a second")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the budget scenario")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    # The stand-ins are part of every figure: no pause of theirs should be.
    gc.set_threshold(100_000, 50, 100)
    runs = {
        "even": lambda: scenarios.even(rounds=options.rounds, seconds=30),
        "short": lambda: scenarios.short(rounds=options.rounds, seconds=15),
        "burst": lambda: scenarios.burst(seconds=5),
        "sustained": lambda: scenarios.sustained(seconds=6),
        "flight": lambda: scenarios.flight(seconds=20),
        "crowd": lambda: scenarios.crowd(seconds=8),
        "budget": lambda: budget.budget(minutes=options.minutes),
    }
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(runs):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(runs)}")
    for name in chosen:
        sections = runs[name]()
        for section in sections:
            print(section.text(), end="\n\n", flush=True)
        report.write(options.out, sections)


if __name__ == "__main__":
    main()
