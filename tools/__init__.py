"""Scripts that write files of the packages or of docs/."""
