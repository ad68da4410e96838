"""Pictures of pages that are the same from run to run: what differs each time is replaced before they are taken."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

FOLDER = Path(__file__).parents[2] / "docs" / "images"
#: What each page consisted of when its pictures were taken.
PARTS = FOLDER / "parts.json"
#: Lossy, as far as letters stay clear.
QUALITY = 36
#: A wide page is made smaller by this, to the width at which documents show it.
SCALE = 0.7
#: A page that is longer is cut off.
TALLEST = 1000
#: Ids, tokens' public parts, moments and durations, wherever they stand.
_SAME_EACH_TIME = r"""() => {
  const letters = "7K2mQ9xTzR4bW8cLpN3vHs6YdF5gJ1aE";
  const known = new Map();
  const fixed = (text, length) => {
    if (!known.has(text)) {
      let seed = known.size * 7 + 3;
      known.set(text, Array.from({ length }, () => letters[(seed = (seed * 31 + 11) % 8191) % letters.length]).join(""));
    }
    return known.get(text);
  };
  const now = new Date();
  const target = Date.UTC(2026, 2, 10);
  const days = Math.round((target - Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate())) / 864e5);
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const shifted = (year, month, day) => new Date(Date.UTC(year, month, day) + days * 864e5);
  const rules = [
    [/\b([a-z]{2,4})_([A-Za-z0-9]{12}|[A-Za-z0-9]{16})\b/g, (_all, kind, id) => `${kind}_${fixed(id, id.length)}`],
    [/\b(rtn[a-z]+)_([A-Za-z0-9]{4,12})/g, (_all, kind, id) => `${kind}_${fixed(id, id.length)}`],
    [/\b(20\d\d)-(\d\d)-(\d\d)[T ]\d\d:\d\d(:\d\d)?(\.\d+)?/g, (_all, y, m, d, s) =>
      `${shifted(+y, m - 1, +d).toISOString().slice(0, 10)} 14:02${s ? ":11" : ""}`],
    [/\b(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (20\d\d)(, \d\d:\d\d(:\d\d)?(\.\d+)?)?/g,
      (_all, d, m, y, time) => {
        const day = shifted(+y, months.indexOf(m), +d);
        return `${day.getUTCDate()} ${months[day.getUTCMonth()]} ${day.getUTCFullYear()}${time ? ", 14:02" : ""}`;
      }],
    [/\b(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b(?! 20\d\d)/g, (_all, d, m) => {
      const day = shifted(now.getUTCFullYear(), months.indexOf(m), +d);
      return `${day.getUTCDate()} ${months[day.getUTCMonth()]}`;
    }],
    [/\b(\d+) (s|min) ago\b/g, () => "2 min ago"],
    [/\bin \d+ (s|min)\b/g, () => "in 9 min"],
    [/\b\d\d:\d\d:\d\d\.\d{3}\b/g, () => "14:02:11.113"],
    [/\b127\.0\.0\.1:\d+/g, () => "127.0.0.1:8480"],
    [/\b[0-9a-f]{32}\b/g, (id) => fixed(id, 32).toLowerCase()],
    [/'waited_ms': [\d.]+/g, () => "'waited_ms': 3.5"],
    [/\b\d+ ms\b/g, () => "31 ms"],
    [/\b(northwind|[a-z]+)\.example\b/g, () => "northwind.example"],
    [/\bvera-[0-9a-f]{8}@/g, () => "vera@"],
  ];
  const same = (text) => rules.reduce((so, [pattern, by]) => so.replace(pattern, by), text);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const said = same(walker.currentNode.data);
    if (said !== walker.currentNode.data) walker.currentNode.data = said;
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), textarea")) {
    if (!["checkbox", "radio"].includes(field.type)) field.value = same(field.value);
  }
  document.querySelectorAll("[data-changes]").forEach((each) => { each.textContent = each.dataset.changes; });
}"""


#: What a page consists of: headings, labels, columns, buttons, tabs, without numbers.
_PARTS = r"""() => [...new Set(
  [...document.querySelectorAll("h1, h2, h3, legend, label, th, summary, button, .tabs a, .rail a, dt")]
    .map((each) => each.textContent.replace(/[\d.,:]+/g, "").replace(/\s+/g, " ").trim().slice(0, 40))
    .filter(Boolean))].sort()"""


def parts(page: Page) -> list[str]:
    """Return what a page consists of, each part by six digits of its hash."""
    found: list[str] = page.evaluate(_PARTS)
    return sorted({hashlib.sha256(each.encode()).hexdigest()[:6] for each in found})


def stale(said: dict[str, list[str]]) -> list[str]:
    """Return which pages are no longer as they were when their pictures were taken.

    A page is, while seven tenths of its parts are the same. If pictures are written, what they show is too.
    """
    if os.environ.get("RETINUE_TEST_SNAPSHOT") == "write":
        PARTS.write_text(json.dumps(said, sort_keys=True, separators=(",", ":")).replace("],", "],\n") + "\n")
    kept: dict[str, list[str]] = json.loads(PARTS.read_text())
    return [
        name
        for name, now in said.items()
        if len({*now} & {*kept.get(name, ())}) < 0.7 * len({*now} | {*kept.get(name, ())})
    ]


class Camera:
    """Takes pictures of a page, into ``docs/images`` if RETINUE_TEST_SNAPSHOT says so, and counts their bytes."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._devtools = page.context.new_cdp_session(page)
        self._writes = os.environ.get("RETINUE_TEST_SNAPSHOT") == "write"

    def settle(self) -> None:
        """Replace what differs from run to run."""
        self._page.evaluate(_SAME_EACH_TIME)

    def take(self, name: str) -> int:
        """Take a picture; return its size in bytes."""
        size: dict[str, Any] = self._page.evaluate(
            "({ width: innerWidth, height: Math.max(innerHeight, document.documentElement.scrollHeight) })"
        )
        clip = {
            "x": 0,
            "y": 0,
            "width": size["width"],
            "height": min(size["height"], TALLEST),
            "scale": SCALE if size["width"] > 1_000 else 1,
        }
        # Bars that stick to the window's end, and the rail, end where the picture does.
        window = self._page.viewport_size
        if is_taller := window is not None and window["height"] < clip["height"]:
            self._page.set_viewport_size({"width": clip["width"], "height": clip["height"]})
        asked = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip}
        taken = base64.b64decode(self._devtools.send("Page.captureScreenshot", asked)["data"])
        if is_taller and window:
            self._page.set_viewport_size(window)
        if self._writes:
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / f"{name}.webp").write_bytes(taken)
        return len(taken)
