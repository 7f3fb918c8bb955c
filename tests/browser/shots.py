"""The pictures of `docs/screenshots/`, from a running demo practice: `python3 dev.py shots`.

    python -m tests.browser.shots URL FOLDER E-MAIL PASSWORD

Each page in the light and the dark theme and on a telephone, always under the same name. What they
show hangs on the day: the demo's people are as many days under way as they always are.
"""

from __future__ import annotations

import base64
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"]
PATIENT: Final = "Marta Soler"
BEGUN: Final = (
    "funciona",
    "íntegro",
)  # what the panel says once the cluster has done its first work
PATIENCE: Final = 90  # seconds until the cluster has looked once


@dataclass(frozen=True, slots=True)
class Look:
    """`most`: pixels of height; what is longer is cut off."""

    suffix: str
    width: int
    most: int
    theme: str


LOOKS: Final = (
    Look("", 1320, 1600, "light"),
    Look("-dark", 1320, 1600, "dark"),
    Look("-390", 390, 2400, "light"),
)


def panel(page: Page) -> None:
    page.goto("/admin/")


def patient(page: Page) -> None:
    page.goto(f"/admin/patients/patient/?q={PATIENT}")
    page.click(f"#result_list a:has-text('{PATIENT}')")
    page.wait_for_selector(".chart-history")


def review(page: Page) -> None:
    """With the dialog open."""
    patient(page)
    page.click(".chart-block a[data-dialog]")
    page.wait_for_selector("dialog[open] #sheet-title")


def patients(page: Page) -> None:
    page.goto("/admin/patients/patient/")


PAGES: Final[dict[str, Callable[[Page], None]]] = {
    "01-panel": panel,
    "02-patient": patient,
    "03-review-block": review,
    "06-patients": patients,
}
NAMES: Final = tuple(f"{name}{look.suffix}.png" for look in LOOKS for name in PAGES)


def take(url: str, folder: Path, email: str, password: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for look in LOOKS:
            with logged_in(browser, look, url, email, password) as page:
                for name, go in PAGES.items():
                    go(page)
                    picture(page, folder / f"{name}{look.suffix}.png", look)
        browser.close()


@contextmanager
def logged_in(browser: Browser, look: Look, url: str, email: str, password: str) -> Iterator[Page]:
    context = browser.new_context(
        base_url=url,
        viewport={"width": look.width, "height": 900},
        color_scheme=look.theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        locale="es-ES",
    )
    page = context.new_page()
    page.goto("/admin/login/")
    page.fill("#id_username", email)
    page.fill("#id_password", password)
    page.click("#login-form input[type=submit]")
    wait_for_the_cluster(page)
    yield page
    context.close()


def wait_for_the_cluster(page: Page) -> None:
    """A practice whose background process has not begun is not what the pictures are about."""
    ends = time.monotonic() + PATIENCE
    while page.locator(".banner").count() or not has_begun(page):
        if time.monotonic() > ends:
            sys.exit("The background process did not begin to work.")
        time.sleep(1)
        page.goto("/admin/")


def has_begun(page: Page) -> bool:
    told = " ".join(page.inner_text("[aria-labelledby=automation-title]").split())
    return all(word in told for word in BEGUN)


def picture(page: Page, file: Path, look: Look) -> None:
    """A dialog hangs in the window; a page is as long as it is."""
    page.evaluate("document.activeElement?.blur()")
    if page.locator("dialog[open]").count():
        taken = page.screenshot()
    else:
        height = min(look.most, page.evaluate("document.documentElement.scrollHeight"))
        whole = {"x": 0, "y": 0, "width": look.width, "height": height}
        taken = page.screenshot(full_page=True, clip=whole)  # type: ignore[arg-type]
    file.write_bytes(in_colours(page.context, taken))


# --- smaller files --------------------------------------------------------------------------------

# The most frequent colours, and for each pixel the nearest of them. Of these pages 255 are enough:
# flat areas are exact, and the edges of letters a little coarser.
_TO_PALETTE: Final = """
async (encoded) => {
  const picture = await createImageBitmap(await (await fetch(encoded)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, picture.width, picture.height);
  const pixels = new Uint32Array(data.buffer), counted = new Map(), nearest = new Map();
  for (const one of pixels) counted.set(one, (counted.get(one) ?? 0) + 1);
  const most = [...counted].sort((a, b) => b[1] - a[1]).slice(0, 255).map(([colour]) => colour);
  const apart = (a, b) => [0, 8, 16].reduce(
    (sum, bits) => sum + (((a >> bits) & 255) - ((b >> bits) & 255)) ** 2, 0);
  for (const one of counted.keys()) {
    let best = 0, least = Infinity;
    most.forEach((other, at) => {
      const far = apart(one, other);
      if (far < least) [best, least] = [at, far];
    });
    nearest.set(one, best);
  }
  let text = "";
  for (const one of pixels) text += String.fromCharCode(nearest.get(one));
  const colours = most.flatMap((one) => [one & 255, (one >> 8) & 255, (one >> 16) & 255]);
  return { width: picture.width, height: picture.height, colours, pixels: btoa(text) };
}
"""


def in_colours(context: BrowserContext, png: bytes) -> bytes:
    """The same picture with a palette. The browser counts; a page of ours forbids it to fetch."""
    blank = context.new_page()
    encoded = "data:image/png;base64," + base64.b64encode(png).decode()
    made = blank.evaluate(_TO_PALETTE, encoded)
    blank.close()
    return _png(
        made["width"], made["height"], bytes(made["colours"]), base64.b64decode(made["pixels"])
    )


def _png(width: int, height: int, palette: bytes, pixels: bytes) -> bytes:
    """PNG, 11.2: header, palette, and the rows, each after the number of its filter: none."""
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = (b"\0" + pixels[at : at + width] for at in range(0, width * height, width))
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(b"".join(rows), 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in (*chunks, (b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    take(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:5])
