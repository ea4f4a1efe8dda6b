/* The page of one clip. */
function showTab(name) {
  for (const button of document.querySelectorAll("[data-tab]")) {
    const chosen = button.dataset.tab === name;
    button.setAttribute("aria-selected", String(chosen));
    byId(button.dataset.tab).hidden = !chosen;
  }
}
const tabs = [...document.querySelectorAll("[data-tab]")];
tabs.forEach((button) => button.addEventListener("click", () => showTab(button.dataset.tab)));
if (tabs.length) showTab(tabs[0].dataset.tab);

data.shots.forEach((shot) => { if (shot.seconds !== null) moments.set(shot.start, shot.seconds); });
stops = data.shots.map((shot) => shot.start);
if (byId("lanes")) {
  buildLanes();
  steer();
  render();
}
if (byId("sheet")) follow([...byId("sheet").children], stops, data.shots.map((shot) => shot.end));
if (clock) player.show(0);
