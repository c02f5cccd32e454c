// The reviewer's keys: one map, which `?` shows. The browser's own focus is the only state; a key acts only where no
// text is being written, no widget needs it, and the item on the screen has been painted.
import { acts } from "./acts.js";
import { form, isBusy, show, wait } from "./bench.js";
import { renew } from "./lease.js";
import * as prefetch from "./prefetch.js";
import { setScore } from "./score.js";

const FLASH = 160;
const TEXT = "textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=hidden], [type=button])";
const ENTERS = "a, button, summary, input, select, [role=button]";
const ARROWS = "input, select, audio, video, [role=slider], [role=separator], [role=tab], [role=tablist] *";

const find = (selector) => document.querySelector(selector);
const named = (name) => () => acts.get(name)?.();

const MAP = [
  { keys: [..."1234567890"], shown: ["1", "…", "9"], does: "Set the score, or choose in the row that has the focus", act: digit },
  { keys: ["r"], does: "Needs review: tick or untick", act: () => press("#review [name=needs_review]") },
  { keys: ["n"], does: "Go to the notes", act: () => find("#notes")?.focus() },
  { keys: ["Enter"], does: "Submit; the next item is there", act: () => press("#submit") },
  { keys: ["Ctrl+Enter"], shown: ["Ctrl", "Enter"], does: "Submit from inside a text (Cmd on a Mac)", act: () => press("#submit") },
  { keys: ["ArrowRight", "j"], shown: ["→", "j"], does: "The next item of the queue", act: () => go(1) },
  { keys: ["ArrowLeft", "k"], shown: ["←", "k"], does: "The item before", act: () => go(-1) },
  { keys: ["s"], does: "Skip: later, or for someone else", act: skip },
  { keys: ["u"], does: "Undo the last submit", act: () => press("#undo") },
  { keys: ["="], does: "The same answers as for the last item", act: () => press("#same") },
  { keys: ["/"], does: "Search in the trace", act: named("search"), needs: "search" },
  { keys: ["e"], does: "The next error", act: named("error"), needs: "error" },
  { keys: ["t"], does: "The next tool call", act: named("tool"), needs: "tool" },
  { keys: ["l"], does: "The longest step", act: named("longest"), needs: "longest" },
  { keys: ["Escape"], shown: ["Esc"], does: "Leave a text or a menu", act: null },
  { keys: ["?"], does: "These keys", act: showKeys },
];

const inUse = () => MAP.filter((entry) => !entry.needs || acts.has(entry.needs));

function press(selector) {
  const control = find(selector);
  if (!control || control.disabled) return;
  const seen = control.closest("label") ?? control;
  seen.classList.add("pressed");
  setTimeout(() => seen.classList.remove("pressed"), FLASH);
  control.click();
}

function digit(event) {
  if (find("#review .fields[inert]")) return;
  const row = event.target.closest?.("#review [data-criterion]");
  const choices = row ? row.querySelectorAll("input[type=radio], input[type=checkbox]") : [];
  if (choices.length) return choices[event.key - 1]?.click();
  const marks = document.querySelectorAll("#review .preset");
  if (marks.length) return marks[event.key - 1] && setScore(marks[event.key - 1].dataset.score);
  const scores = [...document.querySelectorAll("#review .choice input:not([value=''])")];
  // Where every score is a digit, the key is the score; elsewhere it is the place in the row.
  const areDigits = scores.every((score) => /^\d+$/.test(score.value));
  (areDigits ? scores.find((score) => score.value === event.key) : scores[event.key - 1])?.click();
}

function go(step) {
  const rail = [...document.querySelectorAll("#rail li a")];
  const link = rail[rail.findIndex((one) => one.hasAttribute("aria-current")) + step];
  if (!link) return;
  const fetched = prefetch.takeOne(prefetch.numberOf(link.pathname));
  if (!fetched) {
    wait(true);
    return link.click();
  }
  show(fetched.html, fetched.address);
  // Fetched ahead it was claimed for nobody.
  renew();
}

function skip() {
  const menu = find("#skip-menu");
  if (!menu) return press("button[form=skip]");
  menu.open = true;
  menu.querySelector("button")?.focus();
}

export function showKeys() {
  find("#keys")?.remove();
  const sheet = document.createElement("dialog");
  sheet.id = "keys";
  sheet.setAttribute("aria-label", "Keys");
  const list = document.createElement("dl");
  for (const { keys, shown, does } of inUse()) {
    const term = document.createElement("dt");
    for (const key of shown ?? keys) term.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
    list.append(term, Object.assign(document.createElement("dd"), { textContent: does }));
  }
  const close = Object.assign(document.createElement("button"), { textContent: "Close", className: "button" });
  close.addEventListener("click", () => sheet.close());
  sheet.append(Object.assign(document.createElement("h2"), { textContent: "Keys" }), list, close);
  document.body.append(sheet);
  sheet.showModal();
}

function leave(target) {
  const menu = target.closest?.("details[open]#skip-menu");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  } else if (target.matches(TEXT)) {
    target.blur();
    find("#workbench > .trace")?.focus({ preventScroll: true });
  }
}

// Whether the key belongs to what has the focus, or to the browser.
function isTheirs({ key, target, shiftKey }) {
  // In the score's field no letter can be meant for it.
  if (target.matches(TEXT)) return !(target.id === "score" && /^[a-z=?/]$/.test(key));
  if (key === "Enter") return shiftKey || target.matches(ENTERS);
  if (!key.startsWith("Arrow")) return false;
  return shiftKey || target.matches(ARROWS) || (target !== document.body && target.scrollWidth > target.clientWidth + 1);
}

function onKey(event) {
  if (!form() || event.isComposing || event.altKey || event.getModifierState("AltGraph") || find("dialog[open]")) return;
  const isCommand = event.ctrlKey || event.metaKey;
  // A held key presses a button, and submits from a field, again and again.
  if (event.repeat && event.key === "Enter" && !event.target.matches("textarea")) return event.preventDefault();
  if (event.key === "Escape") return leave(event.target);
  const name = isCommand ? `Ctrl+${event.key}` : event.key;
  const entry = inUse().find(({ keys }) => keys.includes(name));
  if (!entry || (!isCommand && isTheirs(event))) return;
  event.preventDefault();
  if (!event.repeat && !isBusy()) entry.act(event);
}

export function listen() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => event.target.closest?.("#show-keys") && showKeys());
}
