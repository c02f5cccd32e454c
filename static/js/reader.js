// Finding things in a trace: jumps to the next error, tool call or longest step, and a search with a match count.
import { closest, find, matches } from "./dom.js";
import { keyActions } from "./key-actions.js";
import { showStep } from "./steps.js";
import { findRanges, highlight, MAX_MATCHES, scrollToRange } from "./text-search.js";

/** @typedef {"answer" | "error" | "tool" | "longest"} JumpKind */

/** @type {Record<JumpKind, [selector: string, label: string]>} */
const KINDS = {
  answer: [".turn.answer", "Answer"],
  error: [".failed", "Error"],
  tool: [".turn.tool, .step.tool", "Tool call"],
  longest: [".longest", "Longest step"],
};
const SEARCH_DELAY = 150; // milliseconds after the last letter

const reading = () => find("#reading");
const content = () => find("#reading :is(.transcript, .steps, .metadata, .raw)");
/** @type {() => HTMLInputElement | null} */
const searchField = () => document.querySelector("#reading .search [type=search]");
const searchText = () => searchField()?.value.trim() ?? "";

/**
 * @param {Node} node
 * @param {Node} other
 */
const isBefore = (node, other) => Boolean(node.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);

/** @param {string} message */
export function announceJump(message) {
  const region = find("#jumped");
  if (region) region.textContent = message;
}

/** @param {Element | null} element */
function unfold(element) {
  for (let fold = element; fold && fold !== reading(); fold = fold.parentElement) {
    const opener = fold.matches("tr.detail") ? fold.previousElementSibling?.querySelector("details") : fold;
    if (opener instanceof HTMLDetailsElement) opener.open = true;
  }
}

/** @param {HTMLElement} target  a turn or a step */
export function goTo(target) {
  unfold(target.parentElement);
  showStep(target);
  const fold = target.querySelector(":scope > details, :scope > td > details");
  if (fold instanceof HTMLDetailsElement) fold.open = true;
  const summary = fold?.querySelector("summary");
  if (!summary) target.tabIndex = -1;
  (summary ?? target).focus({ preventScroll: true });
  target.scrollIntoView({ block: "start" });
}

/**
 * The turn or step that contains the node.
 *
 * @param {Node | null | undefined} node
 * @returns {HTMLElement | null}
 */
export const turnOf = (node) => {
  const element = node instanceof Element ? node : node?.parentElement;
  const detail = element?.closest("#reading tr.detail");
  const row = detail ? detail.previousElementSibling : element?.closest("#reading :is(.turn, .step)");
  return row instanceof HTMLElement ? row : null;
};

/**
 * The number by which the server knows the turn or step.
 *
 * @param {HTMLElement | null} turn
 */
const numberOf = (turn) => turn?.id.split("-")[1] ?? "";

/**
 * Whether turns or steps between the two nodes are not loaded.
 *
 * @param {Node | null} from  null: the beginning of the trace
 * @param {Node} to
 */
const isGapBetween = (from, to) =>
  [...(content()?.querySelectorAll(".gap a[hx-get]") ?? [])].some(
    (gap) => (!from || isBefore(from, gap)) && isBefore(gap, to),
  );

// The server knows the whole trace: it answers with the page of turns that has the target, and focusGoal goes there.
/** @param {string} query */
async function loadTurns(query) {
  const { url, tab } = reading()?.dataset ?? {};
  const text = searchText();
  const isTyping = document.activeElement === searchField();
  const address = `${url}?tab=${tab}&${query}${text ? `&find=${encodeURIComponent(text)}` : ""}`;
  await htmx.ajax("GET", address, { target: "#reading", swap: "outerHTML" });
  if (isTyping) searchField()?.focus();
}

function focusGoal() {
  const goal = reading()?.dataset.goal;
  if (!goal) return;
  delete reading()?.dataset.goal;
  const target = document.getElementById(goal);
  const isTyping = document.activeElement === searchField();
  if (target) goTo(target);
  if (isTyping) searchField()?.focus({ preventScroll: true });
}

/**
 * Go to the next turn or step of a kind after the focused one, and from the last to the first.
 *
 * @param {JumpKind} kind
 */
export function jump(kind) {
  const [selector, label] = KINDS[kind];
  const total = Number(find(`#reading .jump[data-jump="${kind}"]`)?.dataset.number ?? 0);
  if (!total) return announceJump(`No ${label.toLowerCase()} on this tab.`);
  /** @type {HTMLElement[]} */
  const targets = Array.from(content()?.querySelectorAll(selector) ?? []);
  const from = turnOf(document.activeElement);
  const next = from ? targets.find((target) => target !== from && isBefore(from, target)) : targets[0];
  const isComplete = targets.length === total;
  if (!isComplete && (!next || isGapBetween(from, next))) return loadTurns(`jump=${kind}&after=${numberOf(from)}`);
  const target = next ?? targets[0];
  if (!target) return;
  goTo(target);
  announceJump(isComplete ? `${label} ${targets.indexOf(target) + 1} of ${total}` : `${label}, ${total} in total`);
}

/** @type {Range[]} */
let ranges = [];
let current = -1; // index into ranges
let lastQuery = "";

/** @param {number} index */
const matchElement = (index) => ranges[index]?.startContainer.parentElement ?? null;

// Whether everything a search could find is on the page.
const isFullyLoaded = () => !find("#reading :is(.later, .gap a[hx-get], .more, .pages)");

function updateCount() {
  const count = find("#found");
  const button = find("#reading .search button");
  const suffix = isFullyLoaded() ? "" : " loaded";
  const total = `${ranges.length}${ranges.length === MAX_MATCHES ? "+" : ""}`;
  const noMatch = isFullyLoaded() ? "No match" : "No match yet";
  if (count) count.textContent = ranges.length ? `${current + 1} of ${total}${suffix}` : searchText() && noMatch;
  if (button) button.textContent = searchText() && suffix ? "Search the whole trace" : "Search";
}

/** @param {number} step */
function showMatch(step) {
  if (!ranges.length) return;
  current = (current + step + ranges.length) % ranges.length;
  const range = ranges[current];
  const row = turnOf(range?.startContainer);
  unfold(matchElement(current));
  if (row) showStep(row);
  if (range) scrollToRange(range);
  highlight("found-here", ranges.slice(current, current + 1));
  updateCount();
}

// The next match on the page, or an earlier one in turns that are not loaded.
function showNextMatch() {
  const from = matchElement(current);
  const next = matchElement(current + 1);
  if (isFullyLoaded() || (next && !(from && isGapBetween(from, next)))) return showMatch(1);
  return loadTurns(`jump=match&after=${numberOf(turnOf(from))}`);
}

/**
 * Search for the field's text and show the first match.
 *
 * @param {HTMLElement | null} [start]  begin at this turn rather than at the top
 * @param {number} [offset]  and there at this match
 */
function search(start, offset = 0) {
  const query = searchText().toLowerCase();
  const root = content();
  ranges = query && root ? findRanges(root, query) : [];
  lastQuery = query;
  current = -1;
  highlight("found", ranges);
  highlight("found-here", []);
  if (start) current = Math.max(-1, ranges.findIndex((range) => turnOf(range.startContainer) === start) + offset - 1);
  if (ranges.length) showMatch(1);
  else updateCount();
}

// Load the folded turns of the transcript, so that the search covers them.
async function loadFoldedTurns() {
  if (!content()?.matches(".transcript:has(.later)")) return;
  await htmx.ajax("GET", `${reading()?.dataset.url}?rest=1&piece=1`, { source: "#reading", swap: "none" });
}

function openSearch() {
  searchField()?.focus();
  searchField()?.select();
}

function closeSearch() {
  const input = searchField();
  if (!input) return;
  input.value = "";
  search();
  input.blur();
}

async function submitSearch() {
  await loadFoldedTurns();
  // Text typed a moment ago has not been searched for yet.
  if (searchText().toLowerCase() === lastQuery) showNextMatch();
  else search();
}

/** @param {MouseEvent} event */
function onClick(event) {
  const link = closest(event, "#reading .tools a.jump");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  jump(/** @type {JumpKind} */ (link.dataset.jump));
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.target !== searchField() || event.isComposing) return;
  if (event.key === "Escape") closeSearch();
  else if (event.key === "Enter" && event.shiftKey) showMatch(-1);
  else if (event.key === "Enter") submitSearch();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** @param {SubmitEvent} event */
function onSubmit(event) {
  if (!matches(event, "#reading .search")) return;
  event.preventDefault();
  loadTurns("");
}

function onSettle() {
  const goal = document.getElementById(reading()?.dataset.goal ?? "");
  focusGoal();
  const turn = turnOf(ranges[current]?.startContainer);
  const first = ranges.findIndex((range) => turnOf(range.startContainer) === turn);
  if (searchText()) search(goal ?? turn, goal ? 0 : current - first);
  else if (ranges.length) search();
}

export function start() {
  keyActions.set("search", openSearch);
  for (const kind of /** @type {JumpKind[]} */ (Object.keys(KINDS))) keyActions.set(kind, () => jump(kind));
  /** @type {number | undefined} */
  let timer;
  document.addEventListener("click", onClick);
  document.addEventListener("focusin", (event) => {
    if (event.target === searchField()) loadFoldedTurns();
  });
  document.addEventListener("input", (event) => {
    if (event.target !== searchField()) return;
    clearTimeout(timer);
    timer = setTimeout(search, SEARCH_DELAY);
  });
  document.addEventListener("submit", onSubmit);
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("htmx:afterSettle", onSettle);
}
