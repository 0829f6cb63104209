"""`python -m learned`."""

from learned.cli.main import main

if __name__ == "__main__":
    main()
