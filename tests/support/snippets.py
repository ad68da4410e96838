"""The fenced blocks of the documents: found, and run as a reader runs them.

A page that is run is one shell: its blocks follow each other in one empty folder. ``sh`` blocks are its input, and
stop it at the first line that fails; ``console`` blocks are their lines after ``$``; a block with a ``title`` becomes
the file of that name. A ``text`` block is what the block before it prints: each of its lines is a part of that output,
in this order, ``…`` standing for anything. A line that says ``# exit 7`` ends so. What a reader has already is made by the
lines of a comment ``<!-- before … -->``, which no reader sees, where it stands; a ``python`` block runs after the file
``before.py``. A block with ``<!-- goes on -->`` runs beside those that follow. What nobody can run here says why, and names
the test that holds what can be held: ``<!-- not run: … tested by … -->``.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from retinue.cli.app import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: Pages that tests/examples/test_documents.py runs, each in a folder of its own, all against one installation.
RUN = (
    "tutorials/protect-a-fastapi-app.md",
    "tutorials/behind-nginx.md",
    "tutorials/rotate-without-downtime.md",
    "tutorials/run-an-access-review.md",
    "explanation/access.md",
    "explanation/revocation.md",
    "reference/node.md",
    "reference/tokens.md",
    "how-to/access-in-git.md",
    "how-to/leaks.md",
    "how-to/prove-what-happened.md",
    "how-to/review-accounts.md",
    "how-to/call-a-protected-api.md",
    "how-to/permissions-from-openapi.md",
    "how-to/protect-a-python-api.md",
    "how-to/ask-over-http.md",
    "how-to/back-up.md",
    "how-to/delete-and-restore-an-account.md",
    "how-to/explain-a-denial.md",
    "how-to/export-the-audit-log.md",
    "how-to/find-unused-access.md",
    "how-to/give-a-key-to-a-program.md",
    "how-to/give-access.md",
    "how-to/issue-a-key.md",
    "how-to/monitor.md",
    "how-to/offboard-a-person.md",
    "how-to/respond-to-a-leak.md",
    "how-to/restrict-a-key.md",
    "how-to/revoke-a-key.md",
    "how-to/rotate-a-key.md",
    "how-to/run-in-ci.md",
    "how-to/upgrade.md",
    "how-to/use-short-lived-tokens.md",
)
#: Pages that change the policy, or nodes: each has an installation of its own.
ALONE = (
    "how-to/organizations-and-their-policy.md",
    "how-to/protect-an-api-behind-a-gateway.md",
    "how-to/relay.md",
    "how-to/restore-a-backup.md",
    "how-to/receive-webhooks.md",
    "how-to/let-devices-write-data.md",
)
_FENCE = re.compile(
    r"(?P<marker><!--[^\n]*-->\n\s*)?^(?P<indent> *)```(?P<info>[^\n]*)\n(?P<body>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_BEFORE = re.compile(r"<!-- before\n(.*?)-->", re.DOTALL)
_EXIT = re.compile(r"^([^#\n]+?) *# exit (\d+)[^\n]*$", re.MULTILINE)
_TESTED = re.compile(r"<!-- (?:not run: [^\n]+; )?tested by (\S+) -->")
_GOES_ON = "<!-- goes on -->"
_PICTURE = "<!-- a picture -->"
#: Stands between the outputs of two blocks.
_MARK = "--- end of block"
#: A page that takes longer hangs.
SECONDS = 60


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, title, text, and what is said about who runs it."""

    page: Path
    number: int
    language: str
    title: str
    text: str
    tested_by: str
    is_picture: bool
    goes_on: bool
    before: str

    @property
    def place(self) -> str:
        """The page and the number of the block on it."""
        return f"{self.page.relative_to(ROOT)} block {self.number}"


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    found = []
    text, at = page.read_text(), 0
    for number, match in enumerate(_FENCE.finditer(text), 1):
        language, _, rest = match["info"].strip().partition(" ")
        titled = re.search(r'title="([^"]+)"', rest)
        marker = match["marker"] or ""
        tested = _TESTED.search(marker)
        body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.MULTILINE)
        found.append(
            Block(
                page, number, language, titled[1] if titled else "", body,
                tested[1] if tested else "", _PICTURE in marker, _GOES_ON in marker,
                "".join(_BEFORE.findall(text, at, match.end())),
            )
        )  # fmt: skip
        at = match.end()
    return found


def run(page: Path, folder: Path, environment: Mapping[str, str], replace: Mapping[str, str]) -> list[str]:
    """Run a page in ``folder``; return what is not as it says.

    ``replace`` are texts that stand for others while it runs: its ports, which another program may have.
    """
    script = ["set -e", "trap 'test $? = 0 || cat .before' EXIT"]
    expected: list[tuple[Block, str]] = []
    for block in blocks(page):
        text, before = block.text, block.before
        for printed, own in replace.items():
            text, before = text.replace(printed, own), before.replace(printed, own)
        script.append(f"{{\n:\n{before}\n}} >> .before 2>&1")
        if block.tested_by or block.is_picture:
            continue
        if block.title:
            (folder / block.title).write_text(text)
        elif block.language in ("sh", "console"):
            lines = _EXIT.sub(r"\1 || test $? = \2", text if block.language == "sh" else _typed(text))
            lines = f"( {lines} ) &" if block.goes_on else lines
            script.append(f"{{\n{lines}\n}} 2>&1\necho '{_MARK}'")
            expected.append((block, _printed(text) if block.language == "console" else ""))
        elif block.language == "python":
            (folder / f"block{block.number}.py").write_text(text)
            script.append(f"{{\ncat before.py block{block.number}.py | python -\n}} 2>&1\necho '{_MARK}'")
            expected.append((block, ""))
        elif block.language == "text" and expected:
            expected[-1] = (block, text)
    code, output = _shell("\n".join(script), folder, environment)
    outputs = output.split(f"{_MARK}\n")
    wrong = [f"exit code {code}: {outputs[-1][-2000:]}"] if code else []
    for (block, text), printed in zip(expected, outputs, strict=False):
        wrong += _differences(block, text, printed)
    return wrong


def mistake(line: str) -> str:
    """Return what is wrong with a command of the program: a word or a flag that it does not know."""
    words = shlex.split(line, comments=True)[1:]
    end = next(
        (at for at, word in enumerate(words) if word in ("|", ">", ">>", "&&", ";", "--", "&")), len(words)
    )
    command, flags = app, []
    for word in words[:end]:
        if word.startswith("-") and len(word) > 1:
            flags.append(word.partition("=")[0])
        elif not flags and word in command:
            command = command[word]
    if command is app and not set(flags) <= {"--help", "--version"}:
        return "no such command"
    if command.default_command is None:
        return "names no verb"
    known = {name for each in command.assemble_argument_collection() for name in each.names} | {"--help"}
    return ", ".join(flag for flag in flags if flag not in known)


def _typed(text: str) -> str:
    """Return the commands of a console block."""
    return "\n".join(re.findall(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)", text, re.MULTILINE))


def _printed(text: str) -> str:
    """Return what a console block says is printed."""
    return re.sub(r"^\$ (?:[^\n]*\\\n)*[^\n]*\n?", "", text, flags=re.MULTILINE)


def _differences(block: Block, text: str, printed: str) -> list[str]:
    at = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        words = re.split(r"\s+|…", line)
        found = re.compile(r"[^\n]*?".join(map(re.escape, filter(None, words)))).search(printed, at)
        if found is None:
            return [f"{block.place}: {line!r} is not in what was printed: {printed[-2000:]}"]
        at = found.end()
    return []


def _shell(script: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a script in a session of its own, which ends with it: what it left in the background too."""
    with (folder / ".output").open("w+b") as output:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            with suppress(ProcessLookupError):  # it left nothing running
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        return code, output.read().decode(errors="replace")
