"""What was typed, understood, and the pieces of text that answer it. Pure."""

from hypothesis import given
from hypothesis import strategies as st

from registry.fulltext.excerpts import excerpt
from registry.fulltext.words import MOST_TERMS, Term, understand


def terms(text):
    return [[(t.words, t.prefix, t.negated) for t in ts] for ts in understand(text).alternatives]


def test_words_narrow_and_go_on():
    assert terms("Credit risk") == [[(("credit",), True, False), (("risk",), True, False)]]


def test_names_are_split_where_people_join_words():
    assert terms("credit-risk_v2.1") == [[(("credit", "risk", "v2", "1"), False, False)]]
    assert terms("fraud_score") == [[(("fraud", "score"), True, False)]]


def test_phrases_exclusions_and_alternatives():
    assert terms('"late payment" -pilot or churn') == [
        [(("late", "payment"), False, False), (("pilot",), True, True)],
        [(("churn",), True, False)],
    ]
    assert terms('-"very old" x') == [
        [(("very", "old"), False, True), (("x",), False, False)],
    ]


def test_what_is_no_grammar_is_text_or_nothing():
    assert terms('"never closed') == [[(("never", "closed"), False, False)]]
    assert terms("or or | OR") == []
    assert terms("& ! ( ) :* '") == []
    assert terms("a\x00b\u202ec") == [
        [(("a",), False, False), (("b",), False, False), (("c",), False, False)]
    ]
    assert not understand("")


def test_a_question_in_a_sentence_keeps_what_it_asks():
    assert terms("which is the fraud model") == [
        [(("fraud",), True, False), (("model",), True, False)]
    ]
    assert terms("the") == [[(("the",), True, False)]]


def test_a_digest_may_come_with_its_name():
    assert terms("sha256:ab12") == [[(("ab12",), True, False)]]


@given(st.text(max_size=400))
def test_nothing_typed_is_too_odd(text):
    wanted = understand(text)

    assert all(1 <= len(alternative) <= MOST_TERMS for alternative in wanted.alternatives)
    assert all(isinstance(t, Term) and t.words for ts in wanted.alternatives for t in ts)
    assert all("\x00" not in word for word in wanted.shown)


def marked(text, words, **kwargs):
    return "".join(f"[{s.text}]" if s.hit else s.text for s in excerpt(text, words, **kwargs))


def test_hits_are_marked_from_the_beginning_of_words():
    assert marked("Predicts fraud-rings, not defrauding.", ["fraud"]) == (
        "Predicts [fraud]-rings, not defrauding."
    )
    assert marked("Its predictions", ["predictions"]) == "Its [predictions]"
    assert marked("It can predict", ["predictions"], stems={"predictions": "predict"}) == (
        "It can [predict]"
    )
    assert marked("a cat", ["c"]) == ""
    assert marked("a cat", ["c"], always=True) == "a cat"


def test_a_long_text_is_cut_around_its_first_hit():
    text = "word " * 100 + "needle " + "word " * 100

    found = marked(text, ["needle"])

    assert "[needle]" in found
    assert found.startswith("… word")
    assert found.endswith("word …")
    assert len(found) < 200


@given(st.text(max_size=500), st.lists(st.text(min_size=1, max_size=8), max_size=4))
def test_segments_are_a_piece_of_the_text_and_nothing_else(text, words):
    segments = excerpt(text, [word.lower() for word in words], always=True)
    inner = [s for s in segments if s.text not in {"… ", " …"}]

    assert "".join(s.text for s in inner) in " ".join(text.split()) + "… "


def test_no_markup_is_made():
    assert [s.text for s in excerpt("<b>fraud</b>", ["fraud"])] == ["<b>", "fraud", "</b>"]
