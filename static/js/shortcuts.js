// The reviewer's keyboard shortcuts: one list, which `?` shows. The browser's focus is the only state; a key acts only
// where no text is typed, no widget uses it, and the item on the screen has been painted.
import { focusReason, goBack, optionOf, pressDigit } from "./answer-rows.js";
import { closest, create, find, findAll } from "./dom.js";
import { keyActions } from "./key-actions.js";
import { goToItem } from "./navigation.js";
import { showWhyNot } from "./undo.js";
import { bench, form, isBusy } from "./workbench.js";

/**
 * @typedef {object} Shortcut
 * @property {string} [name]  that of a shortcut whose first key a person can change
 * @property {string[]} keys  as KeyboardEvent.key, with "Ctrl+" before it for Ctrl or Cmd
 * @property {string[]} [labels]  what the help shows, if not the keys
 * @property {string} help
 * @property {((event: KeyboardEvent) => void) | null} action  null: handled apart
 * @property {string} [needs]  the key action without which the shortcut is not offered
 * @property {boolean} [isAtEnd]  whether it works at the end of the queue too, where there is no form
 */

const FLASH_TIME = 160; // milliseconds
const TEXT_FIELDS =
  "textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=hidden], [type=button])";
const USES_ENTER = "a, select, #skip-menu[open] *";
const BUTTONS = "button, [role=button]";
const USES_ARROWS = "input, select, audio, video, [role=slider], [role=separator], [role=tab], [role=tablist] *";

/** The button that was clicked last. @type {HTMLElement | null} */
let clickedButton = null;

/** @param {string} name */
const keyAction = (name) => () => keyActions.get(name)?.();

/** @type {Shortcut[]} */
const SHORTCUTS = [
  {
    keys: [..."1234567890"],
    labels: ["0", "…", "9"],
    help: "Answer the marked row, as its keys show, and go on to the next",
    action: pressDigit,
  },
  { keys: ["Backspace"], labels: ["⌫"], help: "Go back to the row before", action: goBack },
  { name: "form", keys: ["f"], help: "Go to the first field of the form", action: focusForm },
  {
    name: "needs_review",
    keys: ["r"],
    help: "Tick or untick “needs review”",
    action: () => press("#review [name=needs_review]"),
  },
  { name: "unsure", keys: ["x"], help: "Tick or untick “unsure”", action: () => press("#review [name=unsure]") },
  { name: "notes", keys: ["n"], help: "Go to the notes", action: () => find("#notes")?.focus() },
  {
    name: "snippets",
    keys: ["i"],
    help: "Insert a text snippet into the notes",
    action: () => find("#review .snippets button")?.focus(),
  },
  { name: "reason", keys: ["w"], help: "Write the reason for an answer", action: focusReason },
  { keys: ["Enter"], help: "Submit and open the next item", action: () => press("#submit") },
  {
    keys: ["Ctrl+Enter"],
    labels: ["Ctrl", "Enter"],
    help: "Submit while typing (Cmd on a Mac)",
    action: () => press("#submit"),
  },
  {
    name: "next",
    keys: ["j", "ArrowRight"],
    labels: ["j", "→"],
    help: "Next item in the queue",
    action: () => goBy(1),
  },
  {
    name: "previous",
    keys: ["k", "ArrowLeft"],
    labels: ["k", "←"],
    help: "Previous item in the queue",
    action: () => goBy(-1),
  },
  { name: "skip", keys: ["s"], help: "Skip: for later, or for someone else", action: openSkipMenu },
  { name: "undo", keys: ["u"], help: "Undo the last submit or skip", action: undo, isAtEnd: true },
  { name: "repeat", keys: ["="], help: "Repeat the answers of the last item", action: () => press("#same") },
  { keys: ["/"], help: "Search this trace", action: keyAction("search"), needs: "search" },
  { keys: ["a"], help: "Final answer", action: keyAction("answer"), needs: "answer" },
  { keys: ["e"], help: "Next error", action: keyAction("error"), needs: "error" },
  { keys: ["t"], help: "Next tool call", action: keyAction("tool"), needs: "tool" },
  { keys: ["o"], help: "Open or fold all turns", action: keyAction("folds"), needs: "folds" },
  {
    keys: ["m"],
    help: "Mark the turn, step or selected passage as the first error",
    action: keyAction("mark"),
    needs: "mark",
  },
  { keys: ["l"], help: "Longest step", action: keyAction("longest"), needs: "longest" },
  { keys: ["Escape"], labels: ["Esc"], help: "Leave the form or close a menu", action: null },
  { keys: ["?"], help: "Show keyboard shortcuts", action: showShortcuts, isAtEnd: true },
];

/** The person's own keys by the name of the shortcut. @type {Record<string, string>} */
const ownKeys = JSON.parse(document.body.dataset.keys ?? "{}");
for (const shortcut of SHORTCUTS) {
  const own = ownKeys[shortcut.name ?? ""];
  if (own) Object.assign(shortcut, { keys: [own, ...shortcut.keys.slice(1)], labels: shortcut.labels?.with(0, own) });
}

const available = () => SHORTCUTS.filter(({ needs, isAtEnd }) => (form() ? !needs || keyActions.has(needs) : isAtEnd));

/** @param {string} selector */
function press(selector) {
  const control = find(selector);
  if (!control || control.matches(":disabled") || control.closest("[inert]")) return;
  const visible = control.closest("label") ?? control;
  visible.classList.add("pressed");
  setTimeout(() => visible.classList.remove("pressed"), FLASH_TIME);
  control.click();
}

/** @param {number} step */
function goBy(step) {
  const links = findAll("#rail li a");
  const url = links[links.findIndex((link) => link.hasAttribute("aria-current")) + step]?.getAttribute("href");
  if (url) goToItem(url);
}

function undo() {
  if (find("#undo")) press("#undo");
  else showWhyNot();
}

// A preset rather than the score's text field, and the checked option rather than the first: digits keep acting there.
function focusForm() {
  const fields = find("#review .fields:not([inert])");
  /** @type {HTMLInputElement | null | undefined} */
  const first = fields?.querySelector(".preset") ?? fields?.querySelector("input:not([type=hidden]), textarea, select");
  /** @type {HTMLElement | null | undefined} */
  const checked = first?.name && fields ? fields.querySelector(`[name="${first.name}"]:checked`) : null;
  (checked ?? first)?.focus();
}

function openSkipMenu() {
  const menu = find("#skip-menu");
  if (!(menu instanceof HTMLDetailsElement)) return press("#pass-by");
  menu.open = true;
  menu.querySelector("input")?.focus();
}

function showShortcuts() {
  find("#keys")?.remove();
  const dialog = create("dialog", { id: "keys" });
  dialog.setAttribute("aria-label", "Keyboard shortcuts");
  const list = create("dl");
  for (const { keys, labels, help } of available()) {
    const term = create("dt");
    for (const label of labels ?? keys) term.append(create("kbd", { textContent: label }), " ");
    list.append(term, create("dd", { textContent: help }));
  }
  const close = create("button", { textContent: "Close", className: "button" });
  close.addEventListener("click", () => dialog.close());
  dialog.append(create("h2", { textContent: "Keyboard shortcuts" }), list, close);
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {HTMLElement} target */
function leave(target) {
  const menu = find("details[open]#skip-menu");
  if (menu instanceof HTMLDetailsElement) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  } else if (target.matches(TEXT_FIELDS) || target.closest("#review")) {
    target.blur();
    find("#workbench > .trace")?.focus({ preventScroll: true });
  }
}

/**
 * The skip menu's own keys, while it is open: no other key acts, so that none sets a score behind it.
 *
 * @param {KeyboardEvent} event
 * @param {Element} menu
 */
function onMenuKey(event, menu) {
  if (event.key.length > 1) return;
  /** @type {HTMLElement | null} */
  const option = menu.querySelector(`[data-skip="${CSS.escape(event.key)}"]`);
  event.preventDefault();
  if (option && !event.repeat && !isBusy()) option.click();
}

/**
 * Whether the key belongs to the focused element, or to the browser.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLElement} target
 */
function isUsedByTarget({ key, shiftKey }, target) {
  // No letter is typed into the score field.
  if (target.matches(TEXT_FIELDS)) return !(target.id === "score" && /^[a-z=?/]$/.test(key));
  // A button that was clicked gives Enter back to the review; one that was reached by keyboard keeps it.
  if (key === "Enter")
    return shiftKey || target.matches(USES_ENTER) || (target.matches(BUTTONS) && target !== clickedButton);
  if (!key.startsWith("Arrow")) return false;
  const scrollsSideways = target !== document.body && target.scrollWidth > target.clientWidth + 1;
  return shiftKey || target.matches(USES_ARROWS) || scrollsSideways;
}

/** @param {KeyboardEvent} event */
const isIgnored = (event) =>
  !bench() || event.isComposing || event.altKey || event.getModifierState("AltGraph") || Boolean(find("dialog[open]"));

/** @param {KeyboardEvent} event */
function onKey(event) {
  const target = event.target;
  if (!(target instanceof HTMLElement) || isIgnored(event)) return;
  const isCommand = event.ctrlKey || event.metaKey;
  // A held Enter would press a button, or submit from a field, again and again.
  if (event.repeat && event.key === "Enter" && !target.matches("textarea")) return event.preventDefault();
  if (event.key === "Escape") return leave(target);
  const menu = find("#skip-menu[open]");
  if (menu && !isCommand && !target.matches(TEXT_FIELDS)) return onMenuKey(event, menu);
  const name = isCommand ? `Ctrl+${event.key}` : event.key;
  const option = optionOf(name);
  const shortcut = option ? { action: () => option.click() } : available().find(({ keys }) => keys.includes(name));
  if (!shortcut || (!isCommand && isUsedByTarget(event, target))) return;
  event.preventDefault();
  if (!event.repeat && !isBusy()) shortcut.action?.(event);
}

export function start() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", (event) => {
    clickedButton = closest(event, BUTTONS);
  });
  document.addEventListener("click", (event) => {
    if (closest(event, "#show-keys")) showShortcuts();
  });
}
