"""A headless Chromium for the tests of web pages: loads a page at a width and tells what is on it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=4000"),
)

# Runs in the page, before everything else of it, and tells the page around it when all has been loaded.
_PROBE = """<script>
const errors = [];
addEventListener("error", (event) => {
  errors.push(event.message || `cannot load ${event.target.src || event.target.href}`);
}, true);
addEventListener("load", () => setTimeout(() => {
  DEED
  const root = document.documentElement;
  const visible = (element) => element.getBoundingClientRect().width > 0;
  const shown = (selector) => [...document.querySelectorAll(selector)].filter(visible).length;
  parent.postMessage({
    errors,
    width: innerWidth,
    overflow: root.scrollWidth - root.clientWidth,
    text: document.body.innerText,
    charts: shown("svg"),
    shown: Object.fromEntries(SELECTORS.map((selector) => [selector, shown(selector)])),
  }, "*");
}, 100));
</script>"""

# Chromium's windows are at least 500 pixels wide, frames are as narrow as one likes.
_AROUND = """<body style="margin:0"><iframe src="SOURCE" style="width:WIDTHpx;height:900px;border:0"></iframe>
<pre id="told"></pre><script>
addEventListener("message", (event) => { document.getElementById("told").textContent = JSON.stringify(event.data); });
</script>"""


def find_chromium() -> str:
    """Path of the browser, '' without one."""
    return next((path for name in NAMES if (path := shutil.which(name))), "")


def look_at(
    page: Path, width: int, profile: Path, *, selectors: list[str] | None = None, deed: str = ""
) -> dict[str, Any]:
    """What is on a page that is `width` pixels wide.

    `errors` of scripts and loading, `console` messages, `overflow` in pixels beyond the width, `text`, number of
    `charts`, and how many elements of each of the `selectors` are `shown`. `deed`: JavaScript to run before the look.
    `profile`: a fresh folder.
    """
    probe = _PROBE.replace("DEED", deed).replace("SELECTORS", json.dumps(selectors or []))
    probed = page.with_name(f"{page.stem}.probed.html")
    probed.write_text(page.read_text(encoding="utf-8").replace("<head>", f"<head>{probe}", 1), encoding="utf-8")
    around = page.with_name(f"{page.stem}.around.html")
    around.write_text(_AROUND.replace("SOURCE", probed.name).replace("WIDTH", str(width)), encoding="utf-8")
    command = [find_chromium(), *OPTIONS, f"--user-data-dir={profile}", "--dump-dom", around.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    finally:
        probed.unlink()
        around.unlink()
    told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.S)
    assert told, f"the browser told nothing: {done.stderr[-2000:]}"
    seen: dict[str, Any] = json.loads(told[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    seen["console"] = re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr)
    return seen
