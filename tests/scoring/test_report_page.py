"""The page of `python -m taskset report` in headless Chromium: `make browser`. Its numbers are compared with the package's."""

import os
import shutil
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from taskset.datasets.base import SPLITS
from taskset.scoring import rivals, run_scores, statistics
from taskset.scoring.report import packing, page, results
from taskset.scoring.report.contents import contents
from tests.normalization import made_up_sweeps as made
from tests.scoring import unpacking

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::taskset.errors.OutdatedBaselines")]

WIDE, NARROW = (1440, 1000), (390, 844)
SECONDS_TO_OPEN = 2
ROWS = "#tasks-table .tabulator-row"
EVIL = "</script><img src=x onerror=\"document.title='run'\"><script>document.title='run'//"


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make browser installs it")
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("there is no Chromium: make browser installs one")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])  # root may have no other
        yield running
        running.close()


@pytest.fixture(scope="module")
def shipped():
    return results.read([])


@pytest.fixture(scope="module")
def document(shipped):
    return contents(shipped, "The baselines of TaskSet")


@pytest.fixture(scope="module")
def address(document, tmp_path_factory):
    return written(tmp_path_factory, document)


def written(tmp_path_factory, made_of):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.page(*made_of), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser):
    """opened(address, size) -> a page that is ready. Fails at the end where the console had anything or something was loaded."""
    heard, pages = [], []

    def call(address, size=WIDE):
        tab = browser.new_page(viewport={"width": size[0], "height": size[1]})
        pages.append(tab)
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on("request", lambda request: request.url.startswith(("file:", "data:")) or heard.append(request.url))
        tab.goto(address)
        tab.wait_for_selector("body[data-opened]")
        return tab

    yield call
    for tab in pages:
        tab.close()
    assert heard == []


def texts(tab, field):
    return tab.locator(f'{ROWS} [tabulator-field="{field}"]').all_inner_texts()


def shown(tab):
    return tab.locator("#shown").inner_text()


def open_view(tab, name):
    tab.click(f"#tab-{name}")
    tab.wait_for_selector(f'body[data-view="{name}"]')


def open_task(tab, row=0):
    tab.locator(ROWS).nth(row).click()
    tab.wait_for_selector("dialog[open][data-drawn]")


def inked(tab, chart):
    """The share of a chart's pixels that something is drawn on."""
    return tab.evaluate(
        """id => {
          const layers = [...document.querySelectorAll(`#${id} canvas`)];
          const copy = new OffscreenCanvas(layers[0].width, layers[0].height).getContext("2d", { willReadFrequently: true });
          for (const layer of layers) copy.drawImage(layer, 0, 0);
          const { data } = copy.getImageData(0, 0, copy.canvas.width, copy.canvas.height);
          return data.filter((value, i) => i % 4 === 3 && value > 0).length / (data.length / 4);
        }""",
        chart,
    )


def until(tab, expression, arg=None, seconds=20):
    """Wait until an expression holds. (The page's policy lets no text be evaluated, as `wait_for_function` does.)"""
    end = time.monotonic() + seconds
    while not tab.evaluate(expression, arg):
        assert time.monotonic() < end, expression
        tab.wait_for_timeout(20)


def seconds_to_open(opened, address):
    """The lowest of three, as other processes of the machine may be busy."""
    return min(int(opened(address).evaluate("document.body.dataset.opened")) for _ in range(3)) / 1000


def test_it_opens_quickly(opened, address, shipped):
    seconds = seconds_to_open(opened, address)
    print(f"\nopened in {seconds:.2f} s with {len(shipped.settings)} rows")
    assert seconds < SECONDS_TO_OPEN


def test_it_opens_with_4000_rows(opened, document, tmp_path_factory):
    values, lines = document
    times = -(-4000 // len(lines))
    shape = len(lines), len(values["optimizers"])

    def tiled(text):
        return packing.pack(np.tile(unpacking.unpack(text, shape, np.uint16), (times, 1)))

    many = {
        **values,
        "settings": {key: column * times for key, column in values["settings"].items()},
        "normalizers": {s: {key: column * times for key, column in of.items()} for s, of in values["normalizers"].items()},
        "scores": {split: tiled(text) for split, text in values["scores"].items()},
        "ties": {split: tiled(text) for split, text in values["ties"].items()},
        "seeds": tiled(values["seeds"]),
        "diverged": tiled(values["diverged"]),
        "grid": values["grid"] * times,
        "scales": {key: {s: column * times for s, column in of.items()} for key, of in values["scales"].items()},
    }
    address = written(tmp_path_factory, (many, lines * times))
    seconds = seconds_to_open(opened, address)
    print(f"\nopened in {seconds:.2f} s with {len(lines) * times} rows")
    assert seconds < 2 * SECONDS_TO_OPEN
    tab = opened(address)
    tab.fill("#search", "mlp_vae*")
    assert shown(tab).endswith(f" of {len(lines) * times:,} rows")
    open_task(tab, 3)
    assert inked(tab, "curves-chart") > 0.01


def test_filters(opened, address, shipped):
    tab, settings = opened(address), shipped.settings
    assert shown(tab) == f"{len(settings):,} rows"
    tab.fill("#search", "mlp_family_seed1?")
    expected = settings["task"].str.fullmatch(r"mlp_family_seed1.")
    assert shown(tab) == f"{expected.sum():,} of {len(settings):,} rows"
    assert sorted(texts(tab, "task")) == sorted(settings["task"][expected])
    tab.fill("#search", "nvp mnist")
    both = settings["task"].str.contains("nvp", case=False) & settings["dataset"].fillna("").str.contains("mnist")
    assert shown(tab).startswith(f"{both.sum():,} of ") and both.any()
    tab.fill("#search", "no such task")
    assert "No task matches" in tab.locator("#tasks-table").inner_text()
    tab.click("#clear")
    assert shown(tab) == f"{len(settings):,} rows" and tab.input_value("#search") == ""
    tab.select_option("#family", "conv_fc_family")
    tab.select_option("#source", "tfds")
    expected = (settings["family"] == "conv_fc_family") & (settings["source"] == "tfds")
    assert shown(tab).startswith(f"{expected.sum():,} of ") and set(texts(tab, "family")) == {"conv_fc_family"}


def test_sorting_by_mouse_and_keyboard(opened, address, shipped):
    tab, sizes = opened(address), shipped.settings["num_params"].dropna()
    header = tab.locator('#tasks-table .tabulator-col[tabulator-field="parameters"]')
    header.click()
    assert int(texts(tab, "parameters")[0].replace(",", "")) == sizes.min()
    header.focus()
    tab.keyboard.press("Enter")
    assert int(texts(tab, "parameters")[0].replace(",", "")) == sizes.max()
    assert header.get_attribute("aria-sort") == "descending"
    tab.select_option("#split", "test")  # new rows, the same order
    assert int(texts(tab, "parameters")[0].replace(",", "")) == sizes.max()


def test_numbers_of_the_table(opened, address, shipped):
    tab = opened(address)
    for split in ("train", "test"):
        tab.select_option("#split", split)
        of_split = shipped.normalizers[shipped.normalizers["split"] == split].set_index("setting")
        found = texts(tab, "best")[:10]
        assert len(found) == 10
        for row, best in enumerate(found):
            expected = of_split["best"][row]
            assert (best == "\u2013" and np.isnan(expected)) or float(best) == pytest.approx(expected, rel=1e-3)


def test_a_click_shows_the_curves_of_a_task(opened, address, shipped):
    tab = opened(address)
    tab.fill("#search", "mlp_ae_family_seed*")
    open_task(tab)
    name = tab.locator("#task-name").inner_text()
    assert name.startswith("mlp_ae_family_seed") and inked(tab, "curves-chart") > 0.01 and inked(tab, "rates-chart") > 0.005
    number = int(tab.locator("dialog").get_attribute("data-drawn"))
    curves = shipped.curves[shipped.curves["setting"] == number]

    def drawn():
        lines = tab.evaluate("task.chart.getOption().series.map(one => one.data)")
        names = tab.evaluate("task.found.map(one => data.optimizers[one.optimizer].name)")
        return dict(zip(names, lines))

    first = shipped.normalizers[(shipped.normalizers["setting"] == number)].set_index("split")
    for split in SPLITS:
        tab.select_option("#task-split", split)
        until(tab, "split => byId('curves-title').textContent.includes(SPLIT_NAMES[split])", split)
        for optimizer, line in drawn().items():
            expected = curves[curves["optimizer"] == optimizer]
            assert [step for step, _ in line] == expected["step"].tolist()
            there = np.array([np.nan if loss is None else loss for _, loss in line])
            lowest = curves[split].min()
            scale = np.maximum(expected[split] - lowest, 1e-9) * unpacking.RELATIVE_ERROR
            assert (np.abs(there - expected[split]).fillna(0) <= scale + 1e-9).all()
    tab.check('input[name="unit"][value="normalized"]')
    adam = drawn()["adam_lr_-3.00"]
    initial, best = first.at["test", "initial"], first.at["test", "best"]
    end = curves[(curves["optimizer"] == "adam_lr_-3.00")]["test"].iloc[-1]
    assert adam[-1][1] == pytest.approx((end - best) / (initial - best), abs=0.01)
    tab.check('input[name="axis"][value="log"]')
    assert tab.evaluate("task.chart.getOption().yAxis[0].type") == "log" and inked(tab, "curves-chart") > 0.01
    tab.locator("#next").click()
    until(tab, "number => task.dialog.dataset.drawn !== String(number)", number)
    assert tab.locator("#task-name").inner_text() != name
    tab.click("#close")
    assert not tab.locator("dialog").is_visible()


def test_losses_over_decades_have_a_logarithmic_axis(opened, address):
    tab = opened(address)
    tab.fill("#search", "TwoD_Bowl1 ")
    open_task(tab)
    assert tab.evaluate("task.chart.getOption().yAxis[0].type") == "log"


def test_by_keyboard(opened, address):
    tab = opened(address)
    tab.focus("#clear")
    for _ in range(40):  # the tabs, the titles of the table, one row
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.classList.contains('tabulator-row')"):
            break
    focused = "document.activeElement.closest('.tabulator-row')?.querySelector('[tabulator-field=task]').textContent"
    first = tab.evaluate(focused)
    tab.keyboard.press("ArrowDown")
    until(tab, f"![undefined, {first!r}].includes({focused})")
    second = tab.evaluate(focused)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("dialog[open][data-drawn]")
    assert tab.locator("#task-name").inner_text() == second
    tab.keyboard.press("Escape")
    tab.wait_for_selector("dialog", state="hidden")
    until(tab, f"{focused} === {second!r}")
    tab.keyboard.press("End")
    until(tab, f"![undefined, {second!r}].includes({focused})")
    tab.keyboard.press("Home")
    until(tab, f"{focused} === {first!r}")
    tab.focus("#tab-tasks")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_selector('body[data-view="families"]')
    assert tab.evaluate("document.activeElement.id") == "tab-families"


def test_a_filter_while_the_focus_is_on_its_way_back(opened, address):
    tab = opened(address)
    open_task(tab)
    tab.evaluate("() => { task.dialog.close(); byId('search').value = 'mlp_vae'; filters.apply(); }")
    until(tab, "document.querySelector('#tasks-table .tabulator-row').textContent.includes('mlp_vae')")
    tab.wait_for_timeout(200)  # `opened` fails at its end where the console has an error by then
    assert not tab.evaluate("task.dialog.open")


def test_every_control_has_a_name(opened, address):
    tab = opened(address)
    open_task(tab)
    without = tab.evaluate(
        """() => [...document.querySelectorAll("input, select, button")]
          .filter(one => !(one.labels?.length || one.ariaLabel || one.textContent.trim()))
          .map(one => one.outerHTML)"""
    )
    assert without == []


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_no_view_is_wider_than_the_screen(opened, address, size):
    tab = opened(address, size)

    def widths():
        return tab.evaluate("[document.documentElement.scrollWidth, task.dialog.scrollWidth - task.dialog.clientWidth]")

    assert widths()[0] <= size[0]
    open_task(tab)
    assert widths()[0] <= size[0] and widths()[1] <= 0
    tab.keyboard.press("Escape")
    for name, charts in (("families", ("best-rates", "diverged-rates", "spread")), ("optimizers", ("intervals", "profile"))):
        open_view(tab, name)
        assert widths()[0] <= size[0]
        assert all(inked(tab, chart) > 0.005 for chart in charts)


def test_optimizers_are_compared_as_the_package_does(opened, address, document, shipped):
    tab = opened(address)
    chosen_by = list(rivals.TUNED_BY)
    for number, split in ((0, "train"), (0, "test"), (1, "train"), (2, "valid_inner")):
        tab.select_option("#split", split)
        found = tab.evaluate(
            "n => { const { settings, rows } = optimizers.compare(data.sets[n]); return { settings, rows }; }", number
        )
        members = [document[0]["optimizers"][i]["name"] for i in document[0]["sets"][number]["members"]]
        part = shipped.runs[shipped.runs["setting"].isin(found["settings"]) & shipped.runs["optimizer"].isin(members)]
        wide = (
            part.melt(["setting", "optimizer"], list(SPLITS), "split", "score")
            .rename(columns={"setting": "task"})
            .astype({"task": str})
        )
        means = wide.set_index(["split", "task", "optimizer"])["score"].unstack()
        beyond = pd.concat(
            part.assign(split=split, score=part[split], unclipped=part[f"unclipped {split}"]) for split in chosen_by
        )
        places = run_scores.places(beyond.assign(task=beyond["setting"].astype(str)))
        expected, notes = rivals.rivals_of(means.loc[chosen_by], [], places)
        assert notes == [] and {row["title"] for row in found["rows"]} == {rival.title for rival in expected}
        rows = {row["title"]: row for row in found["rows"]}
        for rival in expected:
            values = np.array([means.at[(split, task), rival.chosen[task]] for task in map(str, found["settings"])])
            row = rows[rival.title]
            assert (row["trials"], row["tasks"]) == (rival.trials, len(values))
            for name, statistic in statistics.STATISTICS.items():
                assert row[name] == pytest.approx(statistic(values), abs=1e-3)
                interval = statistics.interval(values, statistic)
                width = interval[1] - interval[0]
                assert row[f"{name} interval"] == pytest.approx(interval, abs=0.15 * width + 2e-3)


def test_names_of_strangers_do_nothing(opened, tmp_path_factory):
    root = made.write(tmp_path_factory.mktemp("evil"), tasks=made.TASKS[:1], optimizers=[*made.RATES, EVIL])
    found = results.read([root])
    settings = found.settings.assign(task=EVIL, family=EVIL, dataset=EVIL)
    normalizers = found.normalizers.assign(best_optimizer=EVIL)
    evil = replace(found, settings=settings, normalizers=normalizers, notes=[EVIL])
    tab = opened(written(tmp_path_factory, contents(evil, EVIL)))
    tab.locator(f'{ROWS} [tabulator-field="task"]').first.hover()
    open_task(tab)
    assert tab.locator("#task-name").inner_text() == EVIL
    tab.locator("#curves-chart").hover()
    tab.wait_for_timeout(200)
    tab.keyboard.press("Escape")
    for name in ("families", "optimizers"):
        open_view(tab, name)
        tab.locator(f"#{name} .chart").first.hover()
        tab.wait_for_timeout(100)
    assert tab.title() == EVIL and tab.locator("img").count() == 0
