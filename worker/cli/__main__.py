"""``python -m worker.cli``."""

from worker.cli import run

if __name__ == "__main__":
    run()
