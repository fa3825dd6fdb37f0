// Keeps the board fresh, and lets cards be dragged. The board works without this file; with it, new cards appear by themselves, and
// nothing jumps while somebody has a menu open, types, drags, or looks elsewhere. A dropped card sends the same form as its menu.
"use strict";
(() => {
  const board = document.getElementById("board");
  if (!board) return;
  const every = Number(board.dataset.refresh || "5") * 1000;
  let failures = 0;

  let dragged = null;

  const busy = () =>
    document.hidden || dragged || board.querySelector("details[open]") || board.contains(document.activeElement);

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
            arm();
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

  // Which stages a card may be dropped on stands in its own menu; what is disabled there says why.
  const optionOf = (card, column) =>
    [...card.querySelectorAll("details.move option")].find((option) => option.value === column.dataset.stage);

  const arm = () => board.querySelectorAll("[data-movable]").forEach((card) => (card.draggable = true));

  const clear = () => {
    board.querySelectorAll(".may-drop, .no-drop").forEach((column) => column.classList.remove("may-drop", "no-drop"));
    board.querySelectorAll("p.why").forEach((words) => words.remove());
  };

  board.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.("[data-movable]") || null;
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.id);
    for (const column of board.querySelectorAll("[data-stage]")) {
      if (column.contains(dragged)) continue;
      const option = optionOf(dragged, column);
      const allowed = Boolean(option) && !option.disabled;
      column.classList.add(allowed ? "may-drop" : "no-drop");
      if (option && option.disabled) {
        const words = document.createElement("p");
        words.className = "why";
        words.textContent = option.textContent.split(" · ").pop();
        column.querySelector("header").append(words);
      }
    }
  });
  board.addEventListener("dragover", (event) => {
    if (dragged && event.target.closest("[data-stage].may-drop")) event.preventDefault();
  });
  board.addEventListener("drop", (event) => {
    const column = event.target.closest("[data-stage].may-drop");
    if (!dragged || !column) return;
    event.preventDefault();
    const form = dragged.querySelector("details.move form");
    form.elements.to.value = column.dataset.stage;
    form.submit();
  });
  board.addEventListener("dragend", () => {
    dragged = null;
    clear();
  });
  arm();
})();
