"""`python -m learned`: a file for each group of commands."""
