"""`python -m taskset`."""

from taskset.cli.main import main

if __name__ == "__main__":
    main()
