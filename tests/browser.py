"""A headless Chromium, driven by its command line alone."""

import json
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-dev-shm-usage",
    "--run-all-compositor-stages-before-draw",
)  # fmt: skip


def screenshot(page: Path, image: Path, profile: Path, height: int) -> None:
    """The page as a person sees it, 1,280 pixels wide."""
    _run(profile, f"--window-size=1280,{height}", f"--screenshot={image}", page.as_uri())


def seen(page: Path, script: str, profile: Path) -> dict[str, float]:
    """What a script finds in the page once it is loaded; it ends in a JSON object.

    The page itself is not changed: a copy beside it carries the script.
    """
    copy = page.with_name(f"probed-{page.name}")
    probe = (
        "<script>addEventListener('load', () => setTimeout(() => {"
        f"document.title = 'probe' + JSON.stringify((() => {{ {script} }})()) + 'end'; }}, 0))"
        "</script></body>"
    )
    copy.write_text(page.read_text().replace("</body>", probe))
    try:
        dom = _run(profile, "--dump-dom", copy.as_uri())
    finally:
        copy.unlink()
    values: dict[str, float] = json.loads(dom.partition("<title>probe")[2].partition("end")[0])
    return values


def _run(profile: Path, *arguments: str) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    return done.stdout
