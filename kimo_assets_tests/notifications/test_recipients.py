"""Addresses as people write them."""

import pytest

from kimo_assets.notifications.recipients import as_address, read_addresses

pytestmark = pytest.mark.portable


def test_several_stand_in_one_text_by_any_separator_each_once() -> None:
    good, wrong = read_addresses(["a@x.it, b@x.it;c@x.it|A@X.it", "d@x.it"], "here")
    assert good == ("a@x.it", "b@x.it", "c@x.it", "d@x.it")
    assert wrong == ()


def test_a_wrong_one_is_a_sentence_and_the_others_stay() -> None:
    good, wrong = read_addresses(["a@x.it; anna; @x.it"], "the server setting X")
    assert good == ("a@x.it",)
    assert (
        wrong[0] == "the server setting X: 'anna' is no mail address and gets no mail; expected"
        " anna@firm.it, say"
    )
    assert len(wrong) == 2


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Anna Rossi <anna@firm.it>", "anna@firm.it"),
        ("root@localhost", "root@localhost"),
        ("anna+kimo@firm.it", "anna+kimo@firm.it"),
        ("anna@città.it", "anna@xn--citt-3na.it"),
        ("anna@firm..it", None),
        ("anna@", None),
        ("", None),
        ("an na@firm.it", None),
        ("<anna@firm.it>", "anna@firm.it"),
        ("Anna<anna@firm.it>", "anna@firm.it"),
        ("Anna\t<anna@firm.it>", "anna@firm.it"),
        ('"Rossi, Anna" <anna@firm.it>', "anna@firm.it"),
        ('"anna@firm.it" <anna@firm.it>', "anna@firm.it"),
        ("Anna (office) <anna@firm.it> (weekdays)", "anna@firm.it"),
        ("anna@firm.it (Anna)", "anna@firm.it"),
        ("mailto:anna@firm.it", "anna@firm.it"),
        ("anna @ firm.it", "anna@firm.it"),
        ("  anna@firm.it\n", "anna@firm.it"),
        ("anna@firm.it\r\nBcc: all@firm.it", None),
        ("anna@firm.it\nall@firm.it", None),
        ("anna@firm.it\rBcc: all@firm.it", None),
        ("Anna\r\nBcc: all@firm.it <anna@firm.it>", None),
        ("Anna <anna@firm.it\r\n>", None),
        ("anna@firm.it\x00", None),
        ("anna@firm.it\u2028all@firm.it", None),
        ("anna@firm.it all@firm.it", None),
        ("anna@firm.it <all@firm.it>", None),
        ("<anna@firm.it> <all@firm.it>", None),
        ("anna@firm.it>", None),
        ("anna@firm.it (Anna", None),
        ("anna@all@firm.it", None),
        ("@all.it:anna@firm.it", None),
        ("anna@[127.0.0.1]", None),
        ("anna@firm.it.", None),
        (".anna@firm.it", None),
        ("annà@firm.it", None),
        ("a" * 65 + "@firm.it", None),
    ],
)
def test_an_address(text: str, address: str | None) -> None:
    assert as_address(text) == address
