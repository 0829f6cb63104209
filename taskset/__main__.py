"""`python -m taskset`."""

from taskset.cli import main

if __name__ == "__main__":
    main()
