"use strict";
/* Before over after, cut off where the mouse is. */
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const wipe = byId("wipe");
const pairs = wipe ? [...wipe.querySelectorAll(".pair")] : [];
const cells = [...document.querySelectorAll("[data-still]")];
let share = 50;
let shown = 0;

function cut(percent) {
  share = clamp(percent, 0, 100);
  wipe.style.setProperty("--cut", `${share}%`);
  wipe.setAttribute("aria-valuenow", String(Math.round(share)));
}
function show(number) {
  shown = (number + pairs.length) % pairs.length;
  pairs.forEach((pair, place) => { pair.hidden = place !== shown; });
  cells.forEach((cell, place) => cell.classList.toggle("now", place === shown));
  byId("label").textContent = data.labels[shown];
  byId("count").textContent = `${shown + 1} of ${pairs.length}`;
}
function follow(event) {
  const frame = wipe.getBoundingClientRect();
  cut((100 * (event.clientX - frame.left)) / frame.width);
}

if (wipe) {
  wipe.addEventListener("pointerdown", (event) => {
    wipe.setPointerCapture(event.pointerId);
    follow(event);
  });
  wipe.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  const keys = {
    arrowleft: () => cut(share - 2), arrowright: () => cut(share + 2),
    arrowup: () => show(shown - 1), arrowdown: () => show(shown + 1),
    a: () => cut(100), b: () => cut(0), x: () => cut(50), home: () => cut(0), end: () => cut(100),
  };
  document.addEventListener("keydown", (event) => {
    const act = keys[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  for (const button of document.querySelectorAll("[data-wipe]")) {
    button.addEventListener("click", () => cut(Number(button.dataset.wipe)));
  }
  for (const cell of cells) {
    const chosen = () => show(Number(cell.dataset.still));
    cell.addEventListener("click", chosen);
    cell.addEventListener("keydown", (event) => { if (event.key === "Enter") chosen(); });
  }
  cut(50);
  show(0);
}
