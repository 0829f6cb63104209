"""The mathematics of tools/experiments/: what is conserved, and slopes, variances and scores against their formulas."""

import types

import numpy as np
import pytest

import learned
from taskset import registry
from taskset.catalogue import get_config, get_task
from taskset.scoring.suites.suite import from_json
from tools.experiments import (
    conv_and_mlp,
    gradient_variance,
    input_noise,
    judging,
    kept,
    ladders,
    large_image,
    objectives,
    one_task,
    outer_problem,
    outer_recipes,
    outer_surface,
    page,
    sharp_function,
    task_counts,
    tiny_problem,
    training,
    truncation_bias,
)
from tools.experiments import implicit_regularisation as valley


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_rules_by_hand_keep_the_position_along_the_valley(name):
    from taskset.optimizers import adaptive, descent

    rule = {"sgd": descent.sgd(0.1), "momentum": descent.momentum(0.02), "adam": adaptive.adam(0.02)}[name]
    points = valley.trajectories(rule, valley.circle(1.0, 5), steps=60)
    assert points.shape == (61, 5, 2)
    np.testing.assert_allclose(valley.along(points), np.broadcast_to(valley.along(points[0]), (61, 5)), atol=2e-6)
    if name == "sgd":  # each step shrinks x - y by 1 - 2 lr
        across = points @ np.array([1.0, -1.0])
        np.testing.assert_allclose(across[20], across[0] * 0.8**20, rtol=1e-3)


def test_a_penalty_moves_it_to_the_origin_and_layouts_agree_for_rules_by_hand():
    from taskset.optimizers import adaptive

    rule, starts = adaptive.adam8p(0.05, l2=0.1), valley.circle(1.0, 5)
    one, two = (valley.trajectories(rule, starts, layout, 60) for layout in (valley.ONE, valley.TWO))
    np.testing.assert_allclose(one, two, atol=1e-6)
    assert np.all(np.abs(valley.along(one[-1])) < 0.9 * np.abs(valley.along(starts)))


def test_no_start_is_the_image_of_another():
    starts = valley.circle(1.0)
    x, y = starts.T
    for image in ((-x, -y), (y, x), (-y, -x)):
        distances = np.linalg.norm(starts[:, None] - np.stack(image, axis=1)[None], axis=-1)
        assert distances.min() > 0.02
    assert np.abs(valley.along(starts)).min() > 0.05


@pytest.mark.parametrize("w, sigma", [(0.0, 0.1), (200.0, 0.001), (200.0, 0.01), (200.0, 0.1), (5.0, 0.3)])
def test_variances_follow_their_formulas(w, sigma):
    found = [x.var(ddof=1) for x in sharp_function.estimates(sigma, w, pairs=200_000)]
    np.testing.assert_allclose(found, sharp_function.variances(sigma, w), rtol=0.04, atol=1e-20)
    if w == 0:
        np.testing.assert_allclose(sharp_function.variances(sigma, w)[0], 2 * sharp_function.THETA**2)


def test_roughness_counts_what_is_gone_up_and_down():
    places = np.linspace(0, 1, 201)
    line, valley_, ripples = 3 * places, np.abs(places - 0.5), np.cos(2 * np.pi * 5 * places)
    found = outer_surface.roughness(np.stack([line, valley_, ripples, 0 * line], axis=1))
    np.testing.assert_allclose(found, [1, 2, 10, 1], rtol=1e-3)
    np.testing.assert_allclose(outer_surface.slope(line, places), 3)
    np.testing.assert_allclose(outer_surface.means(np.arange(6.0)[:, None, None], (1, 3, 6)).ravel(), [0, 1, 2.5])


@pytest.fixture(scope="module")
def momentum():
    """In float64: finite differences have to be exact."""
    import tensorflow as tf

    return tiny_problem.problem(dtype=tf.float64)


def test_untruncated_gradients_are_slopes_of_the_surface_and_truncated_ones_are_not(momentum):
    steps, h = 6, 1e-5
    thetas = tiny_problem.theta(np.array([0.02, 0.1]), dtype=np.float64)
    moved = np.concatenate([thetas + h * axis for axis in (*np.eye(2), *-np.eye(2))])
    at = outer_surface.losses(momentum, moved, 2, steps, mode="graph_loop", layout="batched").mean(axis=0).reshape(2, 2, 2, 2)
    exact = np.moveaxis((at[0] - at[1]) / (2 * h), 0, -1)  # [points, starts, P]
    whole, halves = (
        truncation_bias.gradients(momentum, thetas, 2, steps, K, mode="graph_loop", layout="batched") for K in (steps, steps // 2)
    )
    np.testing.assert_allclose(whole, exact, rtol=1e-5, atol=1e-9)
    assert np.all(np.abs(halves - exact) > 0.1 * np.abs(exact))


def test_both_estimates_of_a_short_unroll_have_the_same_mean_and_the_combination_the_least_variance(momentum):
    estimates = gradient_variance.Estimates(momentum, 4, pairs=8, mode="graph_loop", layout="batched")
    es, reparam = (np.array(x) for x in zip(*(estimates(tiny_problem.theta(0.1, dtype=np.float64), seed) for seed in range(12))))
    difference = (es - reparam).reshape(-1, 2)
    assert np.all(np.abs(difference.mean(axis=0)) < 4 * difference.std(axis=0) / np.sqrt(len(difference)))
    (of_es, of_reparam, of_both), weight = gradient_variance.variances(es, reparam)
    assert of_reparam < of_es / 10 and of_both < 2 * of_reparam and np.all(weight < 0.2)


def test_the_combination_of_equal_and_independent_estimates_halves_the_variance():
    es, reparam = np.random.default_rng(0).standard_normal([2, 400, 64, 1])
    found, weight = gradient_variance.variances(es, 2 * reparam)
    np.testing.assert_allclose(found, [1, 4, 0.8], rtol=0.2)  # 1 / (1 + 1/4)
    np.testing.assert_allclose(weight, 0.8, rtol=0.03)


def test_descent_ends_where_slopes_turn_upwards():
    rates = np.array([0.01, 0.1, 1.0])
    np.testing.assert_allclose(truncation_bias.turning_rate(rates, np.array([-2.0, -1.0, 3.0])), 10**-0.75)
    assert np.isnan(truncation_bias.turning_rate(rates, np.array([2.0, 1.0, -1.0])))


def test_a_rescaled_rung_is_the_base_with_parameters_divided():
    import tensorflow as tf

    plain, rescaled = (ladders.task({**ladders.BASE, "width": 4, "scale": scale}) for scale in (1.0, 100.0))
    batch, params = next(plain.batches("train", 0)), plain.init(3)
    small = rescaled.init(3)
    for path, w in params.items():
        np.testing.assert_allclose(small[path] * 100, w, rtol=1e-5)
    (loss, gradients), (same, scaled) = plain.value_and_gradients(params, batch, 0), rescaled.value_and_gradients(small, batch, 0)
    np.testing.assert_allclose(same, loss, rtol=1e-5)
    tf.nest.map_structure(lambda g, s: np.testing.assert_allclose(s, 100 * g, rtol=2e-4, atol=1e-5), gradients, scaled)


def test_scores_are_the_end_of_the_losses_and_have_a_limit():
    losses = np.ones([20, 3]) * [1.0, np.nan, 50.0]
    losses[-2:, 0] = 3, 5
    np.testing.assert_allclose(ladders.score(losses), [4, ladders.WORST, ladders.WORST])
    rung = {"Adam": [[3.0, 1.0], [1.0, 2.0]], **{name: [1.0, 2.0] for name in ladders.LEARNED}}
    found = ladders.curves(rung, one=0)
    assert found[ladders.TUNED].tolist() == [1, 2] and found[ladders.ONE].tolist() == [3, 1]


def test_speed_up_is_by_the_first_step_of_the_smoothed_curve():
    curve = np.linspace(2, 0, 101)
    smooth = judging.moving_mean(curve)
    np.testing.assert_allclose(smooth[[0, 1, 50]], [2, 1.99, curve[31:51].mean()])
    assert judging.first_step_at(curve, smooth[50]) == 51 and np.isnan(judging.first_step_at(curve, 0.0))
    losses = np.stack([curve, np.where(curve < 1, np.nan, curve)])
    found = judging.scores(losses)
    np.testing.assert_allclose(found["mean"][0], 1.0)
    np.testing.assert_allclose(found["end"], [curve[-10:].mean(), 2 * np.log(10)])


def test_rules_tuned_by_hand_differ_in_their_hyperparameters_only():
    for label, rules in judging.by_hand().items():
        assert len({rule.rule for rule in rules}) == 1 and len({rule.name for rule in rules}) == len(rules), label
        assert len({tuple(rule.hparams(judging.STEPS)) for rule in rules}) == 1, label


def test_what_is_trained_on_are_suites_of_known_tasks():
    from taskset.scoring.suites import by_name

    made = one_task.suite()
    assert from_json(made.as_json(), "here") == made and [entry.family for entry in made.tasks] == ["tiny_mlp"]
    assert training.tiny_name("tiny_conv", "imagenet_resized/16x16") == "Tiny_conv_imagenet_resized_16x16_bs32_start1.0"
    names = [training.tiny_name(f"tiny_{kind}", one) for kind in conv_and_mlp.KINDS for one in conv_and_mlp.HELD_OUT]
    assert {entry.split for entry in training.suite_of("held out", names, 200, judging.SCALE).of_split("train")} == {"train"}
    (entry,) = training.tiny_suite("one", [names[0]], 200).of_split("train")
    scales = {entry.task: entry.scales for entry in by_name.get_suite("tiny:1").tasks}
    assert (entry.task, entry.scales) == (names[0], scales[names[0]])
    with pytest.raises(ValueError, match="1 of the tasks"):
        training.tiny_suite("one", [*names, "mlp_family_seed0"], 200)


@pytest.fixture(scope="module")
def outer():
    return outer_problem.OuterTask(tiny_problem.problem("learnable_sgdm"), steps=5, pairs=16, sigma=0.02)


def _drawn(outer, seed=0):
    import tensorflow as tf

    return {name: tf.constant(array[0]) for name, array in outer.raw_batches("train", seed, 0, 1).items()}


def test_the_outer_problem_is_the_mean_loss_of_trainings(outer):
    """Against the training loop of the package, pair by pair."""
    import tensorflow as tf

    from taskset.optimizers import descent

    batch, task = _drawn(outer), outer.problem.task
    theta = tiny_problem.theta(0.1)
    weights = {path: tf.constant(w) for path, w in outer.problem.layout.arrays(theta).items()}
    rule, found = descent.momentum(0.1, tiny_problem.BETA), []
    for n in range(outer.pairs):
        params = {name.removeprefix("start/"): x[n] for name, x in batch.items() if name.startswith("start/")}
        state = rule.init(params)
        for t in range(outer.steps):
            now = {name: x[t, n] for name, x in batch.items() if not name.startswith("start/")}
            loss, gradients = task.value_and_gradients(params, now, 0)
            params, state = rule.update(gradients, state, params, t, rule.hparams(outer.steps))
            found.append(float(loss) / np.log(10))
    np.testing.assert_allclose(outer.loss(weights, batch, tf.zeros([2], tf.int32)), np.mean(found), rtol=1e-4)


def test_the_outer_gradient_is_the_slope_of_the_outer_loss(outer):
    import tensorflow as tf

    batch, key = _drawn(outer), tf.constant([3, 4])
    vector = lambda x: np.concatenate([np.ravel(x[path]) for path in outer.parameter_shapes])  # noqa: E731
    tensors = lambda x: {p: tf.constant(w) for p, w in outer.problem.layout.arrays(x.astype(np.float32)).items()}  # noqa: E731
    loss = tf.function(lambda params: outer.loss(params, batch, key), autograph=False)
    estimate = tf.function(lambda params, key: outer.value_and_gradients(params, batch, key)[1], autograph=False)
    theta, h = tiny_problem.theta(0.1), 0.02
    exact = [float(loss(tensors(theta + h * axis)) - loss(tensors(theta - h * axis))) / (2 * h) for axis in np.eye(2)]
    found = np.array([vector(estimate(tensors(theta), tf.constant([1, i]))) for i in range(150)])
    error = found.std(axis=0) / np.sqrt(len(found))
    assert np.all(error < 0.1 * np.abs(exact).max()) and np.all(np.abs(found.mean(axis=0) - exact) < 4 * error)


def test_each_outer_step_has_its_own_batches_wherever_a_call_begins(outer):
    two, second = outer.raw_batches("train", 0, 0, 2), outer.raw_batches("train", 0, 1, 1)
    for name, array in two.items():
        np.testing.assert_array_equal(array[1], second[name][0])
        assert np.any(array[0] != array[1]) or name.endswith("/b"), name  # biases start at 0


def test_noise_of_test_images_is_the_same_for_all_levels_and_networks():
    import tensorflow as tf

    task = get_task(tiny_problem.TASK, "synthetic")
    clean, low, high = (input_noise.noisy(task, "test", level) for level in (0.0, 0.1, 0.2))
    np.testing.assert_allclose(high["image"] - clean["image"], 2 * (low["image"] - clean["image"]), atol=1e-6)
    noise = (low["image"] - clean["image"]).numpy()
    assert abs(noise.std() - 0.1) < 0.001 and not np.allclose(noise[:500], noise[500:])
    inits = [task.init(seed) for seed in range(3)]
    found = input_noise.accuracies(task, "test")(tf.nest.map_structure(lambda *each: tf.stack(each), *inits))
    for at, batch in ((0, clean), (1, low)):
        expected = [float(task.loss_and_metrics(params, batch, 0)[1]["accuracy"]) for params in inits]
        np.testing.assert_allclose(found[at], expected, rtol=1e-5)
    assert found.shape == (len(input_noise.LEVELS), 3) and len(set(found[0].tolist())) > 1


def test_curves_are_losses_on_all_images_along_the_run(monkeypatch):
    from taskset.execution import loop
    from taskset.optimizers import adaptive

    monkeypatch.setattr(objectives, "STEPS", 2 * objectives.EVERY)
    task, rules = get_task(tiny_problem.TASK, "synthetic"), [adaptive.adam(0.003), adaptive.adam(0.03), adaptive.adam(1e30)]
    found = objectives.curves(task, rules, seeds=[5])
    alone = objectives.curves(task, rules[1:2], seeds=[5])
    for split, stored in objectives.SPLITS.items():
        batch = training.whole(task, stored)
        for at in range(3):
            params, _ = loop.train(task, rules[1], at * objectives.EVERY, seed=5) if at else (task.init(5), None)
            np.testing.assert_allclose(found[split][0, at, 1], task.loss(params, batch, 0), rtol=1e-4)
        np.testing.assert_allclose(alone[split][0, :, 0], found[split][0, :, 1], rtol=1e-4)
        assert found[split][0, 2, 2] == 2 * np.log(10)
    assert found["train"][0, 2, 1] < found["test"][0, 2, 1]


def test_each_objective_has_the_setting_that_is_best_by_it(monkeypatch):
    ends = {"train": [3.0, 1.0, 2.0], "valid": [1.0, 2.0, 3.0], "test": [9.0, 8.0, 0.0]}

    def curves(task, rules, seeds):
        return {split: np.tile([values[int(rule.name)] for rule in rules], [len(seeds), 2, 1]) for split, values in ends.items()}

    monkeypatch.setattr(objectives, "curves", curves)
    found = objectives.tuned(None, [types.SimpleNamespace(name=str(i)) for i in range(3)])
    assert {objective: name for objective, (name, _) in found.items()} == {"train": "1", "valid": "0"}
    assert found["valid"][1]["test"].max() == found["valid"][1]["test"].min() == 9 and found["train"][1]["train"].max() == 1


def test_a_training_keeps_weights_by_its_own_time_and_goes_on_where_it_ended(tmp_path, capsys):
    suite = training.suite_of("one", [tiny_problem.TASK], 40, judging.SCALE)
    options = learned.Options("learnable_sgdm", **training.PES, pairs=2, lengths="40", slots=1, tasks_per_step=1)
    steps, minutes = training.train_for(1e-4, suite, options, tmp_path, keep_at=[1e-5, 1e9])
    assert steps == 1 and minutes > 1e-4
    assert training.train_for(1e-4, suite, options, tmp_path) == (1, minutes)  # its time is over
    again, more = training.train_for(minutes + 1e-4, suite, options, tmp_path, keep_at=[1e-5, minutes + 1e-5])
    assert again == 2 and more > minutes
    kept = training.kept_weights(tmp_path)
    assert [steps for steps, _ in kept.values()] == [1, 2]
    first, second = (learned.load(file) for _, file in kept.values())
    assert first.learned is not None and second.learned is not None
    assert "outer step" not in capsys.readouterr().out  # lines come every 50 steps


@pytest.fixture
def registered():
    """Names registered by a test are forgotten after it."""
    with registry.restored():
        yield
    task_counts.drawn.cache_clear()


def test_drawn_tasks_are_the_same_for_fewer_and_their_scales_lie_between_those_of_the_named(registered):
    name, family, (initial, best) = task_counts.drawn(3, 0)
    assert task_counts.drawn(3, 0)[0] == name and task_counts.drawn(3, 1)[0] != name
    known, start = task_counts.scales(), float(name.split("start")[1].split("_")[0])
    dataset = get_config(name)[0]["dataset"]
    around = [known[training.tiny_name(family, dataset, at)] for at in task_counts.STARTS]
    assert min(i for i, _ in around) <= initial <= max(i for i, _ in around) and best < initial
    assert dataset not in task_counts.HELD_OUT and task_counts.STARTS[0] <= start <= task_counts.STARTS[-1]
    assert task_counts.between(1.0, [(9.0, 1.0), (2.0, 0.5), (4.0, 4.0)]) == pytest.approx((2.0, 0.5))


def test_scores_of_held_out_tasks_are_normalized_and_have_a_limit():
    losses = np.full([2, task_counts.STEPS, 3], 9.0)
    losses[:, -(task_counts.STEPS // 10) :] = [3.0, np.nan, 1e9]
    np.testing.assert_allclose(task_counts.score("a", losses, {"a": (5.0, 1.0)}), [[0.5, 2, 2]] * 2)


@pytest.fixture
def short_moments(monkeypatch):
    for name, value in {"MOMENTS": 2, "SHARE": 2, "BATCHES": 2}.items():
        monkeypatch.setattr(large_image, name, value)


def test_a_long_run_goes_on_where_it_was_interrupted(tmp_path, short_moments, monkeypatch):
    from taskset.optimizers import adaptive

    task, rule = get_task(tiny_problem.TASK, "synthetic"), adaptive.adam(0.01)
    losses, moments, *_ = large_image.trained(task, rule, 24, tmp_path / "whole")
    assert moments.keys() == {"valid_outer", "test"}
    evaluation = large_image.evaluation

    def interrupted(task):
        evaluate, calls = evaluation(task), []

        def once(params):
            if calls:
                raise KeyboardInterrupt
            calls.append(params)
            return evaluate(params)

        return once

    monkeypatch.setattr(large_image, "evaluation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        large_image.trained(task, rule, 24, tmp_path / "parts")
    monkeypatch.setattr(large_image, "evaluation", evaluation)
    again, same, seconds, wall = large_image.trained(task, rule, 24, tmp_path / "parts")
    np.testing.assert_array_equal(again, losses)
    assert same == moments
    for values in map(np.array, moments.values()):
        assert values.shape == (2, 2) and np.all((values[:, 1] >= 0) & (values[:, 1] <= 1))
    assert losses.shape == (24,) and seconds > 0 and wall > 0
    assert losses[-6:].mean() < losses[:6].mean()


def test_what_is_kept_of_a_run_that_diverged(short_moments):
    losses = np.linspace(5, 1, 50)
    kept = large_image.summary(losses, {"test": [[1.0, 0.5], [np.nan, 0.1]]}, 2.0, 3.0)
    assert kept["end"] == losses[-5:].mean() and kept["means"] == [losses[:25].mean(), losses[25:].mean()]
    assert kept["moments"] == {"test": [[1.0, 0.5], [None, 0.1]]}
    diverged = large_image.summary(np.where(np.arange(50) < 30, losses, np.inf), {}, 2.0, 3.0)
    assert diverged["end"] is None and diverged["means"] == [losses[:25].mean(), None]
    assert large_image.number(None, 3) == "not finite" and large_image.number(1.0, 2) == "1.00"


def test_the_rate_that_ends_lowest_is_run_in_full(tmp_path, monkeypatch):
    ends = {"a, 1": 0.5, "a, 2": None, "a, 3": 0.2}
    made = dict.fromkeys(["learned", *ends])
    monkeypatch.setattr(large_image, "rules", lambda: (made, {"learned": ["learned"], "a": list(ends)}))
    monkeypatch.setattr(large_image, "trained", lambda task, rule, steps, folder: (folder.name, steps))
    names = {label.replace(", ", "_"): label for label in ends}
    monkeypatch.setattr(large_image, "summary", lambda name, steps: {"end": ends.get(names.get(name)), "steps": steps})
    monkeypatch.setattr(large_image, "get_task", lambda *_: None)
    found = large_image.measure(tmp_path, 400)
    assert found == {"learned": (1, {"end": None, "steps": 400}), "a, 3": (3, {"end": 0.2, "steps": 400})}
    assert large_image.measure(tmp_path, 400, ["learned"]) == {"learned": (1, {"end": None, "steps": 400})}
    assert large_image.results_of(tmp_path, 400).find("short/a_1", {"steps": 40}) == {"end": 0.5, "steps": 40}


def test_runs_of_some_optimizers_are_not_published(monkeypatch, capsys):
    monkeypatch.setattr(page, "start_tensorflow", lambda threads: None)
    monkeypatch.setattr(large_image, "measure", lambda *_: pytest.fail("runs are made"))
    monkeypatch.setattr("sys.argv", ["large_image", "--publish", "--runs", "DIR", "--train", "Adam"])
    with pytest.raises(SystemExit):
        large_image.main()
    assert "--train draws nothing that could be published: give --out" in capsys.readouterr().err


def test_results_are_kept_and_not_made_twice_nor_mixed(tmp_path):
    results = kept.Results("experiment", tmp_path / "runs", tmp_path / "tree")
    assert results.find("5/a", {"minutes": 5}) is None
    assert results.make("5/a", {"minutes": 5}, lambda: {"loss": 1.0}) == {"loss": 1.0}
    results.publish()
    elsewhere = kept.Results("experiment", tmp_path / "other", tmp_path / "tree")
    assert elsewhere.make("5/a", {"minutes": 5}, lambda: pytest.fail("made again")) == {"loss": 1.0}
    with pytest.raises(ValueError, match="minutes.: 5.*minutes.: 60"):
        elsewhere.find("5/a", {"minutes": 60})
    with pytest.raises(ValueError, match="not JSON compliant"):
        elsewhere.make("b", {}, lambda: float("nan"))


def test_the_table_of_task_counts_is_of_the_trainings_that_there_are(tmp_path, monkeypatch):
    results = kept.Results("task_counts", tmp_path)
    scores = {place: [[0.25, 0.75]] for place in (task_counts.SAME, task_counts.LEFT_OUT)}
    monkeypatch.setattr(task_counts, "arm", lambda *_: {"5": {"steps": 7, "scores": scores}})
    monkeypatch.setattr(task_counts, "hand_designed", lambda: {"Adam": scores})
    found, others = task_counts.measure(results, 5.0, [task_counts.pair("10:1")])
    again, _ = task_counts.measure(results, 5.0, [])
    assert found == again and list(found) == [(10, 1)]
    text = task_counts.section(found, others, "task_counts_5.png")
    assert "| 10 | 1 | 5 | 7 | 0.5 [" in text and "1 of 8 trainings" in text
    task_counts.draw(found, others, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_a_rule_by_itself_is_trained_as_it_is_beside_others():
    from taskset.optimizers import adaptive

    task, rules = get_task(tiny_problem.TASK, "synthetic"), [adaptive.adam(0.003), adaptive.adam(0.03)]
    many = training.train_losses_of_many(task, rules, [1, 2], 30)
    assert many.shape == (2, 30, 2)
    for i, rule in enumerate(rules):
        np.testing.assert_allclose(training.train_losses(task, rule, [1, 2], 30), many[..., i], rtol=1e-4)


def test_rules_on_a_task_that_has_no_form_for_several_run_one_by_one():
    from taskset.optimizers import adaptive

    task, rules = get_task("Mnist_Conv_32x16x64_flatten_FC32_tanh_bs32", "synthetic"), [adaptive.adam(0.003), adaptive.adam(0.03)]
    many = training.train_losses_of_many(task, rules, [1], 3)
    assert many.shape == (1, 3, 2) and many[0, 0, 0] == many[0, 0, 1] and many[0, 2, 0] != many[0, 2, 1]


def test_a_recipe_is_what_its_row_says_and_is_judged_on_its_own_tasks(tmp_path, monkeypatch):
    def told(minutes, suite, options, folder):
        return suite, options

    monkeypatch.setattr(outer_recipes, "train_for", told)
    suite, options = outer_recipes.train(("ES-Single", "norm, 1", 4), 3, tmp_path, 1.0)
    assert [entry.task for entry in suite.of_split("train")] == outer_recipes.tasks()
    assert (options.estimator, options.clipping, options.clip, options.episodes, options.seed) == ("es_single", "norm", 1.0, 4, 3)
    held_out = [name for name in outer_recipes.tasks() if any(name.startswith(f"Tiny_mlp_{one}_bs") for one in training.HELD_OUT)]
    assert len(outer_recipes.tasks()) == 8 and held_out == []


def test_colours_of_figures_are_those_that_colour_blind_eyes_tell_apart(tmp_path):
    import matplotlib
    from matplotlib.colors import to_hex, to_rgb
    from matplotlib.image import imread

    before = matplotlib.rcParams["axes.prop_cycle"]
    with page.figure(tmp_path / "a.png", size=(2, 2)) as (_, axes):
        axes.set_axis_off()
        axes.axhspan(0, 1, color="C1")
    assert matplotlib.rcParams["axes.prop_cycle"] == before
    middle = imread(tmp_path / "a.png")[90, 90, :3]
    assert to_hex(middle) == to_hex(to_rgb(page.COLOURS[1])) and len(set(page.COLOURS)) == 8


def test_a_mean_is_shown_with_its_interval():
    assert page.with_interval([2.0, 2.0]) == "2 [2, 2]"
    mean, low, high = (float(part.strip("[],")) for part in page.with_interval(np.arange(10)).split())
    assert low < mean == 4.5 < high
