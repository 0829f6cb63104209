"""The fixed tasks: a published name for one (family, config) each. No TensorFlow here.

Imported in the order in which the names were published: `taskset.fixed_tasks()` keeps it.
"""

# isort: off
from taskset.tasks.fixed import language_models  # noqa: F401
from taskset.tasks.fixed import text  # noqa: F401
from taskset.tasks.fixed import sequences  # noqa: F401
