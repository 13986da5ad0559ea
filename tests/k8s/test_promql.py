"""The PromQL reader finds what the other tests rely on."""

from tests.k8s.promql import Matcher, read


def test_metrics_matchers_and_groupings_are_found() -> None:
    query = """
        histogram_quantile(0.95, sum by (model, le) (rate(a_bucket{x="1", y=~"b|c"}[5m] offset 6h)))
        / ignoring (le) group_left () (b:c or vector(1e6)) > bool 0.5
    """

    named = read(query)

    assert named.selectors == [
        ("a_bucket", [Matcher("x", "=", "1"), Matcher("y", "=~", "b|c")]),
        ("b:c", []),
    ]
    assert named.groupings == {"model", "le"}
    assert named.selectors[0][1][1].values == ["b", "c"]


def test_brackets_within_a_label_value_are_ignored() -> None:
    assert read('a{x="}[", y="2"} + b').metrics == {"a", "b"}
    assert read('a{x="}[", y="2"} + b').selectors[0][1][1] == Matcher("y", "=", "2")


def test_text_in_a_function_is_not_read_as_a_metric() -> None:
    assert read('label_replace(a{x="1"}, "y", "$1", "z", "(.+)")').selectors == [
        ("a", [Matcher("x", "=", "1")])
    ]


def test_function_names_are_not_read_as_metrics() -> None:
    assert read("rat(a[5m])").metrics == {"a"}
    assert read("rate(chestxray_request_total[$__rate_interval])").metrics == {
        "chestxray_request_total"
    }
