"""JavaScript that is run in pages."""

import json
import sys

__all__ = ["bridge", "wait_script"]

_BRIDGE = """
((app) => {
  window.electron = app;
  const found = (selector) => document.querySelector(selector);
  const on = (action) => (selector, ...rest) => {
    const element = found(selector);
    if (!element) return false;
    action(element, ...rest);
    return true;
  };
  const home = /(\\/(?:home|Users)\\/[^\\/\\s]+|\\/root)(?=\\/|\\b)/g;
  window.__kombuse = {
    setInputValue: on((element, value) => {
      const kind = element instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
      Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(element, value);
      element.dispatchEvent(new Event("input", {bubbles: true}));
      element.dispatchEvent(new Event("change", {bubbles: true}));
    }),
    activateTab: on((element) => element.click()),
    openSelect: on((element) => element.click()),
    toggleCheckbox: on((element) => element.click()),
    scrollTo: on((element) => element.scrollIntoView({block: "center"})),
    getElementRect: (selector) => {
      const box = found(selector)?.getBoundingClientRect();
      return box ? {x: box.x, y: box.y, width: box.width, height: box.height} : null;
    },
    redactPaths: () => {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      let count = 0;
      while (walker.nextNode()) {
        const text = walker.currentNode.nodeValue;
        const redacted = text.replace(home, "/Users/demo");
        if (redacted !== text) {
          walker.currentNode.nodeValue = redacted;
          count += 1;
        }
      }
      return count;
    },
  };
})
"""

_WAIT = """
((selector, milliseconds) => new Promise((resolve) => {
  if (document.querySelector(selector)) return resolve(true);
  const observer = new MutationObserver(() => document.querySelector(selector) && end(true));
  const timer = setTimeout(() => end(false), milliseconds);
  const end = (found) => { observer.disconnect(); clearTimeout(timer); resolve(found); };
  observer.observe(document, {subtree: true, childList: true, attributes: true});
}))
"""


def bridge(port: int) -> str:
    """What pages and scripts find of the desktop app: `window.electron` and `window.__kombuse`."""
    app = {"serverPort": port, "platform": sys.platform}
    return f"({_BRIDGE})({json.dumps(app)})"


def wait_script(selector: str, milliseconds: float) -> str:
    """A promise of whether the selector matches anything, now or within the time.

    An observer sees changes in hidden windows too, where no animation frames are made.
    """
    return f"{_WAIT}({json.dumps(selector)}, {max(0, round(milliseconds))})"
