"""Verification of a bundle of evidence (format `heedline-bundle/1`), without database or network. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from cryptography.x509 import Certificate

from .archive import Archive, MemberFault
from .documents import DocumentFault, read_object, whole
from .entries import NAME as ENTRIES
from .entries import EntryReader, Found
from .leaf import canonical
from .note import COSIGNATURE, Checkpoint, Note, NoteFault, VerifierKey, read_checkpoint, read_key, read_note, verify
from .report import Check, Place, Report
from .stretch import StretchReader, read_claim
from .timestamp import check_timestamps
from .trust import check_signed, warn_restored
from .words import Fault, Words, shown

FORMAT = "heedline-bundle/1"
MANIFEST, CHECKPOINT = "bundle.json", "checkpoint"
_DOCUMENT_LIMIT = 8 << 20
_LINE_LIMIT = 8 << 20
_NOTE_LIMIT = 1 << 20
_TOKEN_LIMIT = 1 << 16
_MOST_TOKENS = 100
_NAMES = re.compile(
    r"bundle\.json|checkpoint|entries\.jsonl|records\.json|report\.(en|zh)\.(html|pdf)|timeline\.svg"
    r"|timestamps/[0-9]{1,6}\.tsr|files/[0-9a-f]{64}"
)
_MEMBERS = {"format", "made_at", "heedline", "subject", "log", "exported", "files", "stretch"}


class BundleFault(Fault):
    """A file that cannot be read as a bundle at all."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the reader brings along: keys of the log, keys of witnesses, certificates of time stamp authorities."""

    keys: Sequence[VerifierKey] = ()
    witnesses: Sequence[VerifierKey] = ()
    authorities: Sequence[Certificate] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """`bundle.json`."""

    name: str
    keys: list[VerifierKey]
    exported: int
    subject: Any
    files: dict[str, str]
    stretch: Any
    made_at: str
    program: str


def verify_bundle(file: BinaryIO, trust: Trust) -> Report:
    """Verify a bundle. Raises `ArchiveFault` or `BundleFault` when it cannot be read; all else is in the report."""
    archive = Archive(file)
    manifest = _manifest(archive)
    report = Report(_about(manifest))
    report.facts |= {
        "format": FORMAT,
        "log": manifest.name,
        "made_at": manifest.made_at,
        "heedline": manifest.program,
        "subject": manifest.subject,
    }
    digests = _check_files(report, archive, manifest)
    note, checkpoint = _checkpoint(report, archive, manifest)
    if note is None or checkpoint is None:
        return report
    reader = _stretch(report, manifest, checkpoint)
    found = _check_entries(report, archive, manifest, EntryReader(report, checkpoint, manifest.exported, reader))
    is_whole = reader is None or reader.finish(report, checkpoint)
    place = Place(CHECKPOINT)
    check_signed(
        report,
        place,
        note,
        checkpoint,
        pinned=trust.keys,
        own=manifest.keys,
        successions=found.successions if is_whole else (),
    )
    warn_restored(report, found.successions)
    _check_export(report, manifest, found, digests)
    _check_named(report, found, digests)
    _check_cosignatures(report, place, note, trust.witnesses)
    check_timestamps(report, list(_tokens(report, archive)), note.text.encode(), trust.authorities)
    return report


def _manifest(archive: Archive) -> Manifest:
    if MANIFEST not in archive.names:
        raise BundleFault("it is no bundle: it holds no `bundle.json`", "不是证据包：其中没有 `bundle.json`")
    try:
        fields = read_object(archive.read(MANIFEST, _DOCUMENT_LIMIT))
        if fields.get("format") != FORMAT:
            format = shown(str(fields.get("format")))
            raise BundleFault(
                f"its format is `{format}`, and this program knows `{FORMAT}` alone; get a newer one",
                f"其格式为 `{format}`，本程序只认得 `{FORMAT}`；请换用较新的版本",
            )
        if fields.keys() != _MEMBERS:
            raise DocumentFault("its members are not those of the format", "其成员与格式不符")
        return _read_manifest(fields)
    except (MemberFault, DocumentFault, NoteFault) as fault:
        raise BundleFault(f"`bundle.json`: {fault.said.english}", f"`bundle.json`：{fault.said.chinese}") from None


def _about(manifest: Manifest) -> Words:
    subject, name = shown(canonical(manifest.subject).decode()), shown(manifest.name)
    made_at, program = shown(manifest.made_at), shown(manifest.program)
    return Words(
        f"{subject}, from the log `{name}`, made {made_at} by Heedline {program}",
        f"{subject}，来自日志 `{name}`，由 Heedline {program} 于 {made_at} 生成",
    )


def _read_manifest(fields: dict[str, Any]) -> Manifest:
    log, files, exported = fields["log"], fields["files"], whole(fields["exported"])
    if not isinstance(log, dict) or log.keys() != {"name", "keys"} or not isinstance(log["keys"], list):
        raise DocumentFault("`log` is no object of `name` and `keys`", "`log` 应为含 `name` 和 `keys` 的对象")
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise DocumentFault("`files` is no object of names and SHA-256", "`files` 应为名称与 SHA-256 的对象")
    if exported is None:
        raise DocumentFault("`exported` is no id of an entry", "`exported` 不是条目编号")
    return Manifest(
        name=str(log["name"]),
        keys=[read_key(str(key)) for key in log["keys"]],
        exported=exported,
        subject=fields["subject"],
        files=files,
        stretch=fields["stretch"],
        made_at=str(fields["made_at"]),
        program=str(fields["heedline"]),
    )


def _check_files(report: Report, archive: Archive, manifest: Manifest) -> dict[str, str]:
    """The SHA-256 of every file but the manifest and the entries, which are hashed when they are read."""
    names, digests = set(archive.names) - {MANIFEST}, dict[str, str]()
    for name in sorted(names):
        place = Place(name)
        if not _NAMES.fullmatch(name):
            report.false(Check.FILE, place, Words("no such file belongs to the format", "格式中没有这样的文件"))
        if name not in manifest.files:
            report.false(Check.FILE, place, Words("`bundle.json` does not name it", "`bundle.json` 没有列出它"))
        elif name != ENTRIES:
            digests[name] = _check_file(report, archive, name, manifest.files[name])
    for name in sorted(manifest.files.keys() - names):
        report.false(Check.FILE, Place(shown(name)), Words("it is missing from the bundle", "包中缺少此文件"))
    return digests


def _check_file(report: Report, archive: Archive, name: str, expected: str) -> str:
    place = Place(name)
    try:
        digest = archive.sha256(name).hex()
    except MemberFault as fault:
        report.false(Check.FILE, place, fault.said)
        return ""
    if digest != expected:
        report.false(Check.FILE, place, _CHANGED)
    if name.startswith("files/") and name != f"files/{digest}":
        said = Words("it is not the file that it is named after: it was changed", "它与其名称所指的文件不符：被改动过")
        report.false(Check.FILE, place, said)
    return digest


_CHANGED = Words(
    "it is not the file that `bundle.json` names: it was changed", "它与 `bundle.json` 所记的不符：被改动过"
)


def _checkpoint(report: Report, archive: Archive, manifest: Manifest) -> tuple[Note | None, Checkpoint | None]:
    place = Place(CHECKPOINT)
    if CHECKPOINT not in archive.names:
        if CHECKPOINT not in manifest.files:
            report.false(Check.CHECKPOINT, place, Words("it is missing from the bundle", "包中缺少此文件"))
        return None, None
    try:
        note = read_note(archive.read(CHECKPOINT, _NOTE_LIMIT).decode("utf-8"))
        checkpoint = read_checkpoint(note.text)
    except UnicodeDecodeError:
        report.false(Check.CHECKPOINT, place, Words("it is not UTF-8", "不是 UTF-8"))
        return None, None
    except (MemberFault, NoteFault) as fault:
        report.false(Check.CHECKPOINT, place, fault.said)
        return None, None
    if checkpoint.origin != manifest.name:
        origin, name = shown(checkpoint.origin), shown(manifest.name)
        said = Words(
            f"it is of the log `{origin}`, and the bundle of `{name}`", f"它属于日志 `{origin}`，而证据包属于 `{name}`"
        )
        report.false(Check.CHECKPOINT, place, said)
    signers = [f"{line.name}+{line.key_hash.hex()}" for line in note.signatures]
    report.facts["checkpoint"] = {"size": checkpoint.size, "root": checkpoint.root.hex(), "signers": signers}
    return note, checkpoint


def _stretch(report: Report, manifest: Manifest, checkpoint: Checkpoint) -> StretchReader | None:
    try:
        claim = read_claim(manifest.stretch, checkpoint.size)
    except DocumentFault as fault:
        report.false(Check.STRETCH, Place(MANIFEST), fault.said)
        return None
    return StretchReader(claim) if claim else None


def _check_entries(report: Report, archive: Archive, manifest: Manifest, reader: EntryReader) -> Found:
    place = Place(ENTRIES)
    if ENTRIES not in archive.names:
        if ENTRIES not in manifest.files:
            report.false(Check.FILE, place, Words("it is missing from the bundle", "包中缺少此文件"))
        return reader.found
    digest = hashlib.sha256()
    try:
        for number, line in enumerate(_lines(archive.chunks(ENTRIES), digest), 1):
            reader.line(number, line)
    except MemberFault as fault:
        report.false(Check.FILE, place, fault.said)
        return reader.finish()
    if digest.hexdigest() != manifest.files.get(ENTRIES):
        report.false(Check.FILE, place, _CHANGED)
    found = reader.finish()
    if report.is_right:
        count = report.facts["entries"]
        said = Words(
            f"{count} entries, all of them in the log; what they say is what the log commits to",
            f"{count} 个条目，均在日志之中；其内容与日志的承诺相符",
        )
        report.right(Check.ENTRY, place, said)
    return found


def _lines(chunks: Iterator[bytes], digest: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        digest.update(chunk)
        *lines, last = chunk.split(b"\n")
        if lines:
            lines[0], rest = rest + lines[0], b""
        rest += last
        if len(rest) > _LINE_LIMIT:
            raise MemberFault(f"a line is longer than {_LINE_LIMIT} bytes", f"有一行长于 {_LINE_LIMIT} 字节")
        yield from lines
    if rest:
        raise MemberFault("its last line has no end: it was cut", "末行没有结束：被截断")


def _check_export(report: Report, manifest: Manifest, found: Found, digests: dict[str, str]) -> None:
    """The entry of the export says which files went into the bundle."""
    place = Place(MANIFEST)
    exported = found.exported
    if exported is None:
        said = Words(
            f"the entry {manifest.exported} that says that this bundle was made is not in it, or not right",
            f"包中没有说明此包已导出的条目 {manifest.exported}，或它有误",
        )
        report.false(Check.EXPORT, place, said)
        return
    if exported.get("subject") != manifest.subject:
        said = Words("`subject` is not the one that was exported", "`subject` 与导出时的不符")
        report.false(Check.EXPORT, place, said)
    if (told := exported.get("entries")) != found.entries:
        count = told.get("count") if isinstance(told, dict) else None
        said = Words(
            f"its entries are not those that were exported: {found.entries['count']} are here, of {count}; some were "
            "left out, put in or changed for others",
            f"其条目不是导出时的条目：此处有 {found.entries['count']} 条，导出时为 {count} 条；有的被去掉、加入或调换",
        )
        report.false(Check.EXPORT, Place(ENTRIES), said)
    named = exported.get("files")
    named = named if isinstance(named, dict) else {}
    own = {n: d for n, d in digests.items() if n != CHECKPOINT and not n.startswith("timestamps/")}
    for name in sorted(named.keys() | own.keys()):
        if name not in named:
            said = Words("the entry of the export does not name it", "导出条目没有列出它")
        elif name not in own:
            said = Words("the entry of the export names it, and it is not there", "导出条目列出了它，但它不在包中")
        elif named[name] != own[name]:
            said = Words("it is not the file that was exported: it was changed", "它不是导出时的文件：被改动过")
        else:
            continue
        report.false(Check.EXPORT, Place(shown(name)), said)


def _check_named(report: Report, found: Found, digests: dict[str, str]) -> None:
    for name, place in found.files.items():
        if f"files/{name}" not in digests:
            said = Words(f"the file {name} that it names is not in the bundle", f"它提到的文件 {name} 不在包中")
            report.warn(Check.FILE, place, said)


def _check_cosignatures(report: Report, place: Place, note: Note, witnesses: Sequence[VerifierKey]) -> None:
    for key in witnesses:
        try:
            at = verify(note, key)
        except NoteFault as fault:
            report.false(Check.COSIGNATURE, place, fault.said)
            continue
        when = f" {at:%Y-%m-%d %H:%M:%S} UTC" if at and key.algorithm == COSIGNATURE else ""
        said = Words(f"cosigned by `{shown(key.id)}`{when}", f"`{shown(key.id)}` 已联署{when}")
        report.right(Check.COSIGNATURE, place, said)


def _tokens(report: Report, archive: Archive) -> Iterator[tuple[Place, bytes]]:
    names = [name for name in archive.names if name.startswith("timestamps/")]
    if len(names) > _MOST_TOKENS:
        said = Words(f"more than {_MOST_TOKENS} time stamps", f"时间戳超过 {_MOST_TOKENS} 个")
        report.false(Check.TIMESTAMP, Place("timestamps/"), said)
    for name in names[:_MOST_TOKENS]:
        try:
            yield Place(name), archive.read(name, _TOKEN_LIMIT)
        except MemberFault as fault:
            report.false(Check.TIMESTAMP, Place(name), fault.said)
