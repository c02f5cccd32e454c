"""A bulk action names the ids that it leaves out."""

from reviewapp.lib.unknown_ids import describe_unknown


def test_it_says_nothing_of_nothing() -> None:
    assert describe_unknown([], "this queue") == ""


def test_it_names_each_id_once_and_counts_those_beyond_the_tenth() -> None:
    sentence = describe_unknown([str(number % 12) for number in range(100)], "this queue")
    assert sentence.startswith("Left out, because not in this queue: “0”, “1”, ")
    assert sentence.endswith("“9” and 2 more.")


def test_it_shortens_ids_and_replaces_what_no_database_stores() -> None:
    assert describe_unknown(["\x00" + "7" * 99], "this queue").endswith(f"“\N{REPLACEMENT CHARACTER}{'7' * 38}…”.")
