"""made_family: the configs of maf_family, for models with the masks of MADE (arXiv 1502.03509). Not a published family."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import flows, maf_family


@register_sampler("made_family", schema=flows.SCHEMA)
def sample(seed: int) -> Config:
    """The config of maf_family with the same seed."""
    return flows.sample(seed + maf_family.OFFSET)


@register_facts("made_family")
def facts(config: Config) -> Facts:
    """As maf_family: only the masks differ."""
    return flows.facts(config, flows.autoregressive)
