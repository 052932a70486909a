"""The page: well-formed, alone, escaped, with every scheme in every plot."""

import re
from html.parser import HTMLParser

import pytest
from comparisons import EVERY_KIND, comparison, scheme

pytest.importorskip("matplotlib", reason="the pictures need matplotlib")

from initcore import figures, report

HOSTILE = '<script>alert("1")</script>&amp;\'"><img src=http://evil.example/x onerror=alert(1)>'
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags nest, and collects them with their attributes and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def html():
    return report.page(EVERY_KIND.to_dict())


def test_the_page_is_well_formed_and_has_every_panel(html):
    page = Page(html)
    assert sum(tag == "figure" for tag, _ in page.tags) == len(figures.PANELS)
    assert html.startswith("<!doctype html>") and "viewport" in html and "prefers-color-scheme: dark" in html


def check_alone(page, html):
    assert not any(
        tag in ("script", "link", "img", "iframe", "object", "embed", "base") for tag, _ in page.tags
    )
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "xlink:href", "src", "srcset", "action", "data"):
                assert value.startswith("#"), (tag, name, value)
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))


def test_the_page_needs_nothing_from_elsewhere(html):
    check_alone(Page(html), html)


def test_references_within_the_page_have_one_target_each(html):
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r'href="#([^"]*)"', html)) | set(re.findall(r"url\(#([^)]*)\)", html))
    assert wanted <= set(ids)


def test_every_scheme_is_in_the_text_with_its_verdict(html):
    text = "".join(Page(html).text)
    for one in EVERY_KIND.schemes:
        assert text.count(one.label) >= 3 and EVERY_KIND.verdicts[one.label] in text


def test_hostile_texts_stay_texts():
    result = comparison(
        scheme(HOSTILE), scheme("$x_1$ \\frac"), dataset=HOSTILE, optimizer=HOSTILE, network=HOSTILE
    )
    html = report.page(result.to_dict())
    page = Page(html)
    check_alone(page, html)
    assert HOSTILE in "".join(page.text)
    assert result.schemes[1].label in "".join(page.text)
    assert figures.picture(result.to_dict())


@pytest.mark.parametrize("count", [1, 2, 12])
def test_any_number_of_schemes_can_be_drawn_and_told_apart(count):
    result = comparison(*(scheme(f"scheme {i}") for i in range(count)))
    Page(report.page(result.to_dict()))
    looks = {tuple(map(str, figures._look(i).values())) for i in range(count)}
    assert len(looks) == count


def test_no_hidden_layer_one_epoch_one_seed_and_a_regression_can_be_drawn():
    from dataclasses import replace

    one = scheme("a", (0.5,))
    short = replace(
        one.runs[0], loss=(1.0,), test_loss=(1.0,), score=(0.5,), signal=(1.0, 2.0), gradient=(0.0,),
        units=(), distinct=(), dead=(), rmse=0.3,
    )  # fmt: skip
    result = comparison(replace(one, runs=(short,)), epochs=1, seeds=[0], score="R2", chance=0.0)
    assert "0.300" in "".join(Page(report.page(result.to_dict())).text)


def test_a_panel_uses_the_colours_of_the_page(html):
    figure = figures.svg(figures.PANELS[0], EVERY_KIND.to_dict())
    assert "var(--ink)" in figure and "var(--c1)" in figure
    assert not re.search("|".join(light for light, _ in figures.COLOURS), figure, re.IGNORECASE)


def test_a_page_is_the_same_each_time(html):
    assert report.page(EVERY_KIND.to_dict()) == html


def test_the_picture_is_a_png():
    assert figures.picture(EVERY_KIND.to_dict()).startswith(b"\x89PNG")


def test_missing_matplotlib_is_a_sentence(monkeypatch):
    for name in list(__import__("sys").modules):
        if name.split(".")[0] == "matplotlib":
            monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ImportError, match=r"initcore\[cli\]"):
        report.page(EVERY_KIND.to_dict())
