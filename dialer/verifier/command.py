"""What `heedline-verify` and `heedline evidence verify` do: files in, text and an exit code out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from . import consistency
from .bundle import Trust, verify_bundle
from .cms import load_certificate
from .note import NoteFault, VerifierKey, read_key
from .report import Report
from .words import Fault, Words, shown

UNREADABLE = 2
_KEY_LIMIT = 1 << 16
_CERTIFICATE_LIMIT = 1 << 20


class GivenFault(Fault):
    """A key, a certificate or a file that was named cannot be read."""


def language_of(environment: Mapping[str, str]) -> str:
    """`zh` or `en`, as HEEDLINE_LANGUAGE or the locale says."""
    if environment.get("HEEDLINE_LANGUAGE") in ("en", "zh"):
        return environment["HEEDLINE_LANGUAGE"]
    spoken = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return "zh" if spoken.startswith("zh") else "en"


def verify_file(file: Path, trust: Trust) -> Report:
    """Verify a bundle or a proof of consistency. Raises `Fault` when it cannot be read."""
    try:
        with file.open("rb") as stream:
            if not stream.seekable():
                raise GivenFault("it is no plain file", "不是普通文件")
            start = stream.read(4)
            stream.seek(0)
            if start.lstrip()[:1] == b"{":
                data = stream.read(consistency.LIMIT + 1)
                if len(data) > consistency.LIMIT:
                    raise GivenFault("it is too large for a proof of consistency", "作为一致性证明过大")
                return consistency.verify_consistency(data, trust.keys)
            return verify_bundle(stream, trust)
    except OSError as error:
        raise _unreadable(error) from None


def verify_and_tell(
    file: Path,
    keys: Sequence[str],
    witnesses: Sequence[str],
    authorities: Sequence[Path],
    *,
    language: str,
    as_json: bool,
) -> tuple[str, int]:
    """Verify, and say what was found: the text to print and the exit code (0 right, 1 false, 2 cannot be read)."""
    named = str(file)
    try:
        trust = read_trust(keys, witnesses, authorities)
        report = verify_file(file, trust)
    except Fault as fault:
        name = "" if isinstance(fault, _TrustFault) else f"`{shown(named)}`: "
        return _told_error(Words(name + fault.said.english, name + fault.said.chinese), language, as_json), UNREADABLE
    if as_json:
        return _dumped({"file": named, **report.document(language)}), report.exit_code
    return "\n".join(report.lines(language)), report.exit_code


def read_trust(keys: Sequence[str], witnesses: Sequence[str], authorities: Sequence[Path]) -> Trust:
    """What the reader trusts, from texts or names of files. Raises a `Fault` that names what cannot be read."""
    return Trust(
        [key for given in keys for key in _keys(given)],
        [key for given in witnesses for key in _keys(given)],
        [certificate for file in authorities for certificate in _certificates(file)],
    )


class _TrustFault(GivenFault):
    def __init__(self, given: str, said: Words) -> None:
        super().__init__(f"`{shown(given)}`: {said.english}", f"`{shown(given)}`：{said.chinese}")


def _keys(given: str) -> list[VerifierKey]:
    """The key that the text is, or those in the file that it names, one a line."""
    try:
        return [read_key(given)]
    except NoteFault as fault:
        said = fault.said
    try:
        text = _read(Path(given), _KEY_LIMIT).decode("utf-8")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        found = [read_key(line) for line in lines]
    except OSError as error:
        said = said if "+" in given else _unreadable(error).said
    except (NoteFault, GivenFault) as fault:
        said = fault.said
    except ValueError:
        said = Words("it is no key", "不是密钥")
    else:
        if found:
            return found
        said = Words("it holds no key", "其中没有密钥")
    raise _TrustFault(given, said)


def _certificates(file: Path) -> list[x509.Certificate]:
    try:
        data = _read(file, _CERTIFICATE_LIMIT)
        if b"-----BEGIN" not in data:
            return [load_certificate(data)]
        return [load_certificate(one.public_bytes(Encoding.DER)) for one in x509.load_pem_x509_certificates(data)]
    except OSError as error:
        said = _unreadable(error).said
    except GivenFault as fault:
        said = fault.said
    except (ValueError, x509.InvalidVersion):
        said = Words("it is no certificate (PEM or DER)", "不是证书（PEM 或 DER）")
    raise _TrustFault(str(file), said)


def _read(file: Path, limit: int) -> bytes:
    with file.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise GivenFault(f"it is larger than {limit} bytes", f"大于 {limit} 字节")
    return data


def _unreadable(error: OSError) -> GivenFault:
    why = (error.strerror or "it cannot be opened").lower()
    return GivenFault(f"it cannot be read: {why}", f"无法读取：{why}")


def _told_error(said: Words, language: str, as_json: bool) -> str:
    text = said.by(language)
    return (
        _dumped({"right": None, "error": text}) if as_json else f"{'错误：' if language == 'zh' else 'error: '}{text}"
    )


def _dumped(document: Any) -> str:
    """JSON with its texts legible, and nothing in it that steers a terminal."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
