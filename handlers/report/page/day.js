/* The page of a day: the string-out's clips follow the player. */
const placed = data.clips.map((clip, number) => ({ number, placed: clip.placed })).filter((clip) => clip.placed)
  .sort((one, other) => one.placed[0] - other.placed[0]);
if (clock) {
  stops = placed.map((clip) => clip.placed[0]);
  const rows = placed.map((clip) => document.querySelector(`[data-clip="${clip.number}"]`));
  follow(rows, stops, placed.map((clip) => clip.placed[1]));
  player.show(0);
}
