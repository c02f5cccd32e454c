// Keeps figures current: loads an element with data-refresh again while the page is visible. Only what differs changes,
// so that nothing jumps, the focus stays and open folds stay open.
import { find } from "./dom.js";

const INTERVAL = 15_000;

export function start() {
  setInterval(refresh, INTERVAL);
  // A page that was hidden may be old by now.
  document.addEventListener("visibilitychange", refresh);
}

async function refresh() {
  const part = find("[data-refresh]");
  if (document.hidden || !part?.dataset.refresh) return;
  const response = await fetch(part.dataset.refresh, { headers: { "HX-Request": "true" } }).catch(() => null);
  // A session that has ended redirects to the sign-in page.
  if (!response?.ok || response.redirected) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").body.firstElementChild;
  if (fresh?.id === part.id) morph(part, fresh);
}

/**
 * Make a node equal to another one, keeping every node that can stay.
 *
 * @param {Node} node
 * @param {Node} fresh
 */
function morph(node, fresh) {
  if (node.nodeName !== fresh.nodeName) {
    node.parentNode?.replaceChild(fresh, node);
    return;
  }
  if (node instanceof Element && fresh instanceof Element) copyAttributes(node, fresh);
  else if (node.nodeValue !== fresh.nodeValue) node.nodeValue = fresh.nodeValue;
  const [before, after] = [[...node.childNodes], [...fresh.childNodes]];
  for (const [index, child] of after.entries()) {
    if (before[index]) morph(before[index], child);
    else node.appendChild(child);
  }
  for (const child of before.slice(after.length)) node.removeChild(child);
}

/**
 * @param {Element} element
 * @param {Element} fresh
 */
function copyAttributes(element, fresh) {
  for (const { name } of [...element.attributes]) {
    // Whether a fold is open is the reader's choice.
    if (!fresh.hasAttribute(name) && name !== "open") element.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}
