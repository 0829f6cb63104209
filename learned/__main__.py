"""`python -m learned`."""

from learned.cli import main

if __name__ == "__main__":
    main()
