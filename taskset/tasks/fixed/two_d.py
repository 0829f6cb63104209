"""Two-dimensional test functions, without gradient noise, and where the release started them."""

from taskset.registry import add_fixed

# The last entry of a config seeds the problem's constants; these problems have none.
SEED = 0


def _bowl(name, condition):
    add_fixed(__name__, name, "losg_tasks_family", ["bowl", {"cond": condition, "angle": 0.0, "noise_stdev": 0.0}, SEED])


def _classic(name, problem):
    add_fixed(__name__, name, "losg_tasks_family", ["optimization_test_problems", {"problem": problem, "noise_stdev": 0.0}, SEED])


_bowl("TwoD_Bowl1", 1.0)
_bowl("TwoD_Bowl10", 10.0)
_bowl("TwoD_Bowl100", 100.0)
_bowl("TwoD_Bowl1000", 1000.0)
_classic("TwoD_Rosenbrock", "rosenbrock")
_classic("TwoD_Ackley", "ackley")
_classic("TwoD_Beale", "beale")
_classic("TwoD_StyblinskiTang", "StyblinskiTang")

# The release drew a start with an operation of a fixed seed: the same one in every run and for every replica.
_BOWL = (0.74733, 0.39201)
PUBLISHED_STARTS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("TwoD_Bowl1", "TwoD_Bowl10", "TwoD_Bowl100", "TwoD_Bowl1000"), _BOWL),
    "TwoD_Rosenbrock": (5.50618, -2.40328),
    "TwoD_Ackley": (13.1342, -21.4228),
    "TwoD_Beale": (1.80371, -2.94197),
    "TwoD_StyblinskiTang": (2.00412, -3.26885),
}
