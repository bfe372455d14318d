"""``python -m worker.cli``."""

from worker.cli.command import main

if __name__ == "__main__":
    main()
