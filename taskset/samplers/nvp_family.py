"""nvp_family: Real NVP (arXiv 1605.08803) on flattened images."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import flows


@register_sampler("nvp_family", schema=flows.SCHEMA)
def sample(seed: int) -> Config:
    """One to four coupling layers."""
    return flows.sample(seed + 123919936)


@register_facts("nvp_family")
def facts(config: Config) -> Facts:
    """An MLP from the first half of the pixels for each coupling layer."""
    return flows.facts(config, flows.coupling)
