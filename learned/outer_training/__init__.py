"""Training a learned optimizer: the trainer, its options, objectives and length schedules, its task pool and workers."""
