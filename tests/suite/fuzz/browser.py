"""What a browser makes of pages: their elements, and whether anything in them ran."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_LIMIT_S = 300

MARK = "foreign"
"""What a foreign script does: it calls this function of the window around it."""

_HARNESS = """<!doctype html><meta charset="utf-8"><body><script>
const pages = PAGES;
const ran = [];
window.foreign = (who) => ran.push(String(who));
const found = {};
const orders = /^(href|src|action|formaction|data|xlink:href|srcdoc|style|background)$/;
function look(name, page) {
  const skeleton = [], orderly = [];
  for (const element of page.querySelectorAll('*')) {
    const names = element.getAttributeNames();
    skeleton.push(element.localName + '[' + names.sort().join(' ') + ']');
    for (const each of names) {
      const value = element.getAttribute(each);
      if (each.startsWith('on') || (orders.test(each) && /^\\s*(javascript|vbscript|data):/i.test(value)))
        orderly.push(element.localName + ' ' + each + '=' + value.slice(0, 80));
    }
    for (const event of ['click', 'mouseover', 'focus', 'toggle', 'error'])
      element.dispatchEvent(new Event(event, {bubbles: false}));
  }
  found[name] = {skeleton: skeleton, orders: orderly};
}
const names = Object.keys(pages);
function next() {
  const name = names.shift();
  if (name === undefined) {
    const said = document.createElement('pre');
    said.id = 'said';
    said.textContent = JSON.stringify({ran: ran, pages: found});
    document.body.replaceChildren(said);
    return;
  }
  const frame = document.createElement('iframe');
  frame.style.display = 'none';
  frame.onload = () => {
    frame.onload = null;
    look(name, frame.contentDocument);
    setTimeout(() => { frame.remove(); next(); }, 20);
  };
  frame.srcdoc = pages[name];
  document.body.append(frame);
}
next();
</script>"""


def opened(pages: Mapping[str, str], folder: Path) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Open all pages in Chromium: what called `foreign`, and of each page its elements, and its orders to run things.

    An element is its name and those of its attributes.  Every element gets the events that a reader may cause.
    """
    assert CHROMIUM is not None
    harness = folder / "harness.html"
    text = json.dumps(dict(pages)).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    harness.write_text(_HARNESS.replace("PAGES", text), encoding="utf-8", errors="replace")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command += ["--disable-breakpad", "--disable-background-networking", f"--user-data-dir={folder / 'profile'}"]
    command += ["--virtual-time-budget=600000", "--dump-dom", harness.as_uri()]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    said = re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.S)
    assert said, f"{done.stdout[:2000]}\n{done.stderr[-2000:]}"
    answer = json.loads(unescape(said[1]))
    return answer["ran"], answer["pages"]
