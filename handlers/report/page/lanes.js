/* Strips along one time axis, drawn on canvases: each lane draws the frames in view. */
const lanes = [];
const view = { from: 0, to: clock ? clock.frames : 1 };
const colours = {
  error: "#e4605a", warning: "#dba447", info: "#6f97c6", take: "#4f8f78", range: "#7a9f4e", slate: "#c58ad0",
  clap: "#d98ba0", fault: "#b4574f",
  wave: "#3b5066", level: "#6f8fae", luma: "#4b4f56", middle: "#d5d8dc", focus: "#8fb58a", motion: "#8b6f92",
  shake: "#e0a84b", speech: "#5f928f", ink: "#838a94", grid: "#22252a",
};
const strips = data.strips;

function addLane(title, note, height, draw, read) {
  const row = document.createElement("div");
  row.className = "lane";
  const label = document.createElement("span");
  label.textContent = title;
  const small = document.createElement("small");
  small.textContent = note;
  label.append(small);
  const canvas = document.createElement("canvas");
  canvas.style.height = `${height}px`;
  row.append(label, canvas);
  byId("lanes").append(row);
  lanes.push({ canvas, draw, read, height });
}
const xOf = (frame, width) => ((frame - view.from) / (view.to - view.from)) * width;
const columnOf = (frame) => Math.min(strips.columns - 1, Math.floor(((frame + 1) * strips.columns - 1) / strips.frames));
const firstOf = (column) => Math.floor((column * strips.frames) / strips.columns);

/* Calls draw(x, width of the column, its index) for each column in view. */
function eachColumn(width, draw) {
  if (!strips || !strips.columns) return;
  const last = columnOf(Math.min(strips.frames - 1, Math.ceil(view.to)));
  for (let column = columnOf(Math.max(0, Math.floor(view.from))); column <= last; column += 1) {
    // Whole pixels: between halves, a seam would show.
    const x = Math.floor(xOf(firstOf(column), width));
    draw(x, Math.max(1, Math.ceil(xOf(firstOf(column + 1), width)) - x), column);
  }
}
function band(pen, width, height, low, high, scale, colour) {
  pen.fillStyle = colour;
  eachColumn(width, (x, wide, column) => {
    if (low && low[column] === null || high[column] === null) return;
    const top = height * (1 - clamp(high[column] / scale, 0, 1));
    const bottom = height * (1 - (low ? clamp(low[column] / scale, 0, 1) : 0));
    pen.fillRect(x, top, wide, Math.max(1, bottom - top));
  });
}
/* The top of a scale: a few leaps, such as cuts among motion, must not flatten all the rest. */
const most = (values) => {
  const sorted = values.filter((value) => value !== null).sort((one, other) => one - other);
  return sorted[Math.floor(0.98 * (sorted.length - 1))] || sorted[sorted.length - 1] || 1;
};

function render() {
  const ratio = window.devicePixelRatio || 1;
  for (const lane of lanes) {
    const width = lane.canvas.clientWidth;
    lane.canvas.width = Math.round(width * ratio);
    lane.canvas.height = Math.round(lane.height * ratio);
    const pen = lane.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    lane.draw(pen, width, lane.height);
  }
  place(byId("playhead"), player.frame);
}
/* Ticks that are far enough apart to be read, at whole seconds of timecode where that is possible. */
function tickStep(width) {
  const perTick = ((view.to - view.from) / width) * 110;
  const { base } = clock;
  const steps = [1, 2, 5, 10, base, 2 * base, 5 * base, 10 * base, 30 * base, 60 * base, 300 * base, 600 * base, 1800 * base, 3600 * base];
  return steps.find((step) => step >= perTick) ?? 7200 * base;
}
function ruler(pen, width, height) {
  const step = tickStep(width);
  pen.font = "10px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
  pen.fillStyle = colours.ink;
  const phase = clock.drop ? 0 : clock.start % step;
  const first = Math.ceil((view.from + phase) / step) * step - phase;
  for (let frame = first; frame <= view.to; frame += step) {
    const x = xOf(frame, width);
    pen.fillRect(x, height - 6, 1, 6);
    if (x < width - 75) pen.fillText(timecode(frame), x + 4, height - 8);
  }
}
function block(pen, width, start, end, top, height, colour) {
  const x = xOf(start, width);
  const wide = Math.max(2, xOf(end, width) - x);
  if (x > width || x + wide < 0) return;
  pen.fillStyle = colour;
  pen.fillRect(x, top, wide, height);
}
function shotLane(pen, width, height) {
  pen.font = "10px system-ui, sans-serif";
  data.shots.forEach((shot, index) => {
    block(pen, width, shot.start, shot.end, 3, height - 6, index % 2 ? "#343941" : "#2a2e34");
    const x = Math.max(0, xOf(shot.start, width));
    if (xOf(shot.end, width) - x > 26) {
      pen.fillStyle = colours.ink;
      pen.fillText(String(shot.number), x + 5, height / 2 + 4);
    }
  });
  for (const shot of data.shots) {
    if (shot.transition_start === null || shot.transition_end <= shot.transition_start) continue;
    block(pen, width, shot.transition_start, shot.transition_end, 3, height - 6, "#e0a84b59");
  }
}
function spanLane(pen, width, height) {
  const { slate, claps, take, ranges, faults } = data.selects;
  if (take) block(pen, width, take.start, take.end, height - 8, 4, colours.take);
  ranges.forEach((range, rank) => {
    pen.globalAlpha = Math.max(0.35, 1 - rank * 0.12);
    block(pen, width, range.start, range.end, 4, height - 15, colours.range);
  });
  pen.globalAlpha = 1;
  for (const fault of faults) block(pen, width, fault.start, fault.end, height - 3, 3, colours.fault);
  for (const clap of claps) block(pen, width, clap.start, clap.end, 2, (height - 4) / 2, colours.clap);
  if (slate) block(pen, width, slate.start, slate.start + 1, 2, height - 4, colours.slate);
}
function findingLane(pen, width, height) {
  const third = (height - 4) / 3;
  ["info", "warning", "error"].forEach((severity, rank) => {
    for (const found of data.findings) {
      if (found.severity !== severity || found.start === null) continue;
      block(pen, width, found.start, found.end ?? found.start + 1, 2 + (2 - rank) * third, third - 1, colours[severity]);
    }
  });
}
function waveLane(channel) {
  return (pen, width, height) => {
    const draw = (values, colour) => {
      pen.fillStyle = colour;
      eachColumn(width, (x, wide, column) => {
        const tall = Math.max(0.5, (height - 2) * (values[column] ?? 0));
        pen.fillRect(x, (height - tall) / 2, wide, tall);
      });
    };
    draw(strips.peak[channel], colours.wave);
    if (strips.level[channel]) draw(strips.level[channel], colours.level);
    if (!channel && strips.audio_clipped.length) {
      pen.fillStyle = colours.error;
      eachColumn(width, (x, wide, column) => { if (strips.audio_clipped[column]) pen.fillRect(x, 0, Math.max(2, wide), 3); });
    }
  };
}
function exposureLane(pen, width, height) {
  const { low, high } = strips;
  pen.fillStyle = colours.grid;
  for (const part of [0.25, 0.5, 0.75]) pen.fillRect(0, height * part, width, 1);
  if (low.luma_p01 && high.luma_p99) band(pen, width, height, low.luma_p01, high.luma_p99, 1, "#33373d");
  if (low.luma_p10 && high.luma_p90) band(pen, width, height, low.luma_p10, high.luma_p90, 1, colours.luma);
  if (low.luma_p50) band(pen, width, height, low.luma_p50, high.luma_p50, 1, colours.middle);
  // A thousandth of the picture at the limit already shows; a tenth fills a quarter of the lane.
  const weight = (part) => clamp(Math.sqrt((part ?? 0) * 10), 0, 1) * height * 0.25;
  eachColumn(width, (x, wide, column) => {
    const over = weight(high.clipped?.[column]);
    const under = weight(high.crushed?.[column]);
    pen.fillStyle = colours.error;
    if (over > 0.7) pen.fillRect(x, 0, wide, over);
    pen.fillStyle = colours.info;
    if (under > 0.7) pen.fillRect(x, height - under, wide, under);
  });
}
function area(name, scale, colour) {
  const top = scale ?? most(strips.high[name]) * 1.05;
  return (pen, width, height) => band(pen, width, height, null, strips.high[name], top, colour);
}
/* The range of each column, and a line through the middle of them. */
function curve(name, colour) {
  const high = strips.high[name];
  const low = strips.low[name] ?? high;
  const top = most(high) * 1.05;
  return (pen, width, height) => {
    pen.globalAlpha = 0.45;
    band(pen, width, height, low, high, top, colour);
    pen.globalAlpha = 1;
    pen.strokeStyle = colour;
    pen.lineWidth = 1.3;
    pen.beginPath();
    eachColumn(width, (x, wide, column) => {
      if (high[column] === null) return;
      pen.lineTo(x + wide / 2, height * (1 - clamp((low[column] + high[column]) / 2 / top, 0, 1)));
    });
    pen.stroke();
  };
}
/* What is under the pointer, in words. */
const number = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(3))));
const percent = (value) => (value === null || value === undefined ? "–" : `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`);
const decibels = (height) => (height ? ((height - 1) * 60).toFixed(1) : "silent");
const under = (list, frame) => list.filter((span) => span.start !== null && span.start <= frame && frame < (span.end ?? span.start + 1));

function suggested(frame) {
  const { slate, claps, ranges, faults } = data.selects;
  const named = (name, spans) => under(spans, frame).map((span) => `${name}: ${span.reasons.join(", ")}`);
  return [
    ...named("Slate", slate ? [slate] : []), ...named("Clap?", claps),
    ...named("Range", ranges).slice(0, 1), ...named("Fault", faults),
  ].join("\n");
}
function buildLanes() {
  addLane("", "", 22, ruler, (frame) => `${timecode(frame)}   frame ${frame}`);
  if (data.shots.length) addLane("Shots", "", 24, shotLane, (frame) => under(data.shots, frame).map((shot) => `Shot ${shot.number}`)[0]);
  if (data.selects) addLane("Selects", "", 28, spanLane, suggested);
  if (data.findings.length) addLane("QC", "", 24, findingLane, (frame) => under(data.findings, frame).slice(0, 4).map((found) => found.text).join("\n"));
  if (!strips || !strips.columns) return;
  const { low, high } = strips;
  const at = (values) => (frame) => values?.[columnOf(Math.min(frame, strips.frames - 1))];
  const tall = clamp(Math.floor(160 / strips.peak.length), 14, 44);
  strips.peak.forEach((_, channel) => addLane(channel ? "" : "Sound", `${channel + 1}`, tall, waveLane(channel), channel ? null : (frame) =>
    `Peak ${strips.peak.slice(0, 8).map((values) => decibels(at(values)(frame))).join(" / ")} dBFS`));
  if (high.luma_p99 || high.clipped) {
    addLane("Exposure", "clipped above, crushed below", 78, exposureLane, (frame) =>
      `Exposure ${percent(at(high.luma_p50)(frame))}   clipped ${percent(at(high.clipped)(frame))}   crushed ${percent(at(high.crushed)(frame))}`);
  }
  if (high.focus) addLane("Focus", "sharper above", 44, curve("focus", colours.focus), (frame) => `Focus ${number(at(high.focus)(frame))}`);
  if (high.motion) addMotion(high, at);
  if (high.speech) addLane("Speech", "", 26, area("speech", 1, colours.speech), (frame) => `Speech ${percent(at(high.speech)(frame))}`);
}
function addMotion(high, at) {
  const motion = area("motion", null, colours.motion);
  const shake = high.shake ? curve("shake", colours.shake) : () => {};
  addLane("Motion", high.shake ? "shake as a line" : "", 44, (...where) => { motion(...where); shake(...where); }, (frame) =>
    `Motion ${number(at(high.motion)(frame))}${high.shake ? `   shake ${number(at(high.shake)(frame))}` : ""}`);
}

function place(element, frame) {
  const { canvas } = lanes[0];
  const x = xOf(frame + 0.5, canvas.clientWidth);
  element.style.visibility = x < 0 || x > canvas.clientWidth ? "hidden" : "visible";
  element.style.transform = `translateX(${canvas.offsetLeft + x}px)`;
}
function frameUnder(event) {
  const box = lanes[0].canvas.getBoundingClientRect();
  const frame = Math.floor(view.from + ((event.clientX - box.left) / box.width) * (view.to - view.from));
  return clamp(frame, 0, clock.frames - 1);
}
function hover(event) {
  const frame = frameUnder(event);
  const readout = byId("readout");
  byId("hover").hidden = readout.hidden = false;
  place(byId("hover"), frame);
  readout.textContent = lanes.map((lane) => lane.read?.(frame)).filter(Boolean).join("\n");
  const box = byId("lanes").getBoundingClientRect();
  const { offsetWidth: wide, offsetHeight: tall } = readout;
  const beside = event.clientX - box.left;
  const x = beside + 14 + wide > box.width ? beside - 14 - wide : beside + 14;
  // It covers no strip: below them where the window has room, else above.
  const y = box.bottom + tall + 8 < window.innerHeight ? box.height + 4 : -tall - 4;
  readout.style.transform = `translate(${x}px, ${y}px)`;
}
function look(from, to) {
  const length = clamp(to - from, Math.min(10, clock.frames), clock.frames);
  view.from = clamp(from, 0, clock.frames - length);
  view.to = view.from + length;
  render();
}
function zoom(factor, around = player.frame) {
  const part = (around - view.from) / (view.to - view.from);
  const length = clamp((view.to - view.from) * factor, Math.min(10, clock.frames), clock.frames);
  look(around - part * length, around + (1 - part) * length);
}
function steer() {
  const all = byId("lanes");
  let dragged = false;
  all.addEventListener("pointerdown", (event) => {
    if (event.target.tagName !== "CANVAS") return;
    dragged = true;
    all.setPointerCapture(event.pointerId);
    jump(frameUnder(event));
  });
  all.addEventListener("pointermove", (event) => {
    hover(event);
    if (dragged) player.seek(frameUnder(event));
  });
  all.addEventListener("pointerup", () => { dragged = false; });
  all.addEventListener("pointerleave", () => { byId("hover").hidden = byId("readout").hidden = true; });
  all.addEventListener("wheel", (event) => {
    const length = view.to - view.from;
    const across = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey) zoom(event.deltaY > 0 ? 1.25 : 0.8, frameUnder(event));
    else if (across && length < clock.frames) look(view.from + (across / 800) * length, view.to + (across / 800) * length);
    else return;
    event.preventDefault();
  }, { passive: false });
  keys["+"] = keys["="] = () => zoom(0.5);
  keys["-"] = () => zoom(2);
  keys["0"] = () => look(0, clock.frames);
  window.addEventListener("resize", render);
  player.on((frame) => {
    // What plays out of view takes the view along.
    if (frame < view.from || frame >= view.to) look(frame, frame + view.to - view.from);
    place(byId("playhead"), frame);
  });
}
