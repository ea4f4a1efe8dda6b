/* Lists beside the player, one of them at a time. */
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
