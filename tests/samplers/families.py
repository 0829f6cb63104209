"""The families of the package: whatever else is registered, tests have registered."""

from taskset.samplers import OWN_FAMILIES, PUBLISHED_FAMILIES

OURS = (*PUBLISHED_FAMILIES, *OWN_FAMILIES)
