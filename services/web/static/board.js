// Keeps the board fresh. The board works without this file; with it, new cards appear by themselves, and nothing jumps while
// somebody has a menu open, types, or looks elsewhere.
"use strict";
(() => {
  const board = document.getElementById("board");
  if (!board) return;
  const every = Number(board.dataset.refresh || "5") * 1000;
  let failures = 0;

  const busy = () =>
    document.hidden || board.querySelector("details[open]") || board.contains(document.activeElement);

  const address = () => {
    const url = new URL(window.location.href);
    url.searchParams.delete("lead");
    url.searchParams.delete("at_least");
    return url;
  };

  const refresh = async () => {
    if (!busy()) {
      try {
        const answer = await fetch(address(), { credentials: "same-origin", signal: AbortSignal.timeout(10000) });
        if (answer.ok && !answer.redirected) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.getElementById("board");
          if (fresh && !busy()) {
            const place = board.scrollLeft;
            board.replaceChildren(...fresh.childNodes);
            board.scrollLeft = place;
          }
          failures = 0;
        } else {
          failures += 1;
        }
      } catch {
        failures += 1;
      }
    }
    window.setTimeout(refresh, every * Math.min(12, 1 + failures));
  };
  window.setTimeout(refresh, every);
})();
