// Keys of pages outside the workbench: `/` goes to a search, `[` opens the session, and a link can name its own key.
import { find, findAll } from "./dom.js";
import { keyActions } from "./key-actions.js";
import { bench } from "./workbench.js";

const TYPES_TEXT = "textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=button])";

function openSession() {
  const session = find("#session details");
  if (session instanceof HTMLDetailsElement) session.open = !session.open;
}

function goToSearch() {
  if (find("#reading .search")) return keyActions.get("search")?.();
  const field = find("#find-trace");
  field?.focus();
  if (field instanceof HTMLInputElement) field.select();
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const { key, target } = event;
  if (event.defaultPrevented || event.isComposing || event.altKey || event.ctrlKey || event.metaKey || event.repeat)
    return;
  if (!(target instanceof HTMLElement) || target.matches(TYPES_TEXT) || find("dialog[open]")) return;
  const link = findAll("[data-page-key]").find(({ dataset }) => dataset.pageKey === key);
  if (key === "[") openSession();
  else if (bench()) return;
  else if (key === "/") goToSearch();
  else if (link) link.click();
  else return;
  event.preventDefault();
}

export function start() {
  document.addEventListener("keydown", onKey);
}
