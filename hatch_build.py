"""Builds the documents into static files, for the wheel and for an editable install.

``python hatch_build.py FOLDER`` builds them into a folder. Nothing in the result asks for another host, and
no script or style stands inside a page: the control plane serves it under its own strict content policy.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run as a program, where nothing is packaged
    BuildHookInterface = object  # type: ignore[assignment, misc]

ROOT = Path(__file__).parent
#: Where the control plane looks for them, in the package.
INSIDE = "retinue/server/site"
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
#: Where the search puts its style into the page: the settings, the maker of elements, the name of the style.
_STYLE = re.compile(
    r'let (\w+)=\w+\(\),\w+=document\.createElement\("div"\);.{0,400}?'
    r'appendChild\((\w+)\("style",\{\},(\w+)\.toString\(\)\)\)'
)
#: Stands in the settings for the pages of a folder that are not named.
_REST = re.compile(r"# the rest of ([a-z-]+)\n")
#: A link out of the documents leads to a copy of the file.
_OUTSIDE = re.compile(r"\]\(\.\./\.\./(examples/[^)]+)\)")


def build(root: Path, to: Path) -> None:
    """Build the documents of the checkout ``root`` into the folder ``to``, which is replaced."""
    with tempfile.TemporaryDirectory(prefix="retinue-site-") as folder:
        work = Path(folder)
        shutil.copytree(root / "docs", work / "docs")
        _leave_pictures(work / "docs")
        settings = (root / "zensical.toml").read_text()
        (work / "zensical.toml").write_text(_REST.sub(_rest(root / "docs", settings), settings))
        _bring_examples(root, work / "docs")
        _bring_changes(root, work / "docs")
        subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--strict"],
            cwd=work,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        site = work / "site"
        (site / "404.html").unlink()  # the control plane has one of its own
        for page in sorted(site.rglob("*.html")):
            _take_scripts_out(page, site)
        for bundle in (site / "assets/javascripts").glob("bundle.*.js"):
            _take_style_out(bundle, site)
        _bring_sources(work / "docs", site)
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(site, to, copy_function=shutil.copyfile)


def _rest(docs: Path, settings: str) -> Callable[[re.Match[str]], str]:
    """Return what stands for "the rest of" a folder: its pages that the settings do not name."""

    def named(found: re.Match[str]) -> str:
        pages = (path.relative_to(docs).as_posix() for path in sorted((docs / found[1]).glob("*.md")))
        return "".join(f'"{page}",\n' for page in pages if f'"{page}"' not in settings)

    return named


def _leave_pictures(docs: Path) -> None:
    """Remove the pictures that no document shows: the control plane carries only those it serves."""
    texts = "".join(path.read_text() for path in docs.rglob("*.md"))
    shown = set(re.findall(r"images/([\w.-]+)\)", texts))
    for path in (docs / "images").iterdir():
        if path.name not in shown:
            path.unlink()


def _bring_examples(root: Path, docs: Path) -> None:
    for page in sorted(docs.rglob("*.md")):
        text = page.read_text()
        for name in _OUTSIDE.findall(text):
            copy = docs / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, copy)
        page.write_text(_OUTSIDE.sub(r"](../\1)", text))


def _bring_changes(root: Path, docs: Path) -> None:
    """Make the list of changes a page of the site, with its links as they are there."""
    text = (root / "CHANGELOG.md").read_text()
    (docs / "changes.md").write_text(text.replace("](docs/", "]("))
    for page in docs.rglob("*.md"):
        page.write_text(page.read_text().replace("](../../CHANGELOG.md)", "](../changes.md)"))


def _bring_sources(docs: Path, site: Path) -> None:
    """Put each page's Markdown beside it, and a list of all of them, for programs that read: ``llms.txt``."""
    lines = ["# Retinue", "", "> The service-account layer for any API. Each page as Markdown:", ""]
    for page in sorted(docs.rglob("*.md")):
        name = page.relative_to(docs).as_posix()
        copy = site / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, copy)
        _name_source(site, name)
        title = re.search(r"^# (.+)$", page.read_text(), re.MULTILINE)
        lines.append(f"- [{title[1] if title else name}](/docs/{name})")
    (site / "llms.txt").write_text("\n".join(lines) + "\n")


def _name_source(site: Path, name: str) -> None:
    """Say at the end of a page where its text is, for who corrects it, and lead to it as Markdown.

    Raises ``ValueError`` if the page is not made as it was when this was written.
    """
    folder = "" if Path(name).name in ("index.md", "README.md") else Path(name).stem
    page = site / Path(name).parent / folder / "index.html"
    text = page.read_text()
    if text.count("</article>") != 1:
        raise ValueError(f"{page}: where the page ends was not found")
    base = "../" * (len(page.relative_to(site).parts) - 1)
    source = "CHANGELOG.md" if name == "changes.md" else f"docs/{name}"
    told = f'<p><small>Source: <a href="{base}{name}">{source}</a> (this page as Markdown)</small></p>'
    page.write_text(text.replace("</article>", f"{told}</article>"))


def _take_scripts_out(page: Path, site: Path) -> None:
    """Move each script inside a page into a file of its own."""
    base = "../" * (len(page.relative_to(site).parts) - 1)

    def moved(found: re.Match[str]) -> str:
        text = found[1]
        name = f"assets/javascripts/inline.{hashlib.sha256(text.encode()).hexdigest()[:12]}.js"
        (site / name).write_text(text)
        return f'<script src="{base}{name}"></script>'

    page.write_text(_SCRIPT.sub(moved, page.read_text()))


def _take_style_out(bundle: Path, site: Path) -> None:
    """Let the search load its style from a file: a style inside a page is what the policy refuses.

    Raises ``ValueError`` if the script is not as it was when this was written.
    """
    text = bundle.read_text()
    found = _STYLE.search(text)
    kept = found and re.search(rf"\b{re.escape(found[3])}='((?:[^'\\\\]|\\\\.)*)'", text)
    if not found or not kept:
        raise ValueError(f"{bundle.name}: the style of the search was not found")
    style = re.sub(r"\\(.)", r"\1", kept[1])
    name = f"assets/stylesheets/search.{hashlib.sha256(style.encode()).hexdigest()[:12]}.css"
    (site / name).write_text(style)
    address = f'new URL("{name}",{found[1]}.base).toString()'
    inside = f'{found[2]}("style",{{}},{found[3]}.toString())'
    bundle.write_text(text.replace(inside, f'{found[2]}("link",{{rel:"stylesheet",href:{address}}})'))


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    """Adds the site to a wheel; for an editable install it is built in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the files of the wheel are collected."""
        if version == "editable":
            build(ROOT, ROOT / "src" / INSIDE)
            return
        site = Path(self.directory) / "site"
        build(ROOT, site)
        build_data["force_include"][str(site)] = INSIDE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when the wheel is written."""
        shutil.rmtree(Path(self.directory) / "site", ignore_errors=True)


if __name__ == "__main__":
    build(ROOT, Path(sys.argv[1]))
