"""The 14-layer residual net on which learned optimizers were tested in arXiv 2009.11243. Not among the published fixed tasks."""

from taskset.registry import add_fixed
from taskset.tasks.fixed.parts import images

add_fixed(
    __name__,
    "ResNet14_cifar10_bs128",
    "resnet_family",
    {
        "stem": {"kernel": 7, "channels": 64, "stride": 2, "max_pool": True},
        "block": "bottleneck",
        "blocks": [[128, 32, 1], [128, 32, 2], [128, 64, 1], [128, 64, 2]],
        "pre_activation": True,
        "norm": ["batch_norm", None],
        "activation": "relu",
        "w_init": ["he_normal", None],
        "residual_init": "plain",
        "pool_type": "mean",
        "dataset": images("cifar10", 128, 5000),
        "center_data": True,
    },
)
