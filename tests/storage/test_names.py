import pytest

from tui_gpt.errors import UsageError
from tui_gpt.storage.names import MAX_NAME_LENGTH, checked_name, did_you_mean, is_name, slug


@pytest.mark.parametrize("name", ["a", "my-run", "tinyshakespeare-quick-2", "A_b.c", "7", "_x", "x" * MAX_NAME_LENGTH])
def test_letters_digits_and_a_few_other_characters_make_a_name(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".hidden", "..", "../x", "a/b", "/abs", "-flag", "a b", "é", "a\n", "a@best", "x" * 101, "name."),
        *("live", "Shipped", "con", "NUL", "aux.txt", "com1", "lpt9.tar.gz"),
    ],
)
def test_a_name_that_leads_outside_or_is_reserved_is_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(UsageError):
        checked_name(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My Book (2)", "my-book-2"),
        ("../../etc", "etc"),
        ("Ελλάδα", "text"),
        ("live", "text"),
        ("con", "text"),
        ("a" * 300, "a" * 50),
    ],
)
def test_any_text_can_be_turned_into_a_name(text: str, name: str) -> None:
    assert slug(text) == name


def test_a_similar_name_is_suggested_and_another_is_not() -> None:
    assert did_you_mean("shakespear", ["tinyshakespeare", "dante"]) == " (did you mean tinyshakespeare?)"
    assert did_you_mean("zzz", ["tinyshakespeare", "dante"]) == ""
