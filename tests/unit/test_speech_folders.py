"""Model folders: which kind they hold, and what is missing from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.errors import SpeechError
from dialer.speech import sherpa, vosk, whisper
from dialer.speech.folders import Kind, recognise
from dialer.speech.load import EngineSettings, load_engine


def folder_of(tmp_path: Path, *names: str) -> Path:
    """A folder with these files; `name=mark` puts a mark into one, as a model's metadata does."""
    folder = tmp_path / "model"
    folder.mkdir()
    for given in names:
        name, _, mark = given.partition("=")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\x08\x07onnx" * 100 + mark.encode())
    return folder


TRANSDUCER = ("decoder-epoch-99.onnx", "joiner-epoch-99.int8.onnx", "tokens.txt")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("encoder-epoch-99.onnx=decode_chunk_len", *TRANSDUCER), Kind.ONLINE_TRANSDUCER),
        (("encoder-epoch-99.onnx", *TRANSDUCER), Kind.OFFLINE_TRANSDUCER),
        (("encoder-epoch-99.onnx=decode_chunk_len", *TRANSDUCER, "keywords.txt"), Kind.KEYWORD),
        (("encoder.int8.onnx=lfr_window_size", "decoder.int8.onnx", "tokens.txt"), Kind.ONLINE_PARAFORMER),
        (("base-encoder.onnx=n_text_layer", "base-decoder.onnx", "base-tokens.txt"), Kind.WHISPER),
        (("model.onnx=lfr_window_size", "tokens.txt"), Kind.OFFLINE_PARAFORMER),
        (("model.int8.onnx=lfr_window_size with_itn", "tokens.txt"), Kind.SENSE_VOICE),
        (("model.onnx=decode_chunk_len", "tokens.txt"), Kind.ONLINE_CTC),
        (("model.onnx", "tokens.txt"), Kind.OFFLINE_CTC),
        (
            (
                "preprocess.onnx",
                "encode.int8.onnx",
                "uncached_decode.int8.onnx",
                "cached_decode.int8.onnx",
                "tokens.txt",
            ),
            Kind.MOONSHINE,
        ),
        (("encoder_model.ort", "decoder_model_merged.ort", "tokens.txt"), Kind.MOONSHINE_MERGED),
    ],
)
def test_folder_is_recognised_by_its_files(tmp_path: Path, names: tuple[str, ...], kind: Kind) -> None:
    """Each kind that sherpa-onnx reads is told by names and metadata, and every file has its role."""
    layout = recognise(folder_of(tmp_path, *names))
    assert layout.kind is kind
    assert {file.name for file in layout.files.values()} == {name.partition("=")[0] for name in names}


def test_quantised_file_is_preferred(tmp_path: Path) -> None:
    """Of a model and its int8 form the cheaper one is loaded."""
    names = ("encoder.onnx", "encoder.int8.onnx", "decoder.onnx", "joiner.onnx", "tokens.txt")
    assert recognise(folder_of(tmp_path, *names)).files["encoder"].name == "encoder.int8.onnx"


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ((), r"has no `encoder\*\.onnx` and no `model\*\.onnx`"),
        (("README.md",), r"has no `encoder\*\.onnx` and no `model\*\.onnx`"),
        (("model.onnx",), r"has no `tokens\.txt`"),
        (("encoder.onnx", "joiner.onnx", "tokens.txt"), r"offline transducer without `\*decoder\*\.onnx`"),
        (("encoder.onnx", "decoder.onnx", "tokens.txt"), r"no `joiner\*\.onnx`"),
        (("encoder.onnx", "decoder.onnx", "tokens.txt", "keywords.txt"), r"keyword spotter without `\*joiner\*\.onnx`"),
        (("preprocess.onnx", "encode.onnx", "cached_decode.onnx", "tokens.txt"), r"without `uncached_decode\*\.onnx`"),
        (("encoder_model.ort", "tokens.txt"), r"without `\*decoder\*\.onnx`"),
    ],
)
def test_missing_file_is_named(tmp_path: Path, names: tuple[str, ...], problem: str) -> None:
    """An incomplete folder is one error that names the folder and what it lacks."""
    folder = folder_of(tmp_path, *names)
    with pytest.raises(SpeechError, match=problem) as raised:
        recognise(folder)
    assert str(folder) in str(raised.value)


def test_empty_model_file_is_an_error(tmp_path: Path) -> None:
    """A file of no bytes, as a broken download leaves, is named."""
    folder = folder_of(tmp_path, "tokens.txt")
    (folder / "model.onnx").write_bytes(b"")
    with pytest.raises(SpeechError, match=r"model\.onnx` cannot be read"):
        recognise(folder)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """A folder that does not exist is an error, whatever kind it was to be."""
    with pytest.raises(SpeechError, match="none` does not exist"):
        load_engine(EngineSettings("zh", tmp_path, tmp_path / "none"))


def test_unknown_language_is_an_error(tmp_path: Path) -> None:
    """There are recognisers for two languages."""
    with pytest.raises(SpeechError, match="no recogniser for the language `fr`"):
        load_engine(EngineSettings("fr", tmp_path))


def test_kinds_of_folders_do_not_overlap(tmp_path: Path) -> None:
    """Vosk's and CTranslate2's folders are told from sherpa-onnx's by their own files."""
    folder = folder_of(tmp_path, "am/final.mdl", "model.bin", "config.json")
    assert vosk.is_folder(folder)
    assert not whisper.is_folder(folder)
    (folder / "vocabulary.txt").write_bytes(b"")
    assert whisper.is_folder(folder)


def test_model_that_ends_its_process_is_an_error(tmp_path: Path) -> None:
    """sherpa-onnx ends the process on weights that it cannot read; ours goes on and says which folder."""
    folder = folder_of(tmp_path, "model.onnx", "tokens.txt")
    with pytest.raises(SpeechError, match="sherpa-onnx cannot load the model folder") as raised:
        sherpa.load(folder, "zh")
    assert str(folder) in str(raised.value)


def test_whisper_tokens_are_bytes() -> None:
    """The vocabulary's printable stand-ins are turned back into bytes: a space, a Chinese character, a line break."""
    tokens = whisper.token_bytes(["Ġthe", "ä¸į", "Ċ", "<|endoftext|>"], 3)
    assert tokens == [b" the", "不".encode(), b"\n"]


def test_whisper_context_is_made_of_the_longest_tokens() -> None:
    """Context is written in the model's own tokens; a byte that has none is an error, not left out."""
    tokens = ["不".encode(), "不要".encode(), "要".encode(), *(bytes([byte]) for byte in "打".encode())]
    assert whisper.token_numbers("不要打要", tokens) == [1, 3, 4, 5, 2]
    assert whisper.token_numbers("", tokens) == []
    with pytest.raises(ValueError, match="no token"):
        whisper.token_numbers("好", tokens)
