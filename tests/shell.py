"""The command line in this process, as a person and as a program use it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from dialer import cli


class Shell:
    """Runs commands; `out` and `err` are what the last one printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        """The exit code."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        self.out, self.err = self._capsys.readouterr()
        code = ended.value.code
        return code if isinstance(code, int) else 0

    def json(self, *arguments: str) -> Any:
        """What the command printed for programs."""
        self(*arguments, "--json")
        return json.loads(self.out)


def query(dsn: str, statement: str) -> Any:
    """One value, read by the owner."""

    async def work() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(work())
