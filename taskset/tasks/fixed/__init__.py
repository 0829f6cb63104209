"""The fixed tasks: a name for one (family, config) each. No TensorFlow here.

Families that have no other tasks have their schema and facts here, their builders beside all others: `taskset.tasks.fixed_mlp`.

Imported in the order in which the names were published, which `taskset.fixed_tasks()` keeps; this library's own come last.
"""

# isort: off
from taskset.tasks.fixed import two_d  # noqa: F401
from taskset.tasks.fixed import mlp  # noqa: F401
from taskset.tasks.fixed import conv  # noqa: F401
from taskset.tasks.fixed import conv_ae  # noqa: F401
from taskset.tasks.fixed import conv_vae  # noqa: F401
from taskset.tasks.fixed import language_models  # noqa: F401
from taskset.tasks.fixed import maf  # noqa: F401
from taskset.tasks.fixed import mlp_ae  # noqa: F401
from taskset.tasks.fixed import mlp_vae  # noqa: F401
from taskset.tasks.fixed import nvp  # noqa: F401
from taskset.tasks.fixed import text  # noqa: F401
from taskset.tasks.fixed import sequences  # noqa: F401
from taskset.tasks.fixed import resnet  # noqa: F401
