// Marks a turn, a step or a selected passage as the first error of the trace, where the queue asks for it.
import { announce } from "./announce.js";
import { closest, find, findAll } from "./dom.js";
import { keyActions } from "./key-actions.js";
import { clearNotice, showNotice } from "./notices.js";
import { announceJump, goTo, turnOf } from "./reader.js";
import { findRanges, highlight } from "./text-search.js";
import { isBusy, isReadOnly, onItem } from "./workbench.js";

const MAX_QUOTE_LENGTH = 500;
const QUESTION = "#review .first-error";

/** @type {() => HTMLInputElement | null} */
const field = () => document.querySelector(`${QUESTION} input`);

/** What is marked: the place, the step's name and the selected text. */
function readMark() {
  const [first = "", ...quote] = (field()?.value ?? "").split(/\r?\n/);
  const [place = "", ...name] = first.split(" ");
  return { place, name: name.join(" "), quote: quote.join("\n") };
}

/** @param {string} value */
function setMark(value) {
  const input = field();
  if (!input || isReadOnly() || isBusy()) return;
  clearNotice("mark");
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** @param {string} place */
function elementAt(place) {
  const element = place ? document.getElementById(place) : null;
  return element?.closest("tr") ?? element;
}

/** @param {HTMLElement | null} turn */
const buttonOf = (turn) =>
  /** @type {HTMLButtonElement | null} */ (
    turn?.querySelector(":scope > .mark-error, :scope > td > .mark-error") ?? null
  );

/** The selected passage, with the turn or step that it begins in; null without one. */
function readSelection() {
  const selection = getSelection();
  const quote = selection?.toString().trim();
  if (!selection?.rangeCount || !quote) return null;
  const range = selection.getRangeAt(0);
  const [turn, end] = [turnOf(range.startContainer), turnOf(range.endContainer)];
  // A triple click selects up to the beginning of what comes next.
  return turn && { turn, quote, range, isWithin: turn === end || range.endOffset === 0 };
}

/** @param {HTMLElement | null} turn */
function markTurn(turn) {
  const selection = readSelection();
  const button = buttonOf(turn);
  if (!turn || !button) return announceJump("Select a passage first, or go to a turn or a step.");
  const isQuoted = selection?.turn === turn;
  if (isQuoted && !selection.isWithin) {
    return showNotice("mark", "Not marked: the selected passage goes on in another turn. Select text of one turn.");
  }
  const quote = isQuoted ? selection.quote : "";
  if ([...quote].length > MAX_QUOTE_LENGTH) {
    const count = [...quote].length.toLocaleString("en");
    const text = `Not marked: the selected passage has ${count} characters. The maximum is ${MAX_QUOTE_LENGTH}. Select less of it.`;
    return showNotice("mark", text);
  }
  setMark(`${button.value}\n${quote}`.trim());
  getSelection()?.removeAllRanges();
  announce("Marked as the first error.");
}

function markHere() {
  const row = turnOf(document.activeElement) ?? find("#reading :is(.turn, tr.step):hover");
  markTurn(readSelection()?.turn ?? row);
}

async function goToMark() {
  const { place } = readMark();
  /** @type {HTMLInputElement | null} */
  const sheet = document.querySelector("#sheet");
  if (sheet) sheet.checked = false;
  if (!elementAt(place)) {
    const query = find(`${QUESTION} a`)?.getAttribute("href")?.split("#")[0];
    await htmx.ajax("GET", `${find("#reading")?.dataset.url}${query}`, { target: "#reading", swap: "outerHTML" });
  }
  const target = elementAt(place);
  if (target) goTo(target);
}

// Beside a selection, the button of the marked turn marks that passage instead.
/** @param {HTMLElement} button */
function labelButton(button) {
  const isMarked = button.matches("[aria-current]:not(.is-near)");
  button.textContent = isMarked ? "First error" : "Mark as first error";
}

function showMark() {
  const question = find(QUESTION);
  const { place, name, quote } = readMark();
  for (const button of findAll("#reading .mark-error")) {
    const isMarked = Boolean(place) && button.getAttribute("value")?.split(" ")[0] === place;
    if (isMarked) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    labelButton(button);
  }
  const passage = elementAt(place);
  const details = passage?.matches("tr") ? passage.nextElementSibling : passage;
  highlight("first-error", quote && details ? findRanges(details, quote.toLowerCase()).slice(0, 1) : []);
  if (!question) return;
  const [kind, ...number] = place.split("-");
  const [link, text] = [question.querySelector("a"), question.querySelector("blockquote")];
  question.querySelector(".marked")?.toggleAttribute("hidden", !field()?.value);
  question.querySelector("p.second")?.toggleAttribute("hidden", Boolean(field()?.value));
  if (!link || !text || !place) return;
  link.textContent = kind === "turn" ? `${name} (turn ${number[0]})` : name;
  link.href = kind === "turn" ? `?turn=${number[0]}#${place}` : `?tab=steps&span=${number.join("-")}#${place}`;
  text.textContent = quote;
  text.hidden = !quote;
}

// The button of a turn comes to what is selected in it.
function moveButton() {
  for (const button of findAll("#reading .mark-error.is-near")) {
    button.classList.remove("is-near");
    button.removeAttribute("style");
    labelButton(button);
  }
  const selection = readSelection();
  const button = buttonOf(selection?.turn ?? null);
  if (!selection || !button || !selection.turn.matches(".turn")) return;
  const end = [...selection.range.getClientRects()].at(-1);
  if (!end) return;
  const box = selection.turn.getBoundingClientRect();
  button.classList.add("is-near");
  labelButton(button);
  button.style.insetBlockStart = `${end.top - box.top}px`;
  button.style.insetInlineEnd = `${Math.max(0, box.right - end.right - button.offsetWidth - 12)}px`;
}

/** @param {MouseEvent} event */
function onClick(event) {
  const control = closest(event, `#reading .mark-error, ${QUESTION} :is(.marked a, button)`);
  if (!control || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (control.matches(".mark-error")) return markTurn(turnOf(control));
  if (control.matches("a")) return goToMark();
  setMark("");
  find("#workbench > .trace")?.focus({ preventScroll: true });
}

export function start() {
  onItem(() => {
    if (field()) keyActions.set("mark", markHere);
    else keyActions.delete("mark");
    showMark();
  });
  document.addEventListener("click", onClick);
  // A press on a button would end the selection.
  document.addEventListener("pointerdown", (event) => {
    if (closest(event, "#reading .mark-error")) event.preventDefault();
  });
  document.addEventListener("mousedown", (event) => {
    if (closest(event, "#reading .mark-error")) event.preventDefault();
  });
  document.addEventListener("selectionchange", () => {
    if (field()) moveButton();
  });
  document.addEventListener("input", (event) => {
    if (event.target === field()) showMark();
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (field()) showMark();
  });
}
