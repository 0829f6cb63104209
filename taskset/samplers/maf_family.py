"""maf_family: masked autoregressive flow (arXiv 1705.07057) on flattened images, with the masks as published."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import flows

OFFSET = 6123348


@register_sampler("maf_family", schema=flows.SCHEMA)
def sample(seed: int) -> Config:
    """One to four autoregressive layers."""
    return flows.sample(seed + OFFSET)


@register_facts("maf_family")
def facts(config: Config) -> Facts:
    """A masked MLP from the pixels for each layer; the shapes count masked weights, too."""
    return flows.facts(config, flows.autoregressive)
