"""Two-dimensional test functions, without gradient noise."""

from taskset.tasks.fixed.parts import fixed

# The last number seeds a problem's constants; these have none.
SEED = 0


def _bowl(name, condition):
    fixed(name, "losg_tasks_family", ["bowl", {"cond": condition, "angle": 0.0, "noise_stdev": 0.0}, SEED])


def _classic(name, problem):
    fixed(name, "losg_tasks_family", ["optimization_test_problems", {"problem": problem, "noise_stdev": 0.0}, SEED])


_bowl("TwoD_Bowl1", 1.0)
_bowl("TwoD_Bowl10", 10.0)
_bowl("TwoD_Bowl100", 100.0)
_bowl("TwoD_Bowl1000", 1000.0)
_classic("TwoD_Rosenbrock", "rosenbrock")
_classic("TwoD_Ackley", "ackley")
_classic("TwoD_Beale", "beale")
_classic("TwoD_StyblinskiTang", "StyblinskiTang")
