/* The page of one clip. */
data.shots.forEach((shot) => { if (shot.seconds !== null) moments.set(shot.start, shot.seconds); });
stops = data.shots.map((shot) => shot.start);
if (byId("lanes")) {
  buildLanes();
  steer();
  render();
}
if (byId("sheet")) follow([...byId("sheet").children], stops, data.shots.map((shot) => shot.end));
if (clock) player.show(0);
