"""The baselines that come with the package; see README.md in this directory."""
