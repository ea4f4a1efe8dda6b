/* The page of a recording: before and after run side by side, one of them is heard. */
const after = byId("video");
const before = byId("before");
// Nobody hears a hundredth of a second between two that are never heard together.
const APART = 0.03;

function hear(which) {
  if (!before) return;
  before.muted = which !== "before";
  after.muted = which === "before";
  for (const button of document.querySelectorAll("[data-hear]")) {
    button.setAttribute("aria-pressed", String(button.dataset.hear === which));
  }
}
const heard = () => (before && !before.muted ? "before" : "after");
function together() {
  if (before && Math.abs(before.currentTime - after.currentTime) > APART) before.currentTime = after.currentTime;
}
function run() {
  if (after.paused) return;
  player.show(frameAt(after.currentTime - (0.5 * clock.denominator) / clock.numerator));
  requestAnimationFrame(run);
}
if (after) {
  after.addEventListener("play", () => { together(); before?.play().catch(() => {}); run(); });
  after.addEventListener("pause", () => { before?.pause(); together(); });
  after.addEventListener("seeked", together);
  after.addEventListener("timeupdate", together);
  after.addEventListener("ratechange", () => { if (before) before.playbackRate = after.playbackRate; });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-hear]");
    if (button) hear(button.dataset.hear);
  });
  keys.a = () => hear("before");
  keys.b = () => hear("after");
  keys.x = () => hear(heard() === "after" ? "before" : "after");
  hear("after");
}

const kinds = { speech: "#5f928f", music: "#8b6f92", noise: "#6d6552", silence: "#2a2e34" };
const QUIETEST = -60;

function segmentLane(pen, width, height) {
  for (const segment of data.segments) {
    block(pen, width, segment.start, segment.end, 4, height - 8, kinds[segment.kind] ?? colours.ink);
  }
}
function line(values, colour, thick) {
  return (pen, width, height) => {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.beginPath();
    eachColumn(width, (x, wide, column) => {
      if (values[column] === null) return;
      pen.lineTo(x + wide / 2, height * clamp(values[column] / QUIETEST, 0, 1));
    });
    pen.stroke();
  };
}
function buildSoundLanes() {
  addLane("", "", 22, ruler, (frame) => timecode(frame));
  if (data.segments.length) addLane("Segments", "speech, music, noise", 26, segmentLane, (frame) => under(data.segments, frame).map((one) => one.kind)[0]);
  if (data.findings.length) addLane("QC", "", 24, findingLane, (frame) => under(data.findings, frame).slice(0, 4).map((found) => found.text).join("\n"));
  if (!strips || !strips.columns) return;
  const at = (values) => (frame) => values?.[columnOf(Math.min(frame, strips.frames - 1))];
  ["Before", "After"].slice(0, strips.peak.length).forEach((name, which) => addLane(name, "peak and level", 70, waveLane(which), (frame) =>
    `${name} ${decibels(at(strips.peak[which])(frame))} dBFS`));
  if (strips.loudness.length) {
    const [was, is] = strips.loudness;
    const drawn = [line(was, "#6d7580", 1), line(is ?? was, colours.clap, 1.4)];
    addLane("Loudness", "momentary; after in colour", 60, (...where) => drawn.forEach((draw) => draw(...where)), (frame) =>
      `Momentary ${strips.loudness.map((values) => number(at(values)(frame))).join(" → ")} LUFS`);
  }
}
stops = [...new Set([...data.findings.map((found) => found.start), ...data.segments.map((one) => one.start)])]
  .filter((start) => start !== null).sort((one, other) => one - other);
if (byId("lanes")) {
  buildSoundLanes();
  steer();
  render();
}
if (clock) player.show(0);
