"""What the build tells about itself, and the number of threads."""

import json

import pytest

import initcore as ic


def test_build_info_is_json_and_consistent():
    info = ic.build_info()
    assert json.loads(json.dumps(info)) == info
    assert info["version"] == ic.__version__
    assert info["active_isa"] in info["isas"]
    assert set(info["isas"]) <= set(info["compiled_isas"])
    assert [row.split()[0] for row in info["isa_flags"].split("; ")] == info["compiled_isas"]
    assert "-fno-math-errno" in info["flags"]
    assert {"Release": "-O3", "Debug": "-g", "RelWithDebInfo": "-g"}[info["build_type"]] in info["flags"]
    assert info["threads"] == ic.get_num_threads()


def test_the_number_of_threads_is_what_was_set():
    before = ic.get_num_threads()
    try:
        for n in (1, 3):
            ic.set_num_threads(n)
            assert ic.get_num_threads() == ic.build_info()["threads"] == n
    finally:
        ic.set_num_threads(before)


@pytest.mark.parametrize(
    ("wrong", "error"), [(0, ValueError), (-2, ValueError), (1.5, TypeError), ("2", TypeError)]
)
def test_a_wrong_number_of_threads_changes_nothing(wrong, error):
    before = ic.get_num_threads()
    with pytest.raises(error, match=r"n must be"):
        ic.set_num_threads(wrong)
    assert ic.get_num_threads() == before
