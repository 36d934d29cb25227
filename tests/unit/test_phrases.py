"""The phrase matcher on its corpus, on what a recogniser heard of the development clips, and at its edges."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialer.phrases import LONGEST, Heard, Meaning, chinese_sounds, judge

CORPUS = Path(__file__).parent.parent / "corpus"
NOTHING = Heard(Meaning.NOTHING)


def lines(name: str) -> list[dict[str, str]]:
    """The rows of a table of the corpus."""
    with (CORPUS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def judged(language: str) -> Iterator[tuple[Meaning, Meaning, str]]:
    """What each line of a language's corpus means, what it is judged to mean, and the line."""
    for line in lines(f"phrases_{language}.tsv"):
        yield Meaning(line["meaning"]), judge(line["text"], language).meaning, line["text"]


@pytest.mark.parametrize(("language", "least"), [("en", 1400), ("zh", 600)])
def test_the_corpus_is_large_and_names_each_line_once(language: str, least: int) -> None:
    """A language's corpus holds at least so many lines, with each meaning, and none twice."""
    rows = lines(f"phrases_{language}.tsv")
    assert len(rows) >= least
    assert {line["meaning"] for line in rows} == set(Meaning)
    assert [text for text, count in Counter(line["text"] for line in rows).items() if count > 1] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_refusals_of_the_corpus_are_heard(language: str) -> None:
    """Of the refusals at most one in a hundred is missed."""
    refusals = [(found, text) for meant, found, text in judged(language) if meant is Meaning.REFUSAL]
    missed = [text for found, text in refusals if found is not Meaning.REFUSAL]
    assert len(missed) <= len(refusals) // 100, missed


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_else_in_the_corpus_is_a_refusal(language: str) -> None:
    """No line that is no refusal is judged one, doubtful lines included."""
    assert [text for meant, found, text in judged(language) if Meaning.REFUSAL is found is not meant] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_person_reviews_the_doubtful_and_little_else(language: str) -> None:
    """Nine in ten doubtful lines are near-misses, and of the harmless at most one in eight."""
    found = list(judged(language))
    doubtful = [heard for meant, heard, _ in found if meant is Meaning.NEAR_MISS]
    harmless = [heard for meant, heard, _ in found if meant is Meaning.NOTHING]
    assert doubtful.count(Meaning.NEAR_MISS) >= 0.9 * len(doubtful)
    assert harmless.count(Meaning.NEAR_MISS) <= len(harmless) / 8


@pytest.mark.parametrize(("language", "recall"), [("en", 0.95), ("zh", 0.9)])
def test_refusals_are_found_in_what_a_recogniser_wrote(language: str, recall: float) -> None:
    """On transcripts of the noisy development clips recall stays high and false alarms under one in a hundred."""
    heard = [line for line in lines("phrases_heard.tsv") if line["language"] == language]
    found = [(line["refusal"] == "1", judge(line["heard"], language).meaning is Meaning.REFUSAL) for line in heard]
    refusals = [hit for refusal, hit in found if refusal]
    others = [hit for refusal, hit in found if not refusal]
    assert sum(refusals) >= recall * len(refusals)
    assert sum(others) <= 0.01 * len(others)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Stop calling me.", Meaning.REFUSAL),
        ("Please don't stop calling me.", Meaning.NOTHING),
        ("Take me off your list", Meaning.REFUSAL),
        ("Please don't take me off your list", Meaning.NOTHING),
        ("Don't call me before nine", Meaning.NEAR_MISS),
        ("Don't call me at work, call me at home instead", Meaning.NEAR_MISS),
        ("No, call me again tomorrow", Meaning.NOTHING),
        ("Why don't you call me tomorrow?", Meaning.NOTHING),
        ("If you don't stop calling me I'll report you", Meaning.REFUSAL),
        ("Would you kindly stop ringing this number", Meaning.REFUSAL),
        ("My boss told me to stop calling you", Meaning.NOTHING),
        ("Stop calling me sir", Meaning.NEAR_MISS),
        ("Don't call. Me. Again.", Meaning.REFUSAL),
    ],
)
def test_one_word_turns_a_meaning(text: str, meaning: Meaning) -> None:
    """Negation, scope and the one who is spoken to decide, not the words alone."""
    assert judge(text, "en").meaning is meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("不要再打给我", Meaning.REFUSAL),
        ("不要停止打给我", Meaning.NOTHING),
        ("別再打電話來了", Meaning.REFUSAL),
        ("唔好再打嚟喇", Meaning.REFUSAL),
        ("不要挂电话", Meaning.NOTHING),
        ("不要忘了给我打电话", Meaning.NOTHING),
        ("明天再打给我", Meaning.NOTHING),
        ("不是不要打", Meaning.NOTHING),
        ("要不要打给我老公", Meaning.NOTHING),
        ("不要再打游戏了", Meaning.NOTHING),
        ("上班时间不要打给我", Meaning.NEAR_MISS),
    ],
)
def test_chinese_negation_and_scope(text: str, meaning: Meaning) -> None:
    """Simplified, traditional and Cantonese writing are read alike, and a denied denial is none."""
    assert judge(text, "zh").meaning is meaning


@pytest.mark.parametrize("text", ["不要再大煎花给我", "以後別大連", "請把我抵豹罵閃掉", "不要再燒饒我", "我要退定"])
def test_wrong_characters_of_the_right_sound_are_heard(text: str) -> None:
    """What a recogniser misspelt is a refusal by its sound, and its rule says that sound decided."""
    heard = judge(text, "zh")
    assert heard.meaning is Meaning.REFUSAL
    assert heard.rule.endswith("~pinyin")


def test_without_pypinyin_characters_still_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra may be missing: refusals in right characters are heard, those by sound are not, nothing is raised."""
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    chinese_sounds.loaded.cache_clear()
    try:
        assert judge("不要再打给我", "zh").meaning is Meaning.REFUSAL
        assert judge("不要再燒饒我", "zh").meaning is Meaning.NOTHING
    finally:
        chinese_sounds.loaded.cache_clear()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("stop coal in me", "en"),
        ("top calling me", "en"),
        ("take me off your Lisa", "en"),
        ("I'd like to opt our", "en"),
    ],
)
def test_a_refusal_by_sound_says_so(text: str, language: str) -> None:
    """Misheard key words count inside a construction, and the rule's name tells a reviewer."""
    heard = judge(text, language)
    assert heard.meaning is Meaning.REFUSAL
    assert heard.rule.endswith("~sound")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("stop calling me " * 8, "en"),
        ("I'm going to go. " + "Take me off your list. " * 5, "en"),
        ("don't call " * 40, "en"),
        ("不要再打了" * 6, "zh"),
        ("不要打，" * 9, "zh"),
    ],
)
def test_a_loop_of_the_recogniser_is_no_refusal(text: str, language: str) -> None:
    """The same words four times in a row and more were made up by the recogniser: a person decides."""
    assert judge(text, language).meaning is Meaning.NEAR_MISS


@pytest.mark.parametrize(
    "text", ["stop calling me, stop calling me!", "Stop. Stop calling. Stop calling!", "no no no no don't call"]
)
def test_an_angry_repetition_is_a_refusal(text: str) -> None:
    """People say it twice or three times; that is no loop."""
    assert judge(text, "en").meaning is Meaning.REFUSAL


def test_a_loop_behind_a_refusal_leaves_it_standing() -> None:
    """A recogniser goes on inventing after the speech has ended; what was said before stays said."""
    heard = judge("Delete my number. " + "I'm sorry. " * 12, "en")
    assert heard == Heard(Meaning.REFUSAL, "Delete my number", "remove.number")


@pytest.mark.parametrize("tag", ["en", "EN", "en-GB", "en_US", "en-IN", " en "])
def test_tags_of_english_are_english(tag: str) -> None:
    """A region, a case or an underscore in the language tag changes nothing."""
    assert judge("stop calling me", tag).meaning is Meaning.REFUSAL


@pytest.mark.parametrize("tag", ["zh", "zh-CN", "zh-Hant-TW", "zh_HK", "yue", "cmn-Hans"])
def test_tags_of_chinese_are_chinese(tag: str) -> None:
    """Mandarin and Cantonese tags are read by the Chinese rules."""
    assert judge("不要再打了", tag).meaning is Meaning.REFUSAL


@pytest.mark.parametrize("tag", ["", "de", "eng", "english", "z", "e n", "x" * 10_000, "zho"])
def test_another_language_is_nothing(tag: str) -> None:
    """No rules, no judgement."""
    assert judge("stop calling me 不要再打了", tag) == NOTHING


def test_the_phrase_is_cut_from_the_transcript() -> None:
    """Evidence quotes what was said, with its own case and punctuation, and names the rule."""
    heard = judge("Hello? Look, DON'T ever, um, call me again -- okay?", "en")
    assert heard == Heard(Meaning.REFUSAL, "DON'T ever, um, call me again", "forbid.object")
    assert judge("你好，請不要再打電話給我。謝謝", "zh").phrase == "不要再打電話給我"


def test_what_stands_behind_the_bound_is_not_read() -> None:
    """A transcript is read to its bound and no further."""
    assert judge("x" * (LONGEST - 20) + " stop calling me", "en").meaning is Meaning.REFUSAL
    assert judge("x" * LONGEST + " stop calling me", "en") == NOTHING
