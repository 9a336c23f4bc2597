"""Pages of metrics are put together without a family twice, and read by Prometheus' own parser."""

from prometheus_client.parser import text_string_to_metric_families

from localmesh.observe.exposition import Family, families, labelled, merged, sample

PAGE = """\
# HELP calls_total Calls, with a "quote" and a \\\\ in its help.
# TYPE calls_total counter
calls_total{method="Get",path="/a,pod=\\"x\\"}"} 3 1700000000000
calls_total 4
# a comment
# TYPE took histogram
took_bucket{le="1"} 1
took_bucket{le="+Inf"} 2
took_sum 3.5
took_count 2

loose 7
"""


def test_a_family_keeps_its_kind_its_help_and_all_its_samples() -> None:
    calls, took, loose = families(PAGE)
    assert (calls.name, calls.kind, len(calls.samples)) == ("calls_total", "counter", 2)
    assert calls.help.startswith("Calls, with")
    assert (took.name, took.kind, len(took.samples)) == ("took", "histogram", 4)
    assert (loose.name, loose.kind, loose.samples) == ("loose", "untyped", ["loose 7"])


def test_every_sample_gets_the_labels_and_keeps_its_own() -> None:
    calls, took, _ = labelled(families(PAGE), {"pod": "a", "odd": 'b"\\\n'})
    assert calls.samples[0].startswith('calls_total{pod="a",odd="b\\"\\\\\\n",method="Get",')
    assert calls.samples[0].endswith("} 3 1700000000000")
    assert calls.samples[1] == 'calls_total{pod="a",odd="b\\"\\\\\\n"} 4'
    assert took.samples[0] == 'took_bucket{pod="a",odd="b\\"\\\\\\n",le="1"} 1'


def test_a_label_that_is_there_already_is_exported_and_a_value_that_looks_like_one_is_left_alone() -> None:
    (family,) = labelled(families('x{pod="inner",a="pod=\\"no\\""} 1\n'), {"pod": "outer"})
    assert family.samples == ['x{pod="outer",exported_pod="inner",a="pod=\\"no\\""} 1']


def test_pages_of_several_pods_become_one_that_prometheus_reads() -> None:
    page = merged(one for pod in ("a", "b") for one in labelled(families(PAGE), {"pod": pod}))
    assert page.count("# TYPE took histogram") == page.count("# HELP calls_total") == 1
    read = {family.name: family for family in text_string_to_metric_families(page)}
    assert read.keys() == {"calls", "took", "loose"}
    samples = [(each.name, tuple(sorted(each.labels.items()))) for family in read.values() for each in family.samples]
    assert len(samples) == len(set(samples)) == 14
    assert {each.labels["path"] for each in read["calls"].samples if "path" in each.labels} == {'/a,pod="x"}'}


def test_families_of_one_name_and_two_kinds_are_untyped() -> None:
    page = merged([Family("x", "counter", "", ["x 1"]), Family("x", "gauge", "Said.", ['x{a="b"} 2'])])
    assert page == '# HELP x Said.\n# TYPE x untyped\nx 1\nx{a="b"} 2\n'


def test_a_family_without_samples_is_left_out() -> None:
    assert merged([Family("x", "counter")]) == ""


def test_large_values_keep_their_digits() -> None:
    assert sample("x", {}, 123456789) == "x 123456789"
    assert sample("x", {"a": "b"}, 0.25) == 'x{a="b"} 0.25'
