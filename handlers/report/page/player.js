"use strict";
/* Frames and timecode, and a player that is steered by frames. */
const data = JSON.parse(document.getElementById("data").textContent);
const clock = data.clock;
const byId = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/* SMPTE ST 12-1, as in handlers/media/timecode.py. */
function timecode(frame) {
  const { base, drop, start } = clock;
  const left = drop ? base / 15 : 0;
  const ten = 600 * base - 9 * left;
  const day = drop ? 144 * ten : 86400 * base;
  let number = (((start + frame) % day) + day) % day;
  if (drop) {
    const tens = Math.floor(number / ten);
    const minutes = Math.max(0, Math.floor(((number % ten) - left) / (60 * base - left)));
    number += left * (9 * tens + minutes);
  }
  const two = (value, width = 2) => String(value).padStart(width, "0");
  const seconds = Math.floor(number / base);
  return [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((v) => two(v)).join(":")
    + (drop ? ";" : ":") + two(number % base, base > 100 ? 3 : 2);
}

/* A player may show the frame before at a frame's very beginning: the middle is safe. */
const moments = new Map();
const middle = (frame) => moments.get(frame) ?? ((frame + 0.5) * clock.denominator) / clock.numerator;
const frameAt = (seconds) => clamp(Math.round((seconds * clock.numerator) / clock.denominator), 0, Math.max(0, clock.frames - 1));

const player = (() => {
  const video = byId("video");
  const listeners = [];
  let now = 0;
  let wanted = null;
  let shuttle = null;

  function show(frame) {
    now = frame;
    if (byId("timecode")) {
      byId("timecode").textContent = timecode(frame);
      byId("frame").textContent = `frame ${frame.toLocaleString("en")}`;
    }
    listeners.forEach((tell) => tell(frame));
  }
  function seek(frame) {
    if (!clock) return;
    wanted = clamp(Math.round(frame), 0, Math.max(0, clock.frames - 1));
    show(wanted);
    // One seek at a time: else dragging shows nothing until the mouse rests.
    if (video && !video.seeking) video.currentTime = middle(wanted);
  }
  function settled() {
    if (wanted === null) return;
    if (Math.abs(video.currentTime - middle(wanted)) > 1e-4) video.currentTime = middle(wanted);
    else wanted = null;
  }
  function pause() {
    clearInterval(shuttle);
    shuttle = null;
    if (video) video.pause();
  }
  function play(rate = 1) {
    pause();
    if (!video) return;
    video.playbackRate = rate;
    video.play().catch(() => {});
  }
  /* Browsers do not play backwards: step back as fast as pictures come. */
  function reverse() {
    pause();
    const began = performance.now();
    const from = now;
    shuttle = setInterval(() => {
      const frame = from - Math.round(((performance.now() - began) / 1000) * clock.numerator / clock.denominator);
      seek(frame);
      if (frame <= 0) pause();
    }, 40);
  }
  function watch(_, picture) {
    if (wanted === null && !shuttle) show(frameAt(picture.mediaTime));
    video.requestVideoFrameCallback(watch);
  }
  if (video) {
    video.addEventListener("seeked", settled);
    video.addEventListener("error", () => { byId("trouble").hidden = false; });
    const { classList } = document.querySelector(".player");
    video.addEventListener("play", () => { wanted = null; classList.add("playing"); });
    video.addEventListener("pause", () => {
      classList.remove("playing");
      if (!shuttle && wanted === null) seek(now);
    });
    video.addEventListener("click", () => toggle());
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(watch);
    else video.addEventListener("timeupdate", () => { if (wanted === null) show(frameAt(video.currentTime - 0.5 * clock.denominator / clock.numerator)); });
  }
  function toggle() {
    if (video && video.paused && !shuttle) play();
    else pause();
  }
  return {
    seek, play, pause, toggle, reverse, show,
    faster: () => (video && !video.paused ? (video.playbackRate = Math.min(8, video.playbackRate * 2)) : play()),
    step: (frames) => { pause(); seek((wanted ?? now) + frames); },
    on: (tell) => listeners.push(tell),
    get frame() { return now; },
  };
})();

/* Where the next and the previous shot (or clip) begin: set by the page. */
let stops = [];
const next = () => stops.find((stop) => stop > player.frame) ?? Math.max(0, clock.frames - 1);
const previous = () => stops.filter((stop) => stop < player.frame).pop() ?? 0;
const jump = (frame) => { player.pause(); player.seek(frame); };

const actions = {
  play: () => player.toggle(),
  back: () => player.step(-1),
  forward: () => player.step(1),
  previous: () => jump(previous()),
  next: () => jump(next()),
};
const keys = {
  " ": actions.play, k: () => player.pause(), l: () => player.faster(), j: () => player.reverse(),
  ArrowLeft: (event) => player.step(event.shiftKey ? -clock.base : -1),
  ArrowRight: (event) => player.step(event.shiftKey ? clock.base : 1),
  ArrowUp: actions.previous, ArrowDown: actions.next,
  Home: () => jump(0), End: () => jump(clock.frames - 1),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !clock) return;
  const row = event.target.closest?.("[data-frame]");
  if (event.key === "Enter" && row) return jump(Number(row.dataset.frame));
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!keys[key]) return;
  event.preventDefault();
  // A button that has the focus must not be pressed by the same space.
  if (key === " ") document.activeElement?.blur?.();
  keys[key](event);
});
document.addEventListener("click", (event) => {
  const action = event.target.closest("[data-do]");
  const row = event.target.closest("[data-frame]");
  if (action) actions[action.dataset.do]();
  else if (row && clock && !event.target.closest("a")) jump(Number(row.dataset.frame));
});
/* Marks the last of some elements that begins at or before the frame. */
function follow(elements, starts, ends) {
  let marked = null;
  player.on((frame) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const half = (low + high) >> 1;
      if (starts[half] <= frame) low = half + 1;
      else high = half;
    }
    const found = low && frame < ends[low - 1] ? elements[low - 1] : null;
    if (found === marked) return;
    marked?.classList.remove("now");
    found?.classList.add("now");
    marked = found;
  });
}
