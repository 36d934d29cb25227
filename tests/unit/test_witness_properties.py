"""No sequence of requests, restarts and faults makes the witness cosign two trees of which one does not begin with the
other."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dialer import durable
from dialer.verifier.note import Checkpoint, read_checkpoint, read_note, verify
from dialer.verifier.tree import EMPTY_ROOT, leaf_hash
from dialer.witness import Answer, Witness, read_logs
from dialer.witness_key import WitnessKey
from tests.witness_world import MemoryLog, key_of, now, request_of

KEY = WitnessKey(key_of("witness"))
SIZES = st.integers(0, 9)


class Killed(BaseException):
    """The process is killed here."""


class WitnessMachine(RuleBasedStateMachine):
    """A witness, and a log with some histories that part at one point or another. What is cosigned is judged by the
    leaves, not by proofs."""

    @initialize()
    def start(self) -> None:
        """An empty folder; one history."""
        self.folder = Path(tempfile.mkdtemp(prefix="heedline-witness-"))
        self.histories = [MemoryLog(leaves=["first", "second", "third"])]
        self.cosigned: list[tuple[Checkpoint, list[bytes]]] = []
        self.saved: bytes | None = None
        self.restart()

    def teardown(self) -> None:
        """No file is left."""
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @property
    def file(self) -> Path | None:
        """What the witness remembers."""
        return next(iter((self.folder / "witness").glob("*.checkpoint")), None)

    @property
    def last(self) -> int:
        """The size that was cosigned last."""
        return self.cosigned[-1][0].size if self.cosigned else 0

    @rule()
    def restart(self) -> None:
        """The process is another."""
        self.witness = Witness(self.folder / "witness", KEY, read_logs([str(self.histories[0].verifier)]), now)

    @rule(data=st.data(), count=st.integers(1, 4))
    def grow(self, data: st.DataObject, count: int) -> None:
        """A history goes on in its own way."""
        history = data.draw(st.sampled_from(self.histories))
        history.leaves += [
            leaf_hash(f"{self.histories.index(history)} {len(history.leaves) + n}".encode()) for n in range(count)
        ]

    @precondition(lambda self: len(self.histories) < 4)
    @rule(data=st.data(), size=SIZES)
    def part(self, data: st.DataObject, size: int) -> None:
        """The log is rewritten from some leaf on."""
        self.histories.append(data.draw(st.sampled_from(self.histories)).forked(size))

    @rule(
        data=st.data(), old=SIZES, size=SIZES, proof=st.sampled_from(["right", "none", "cut", "of another", "longer"])
    )
    def submit(self, data: st.DataObject, old: int, size: int, proof: str) -> None:
        """Any checkpoint of any history, with a proof that may be wrong."""
        history, other = data.draw(st.sampled_from(self.histories)), data.draw(st.sampled_from(self.histories))
        old = self.last if data.draw(st.booleans()) else old
        size = min(size, len(history.leaves))
        right = history.path(old, size) if 0 < old < size else []
        path = {
            "right": right,
            "none": [],
            "cut": right[1:],
            "of another": other.path(old, size) if 0 < old < size <= len(other.leaves) else [EMPTY_ROOT],
            "longer": [*right, EMPTY_ROOT],
        }[proof]
        answer = self._submit(request_of(old, path, history.note(size)))
        if self.saved is not None:
            assert answer.status in (400, 500)

    @precondition(lambda self: self.last > 0 and len(self.histories) < 6)
    @rule(data=st.data(), more=st.integers(0, 3), of_another=st.booleans())
    def rewrite(self, data: st.DataObject, more: int, of_another: bool) -> None:
        """A log that differs in what was cosigned, with the proof that fits it best."""
        forked = self.histories[-1].forked(data.draw(st.integers(0, self.last - 1)))
        self.histories.append(forked)
        size = self.last + more
        forked.leaves += [leaf_hash(f"rewritten {len(self.histories)} {n}".encode()) for n in range(size)]
        other = self.histories[0] if of_another and len(self.histories[0].leaves) >= size else forked
        path = other.path(self.last, size)
        assert self._submit(request_of(self.last, path, forked.note(size))).status in (422, 500)

    @precondition(lambda self: self.saved is None)
    @rule(data=st.data(), extra=st.integers(0, 5))
    def submit_rightly(self, data: st.DataObject, extra: int) -> None:
        """What does follow is cosigned: the witness is of some use."""
        followers = [each for each in self.histories if each.leaves[: self.last] == self._leaves()]
        if followers:
            history = data.draw(st.sampled_from(followers))
            size = min(self.last + extra, len(history.leaves))
            assert self._submit(history.request(self.last, size)).status == 200

    @precondition(lambda self: self.saved is None)
    @rule(data=st.data(), extra=st.integers(0, 5), after=st.booleans())
    def killed(self, data: st.DataObject, extra: int, after: bool) -> None:
        """The process dies before the file is replaced, or when it is and nothing was answered."""
        history = data.draw(st.sampled_from(self.histories))
        size = min(self.last + extra, len(history.leaves))
        if size < self.last:
            return

        def die(file: Path, data: bytes) -> None:
            if after:
                durable.write_durably(file, data)
            raise Killed

        before = self._remembered()
        with mock.patch("dialer.witness.write_durably", die):
            killed = self._run(lambda: self.witness.add_checkpoint(history.request(self.last, size)))
        if after and killed is None and (now_is := self._remembered()) != before and now_is is not None:
            self._believe(now_is)
        self.restart()

    @precondition(lambda self: self.saved is None and self.file is not None)
    @rule(cut=st.integers(0, 200))
    def tear(self, cut: int) -> None:
        """The file is cut short."""
        assert self.file is not None
        self.saved = self.file.read_bytes()
        self.file.write_bytes(self.saved[: min(cut, len(self.saved) - 1)])

    @precondition(lambda self: self.saved is not None)
    @rule()
    def restore(self) -> None:
        """The operator brings it back."""
        assert self.file is not None
        assert self.saved is not None
        self.file.write_bytes(self.saved)
        self.saved = None

    @invariant()
    def one_tree_begins_with_the_other(self) -> None:
        """Each cosigned checkpoint's leaves begin with those of the one before."""
        for (before, earlier), (after, later) in zip(self.cosigned, self.cosigned[1:], strict=False):
            assert before.size <= after.size
            assert later[: before.size] == earlier

    def _submit(self, body: bytes) -> Answer:
        answer = self._run(lambda: self.witness.add_checkpoint(body))
        assert answer is not None
        if answer.status == 200:
            text = body.decode().partition("\n\n")[2].partition("\n\n")[0] + "\n"
            verify(read_note(f"{text}\n{answer.text}"), KEY.verifier)
            assert self._remembered() == text
            self._believe(text)
        return answer

    def _believe(self, text: str) -> None:
        """It was cosigned: find its leaves."""
        checkpoint = read_checkpoint(text)
        history = next(each for each in self.histories if each.root(checkpoint.size) == checkpoint.root)
        self.cosigned.append((checkpoint, history.leaves[: checkpoint.size]))

    def _leaves(self) -> list[bytes]:
        return self.cosigned[-1][1] if self.cosigned else []

    def _remembered(self) -> str | None:
        return read_note(self.file.read_text("utf-8")).text if self.file else None

    def _run(self, work: Callable[[], Any]) -> Answer | None:
        async def here() -> Answer | None:
            with mock.patch("asyncio.to_thread", _in_this_thread), mock.patch("os.fsync"):  # no power is cut here
                try:
                    answer: Answer = await work()
                except Killed:
                    return None
                return answer

        return asyncio.run(here())


async def _in_this_thread(work: Callable[..., Any], *given: Any) -> Any:
    return work(*given)


TestWitness = WitnessMachine.TestCase
TestWitness.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)


class LongWitnessMachine(WitnessMachine):
    """As above, for long."""


TestWitnessForLong = pytest.mark.soak(LongWitnessMachine.TestCase)
TestWitnessForLong.settings = settings(max_examples=1000, stateful_step_count=50, deadline=None)
