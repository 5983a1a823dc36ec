from __future__ import annotations

from random import Random

from tests.chaos.deck import Deck


def test_each_kind_comes_once_before_any_comes_again() -> None:
    deck = Deck("abc", Random(1))
    for _ in range(5):
        assert sorted(deck.draw() for _ in "abc") == list("abc")


def test_a_card_that_is_owed_comes_twice_in_the_next_round_and_once_after_it() -> None:
    deck = Deck("abc", Random(1))
    deck.owe("b")
    assert sorted(deck.draw() for _ in range(4)) == list("abbc")
    assert sorted(deck.draw() for _ in range(3)) == list("abc")


def test_the_same_seed_gives_the_same_order() -> None:
    first, second = Deck("abcdefgh", Random(7)), Deck("abcdefgh", Random(7))
    assert [first.draw() for _ in range(30)] == [second.draw() for _ in range(30)]
