"""Work on many tasks: a pool of processes, claims of several commands on one directory, engines (this machine, Ray)."""
