// Buttons that copy code, the answer and the trace's id, and links from an answer to the passages that it cites.
import { closest, create, findAll } from "./dom.js";

// What can be copied: the element, and where its button goes.
const TARGETS = "#reading .part pre, #reading .turn.answer > .parts, #reading .trace-head .id";
const SHOWN_FOR = 1500; // milliseconds that a button says "Copied"

/**
 * The text as it is shown, without what the style sheet takes out of a selection.
 *
 * @param {HTMLElement} target
 */
function textOf(target) {
  if (target.matches(".id")) return target.title;
  const selection = getSelection();
  if (!selection) return "";
  const selected = selection.rangeCount ? selection.getRangeAt(0) : null;
  selection.selectAllChildren(target);
  const text = selection.toString().trim();
  selection.removeAllRanges();
  if (selected) selection.addRange(selected);
  return text;
}

/**
 * The label is drawn by the style sheet, so that a search in the trace does not find it.
 *
 * @param {HTMLElement} button
 * @param {string} label
 */
function setLabel(button, label) {
  button.dataset.label = label;
  button.setAttribute("aria-label", label);
}

function addButtons() {
  for (const target of findAll(TARGETS)) {
    const host = target.matches(".id") ? target.parentElement : target;
    if (!host || host.querySelector(":scope > .copy")) continue;
    const button = create("button", { type: "button", className: "copy" });
    setLabel(button, "Copy");
    host.append(button);
  }
}

/** @param {Event} event */
async function onCopy(event) {
  const button = closest(event, "#reading .copy");
  const host = button?.parentElement;
  if (!button || !host) return;
  const target = host.querySelector(":scope > .id") ?? host;
  if (!(target instanceof HTMLElement)) return;
  try {
    await navigator.clipboard.writeText(textOf(target));
    setLabel(button, "Copied");
  } catch {
    setLabel(button, "Not copied");
  }
  setTimeout(() => setLabel(button, "Copy"), SHOWN_FOR);
}

/** @param {MouseEvent} event */
function onCite(event) {
  const link = closest(event, "#reading a.cited");
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const passage = document.getElementById(link.hash.slice(1));
  // A passage that is not loaded: the link's address opens the page with it.
  if (!passage) return;
  event.preventDefault();
  for (let fold = passage.parentElement; fold && fold.id !== "reading"; fold = fold.parentElement) {
    if (fold instanceof HTMLDetailsElement) fold.open = true;
  }
  passage.tabIndex = -1;
  passage.focus({ preventScroll: true });
  passage.scrollIntoView({ block: "center" });
}

export function start() {
  addButtons();
  document.addEventListener("htmx:afterSettle", addButtons);
  document.addEventListener("click", onCopy);
  document.addEventListener("click", onCite);
}
