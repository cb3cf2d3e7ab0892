"""The tree of a YAML file: what it holds, and what is refused before it takes time."""

from __future__ import annotations

import pytest
import yaml

from bsmfit.catalogue import yaml_tree
from bsmfit.catalogue.files import data_root, model_root
from bsmfit.catalogue.yaml_tree import YamlRules, parse_yaml
from bsmfit.errors import DataFileError

SHIPPED = sorted([*data_root().glob("*/*.yaml"), *model_root().glob("*.yaml")])
AS_TEXT = YamlRules(is_typed=False, has_aliases=True)


@pytest.fixture(params=["libyaml", "pure Python"])
def loader(request, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers of PyYAML: not every build of it has libyaml."""
    if request.param == "pure Python":
        monkeypatch.setattr(yaml_tree, "_LOADER", yaml.BaseLoader)
    return request.param


@pytest.mark.parametrize(
    "path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_structure_and_text_are_those_of_pyyaml(path, loader):
    text = path.read_text("utf-8")
    assert parse_yaml(text, AS_TEXT)[0] == yaml.load(text, Loader=yaml.BaseLoader)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("1.4e17", 1.4e17),
        ("1e-6", 1e-6),
        ("-.5", -0.5),
        ("010", 10),
        ("+3", 3),
        ("-.inf", float("-inf")),
        ("9" * 5000, float("inf")),
        ("~", None),
        ("", None),
        ("TRUE", True),
        ("no", "no"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("+", "+"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("|\n  1", "1\n"),
    ],
)
def test_plain_scalars_follow_yaml_1_2(scalar, value, loader):
    found = parse_yaml(f"a: {scalar}\n", YamlRules())[0]["a"]
    assert found == value
    assert type(found) is type(value)


def test_lines_are_those_of_keys_and_entries(loader):
    text = "# comment\na:\n  b: 1\n  c:\n    - 2\n    - d: 3\n"
    assert parse_yaml(text, YamlRules())[1] == {
        (): 2,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 4,
        ("a", "c", 0): 5,
        ("a", "c", 1): 6,
        ("a", "c", 1, "d"): 6,
    }


REFUSED = {
    "alias": ("a: &x 1\nb: *x\n", r"line 2, column 4: an alias .* write the value out"),
    "tag": ("a: !!str 1\n", "line 1, column 4: a tag .* write a plain value"),
    "tag of a list": ("a: !mine [1]\n", "a tag"),
    "key twice": (
        "a: 1\nb: 2\na: 3\n",
        "line 3, column 1: .*'a' is given twice.* in line 1",
    ),
    "key twice below": ("x:\n  a: 1\n  a: 1\n", r"'x\.a' is given twice"),
    "number as key": ("a:\n  2: 3\n", "a key must be text, but '2' is not"),
    "list as key": ("? [a]\n: 1\n", "a key must be text, but this one is not"),
    "second document": ("a: 1\n---\nb: 2\n", "line 2, column 1: a second document"),
    "tab": ("a:\n\tb: 1\n", "line 2, column 1: a tab is not allowed"),
    "control character": ("a: 1\nb: \x01\n", "line 2: a control character"),
    "deep list": ("a: " + "[" * 51, "nested too deeply"),
    "deeper list": ("a: " + "[" * 100_000, "nested too deeply"),
    "deep mapping": ("".join(" " * i + "a:\n" for i in range(60)), "nested too deeply"),
    "many keys": ("".join(f"k{i}: 1\n" for i in range(26_000)), "more than 50000"),
    "many entries": ("a: [" + "1," * 60_000 + "]", "more than 50000"),
}


@pytest.mark.parametrize("fault", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_against_the_rules_is_refused_with_its_line(fault, loader):
    text, expected = fault
    with pytest.raises(DataFileError, match=expected) as caught:
        parse_yaml(text, YamlRules())
    assert len(str(caught.value)) < 300


def test_aliases_repeat_what_they_mark_where_allowed(loader):
    text = "a: &x [1, {b: 2}]\nc: *x\nd: [*x, *x]\n"
    one = ["1", {"b": "2"}]
    found = parse_yaml(text, AS_TEXT)[0]
    assert found == {"a": one, "c": one, "d": [one, one]}


def test_values_that_aliases_repeat_count_each_time(loader):
    """Nine marks of nine repeats are 4e8 values in 400 characters."""
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    with pytest.raises(DataFileError, match="more than 50000"):
        parse_yaml("\n".join(lines), AS_TEXT)
    # the mapping, two keys, a list of one, and a list of nine lists of one
    exact, less = (YamlRules(max_values=n, has_aliases=True) for n in (24, 23))
    parse_yaml("\n".join(lines[:2]), exact)
    with pytest.raises(DataFileError, match="more than 23"):
        parse_yaml("\n".join(lines[:2]), less)


@pytest.mark.parametrize("text", ["a: *x\n", "a: &x [*x]\n"])
def test_alias_of_nothing_or_of_itself_is_refused(text, loader):
    with pytest.raises(DataFileError, match="repeats nothing that ends above it"):
        parse_yaml(text, AS_TEXT)
