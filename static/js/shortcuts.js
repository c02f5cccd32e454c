// The reviewer's keys: one map, which `?` shows. The browser's own focus is the only state; a key acts only where no
// text is being written, no widget needs it, and the item on the screen has been painted.
import { acts } from "./key-actions.js";
import { bench, form, isBusy, isClosed } from "./workbench.js";
import { setScore } from "./score.js";
import { travel } from "./navigation.js";
import { refuse } from "./undo.js";

const FLASH = 160;
const TEXT = "textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=hidden], [type=button])";
const ENTERS = "a, button, summary, input, select, [role=button]";
const ARROWS = "input, select, audio, video, [role=slider], [role=separator], [role=tab], [role=tablist] *";

const find = (selector) => document.querySelector(selector);
const named = (name) => () => acts.get(name)?.();

const MAP = [
  { keys: [..."1234567890"], shown: ["1", "…", "9"], does: "Set the score, or choose in the row that has the focus", act: digit },
  { keys: ["f"], does: "Go to the form's first field", act: enterForm },
  { keys: ["r"], does: "Needs review: tick or untick", act: () => press("#review [name=needs_review]") },
  { keys: ["x"], does: "Unsure: tick or untick", act: () => press("#review [name=unsure]") },
  { keys: ["n"], does: "Go to the notes", act: () => find("#notes")?.focus() },
  { keys: ["Enter"], does: "Submit; the next item is there", act: () => press("#submit") },
  { keys: ["Ctrl+Enter"], shown: ["Ctrl", "Enter"], does: "Submit from inside a text (Cmd on a Mac)", act: () => press("#submit") },
  { keys: ["ArrowRight", "j"], shown: ["→", "j"], does: "The next item of the queue", act: () => go(1) },
  { keys: ["ArrowLeft", "k"], shown: ["←", "k"], does: "The item before", act: () => go(-1) },
  { keys: ["s"], does: "Skip: later, or for someone else", act: skip },
  { keys: ["u"], does: "Undo the last submit or skip", act: undo, atEnd: true },
  { keys: ["="], does: "The same answers as for the last item", act: () => press("#same") },
  { keys: ["/"], does: "Search in the trace", act: named("search"), needs: "search" },
  { keys: ["a"], does: "The final answer", act: named("answer"), needs: "answer" },
  { keys: ["e"], does: "The next error", act: named("error"), needs: "error" },
  { keys: ["t"], does: "The next tool call", act: named("tool"), needs: "tool" },
  { keys: ["l"], does: "The longest step", act: named("longest"), needs: "longest" },
  { keys: ["Escape"], shown: ["Esc"], does: "Leave the form or a menu", act: null },
  { keys: ["?"], does: "These keys", act: showKeys, atEnd: true },
];

// At the queue's end there is no form, and little to do.
const inUse = () => MAP.filter(({ needs, atEnd }) => (form() ? !needs || acts.has(needs) : atEnd));

function press(selector) {
  const control = find(selector);
  if (!control || control.disabled || control.closest("[inert]")) return;
  const seen = control.closest("label") ?? control;
  seen.classList.add("pressed");
  setTimeout(() => seen.classList.remove("pressed"), FLASH);
  control.click();
}

function digit(event) {
  if (isClosed()) return;
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
  if (link) travel(link.getAttribute("href"));
}

function undo() {
  if (find("#undo")) press("#undo");
  else refuse();
}

// A mark before the score's field, and the chosen option before the first: digits keep their meaning there.
function enterForm() {
  const fields = find("#review .fields:not([inert])");
  const first = fields?.querySelector(".preset") ?? fields?.querySelector("input:not([type=hidden]), textarea, select");
  const chosen = first?.name && fields.querySelector(`[name="${first.name}"]:checked`);
  (chosen || first)?.focus();
}

function skip() {
  const menu = find("#skip-menu");
  if (!menu) return press("#pass-by");
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
  } else if (target.matches(TEXT) || target.closest?.("#review")) {
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
  if (!bench() || event.isComposing || event.altKey || event.getModifierState("AltGraph") || find("dialog[open]")) return;
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
