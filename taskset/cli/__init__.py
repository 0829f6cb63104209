"""`python -m taskset`: a file for each group of commands."""
