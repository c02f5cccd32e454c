// Notices about unsaved or failed work, one line per topic, fixed above the page so that nothing below moves.
import { create, find } from "./dom.js";

function banner() {
  const existing = find("#banner");
  if (existing) return existing;
  const region = create("div", { id: "banner", className: "banner" });
  region.setAttribute("role", "status");
  document.body.append(region);
  return region;
}

// Also makes the region: a live region has to exist before its first text to be read out.
/** @param {string} topic */
const lineOf = (topic) => banner().querySelector(`[data-topic="${topic}"]`);

/**
 * Show a notice, in place of an earlier one on the same topic.
 *
 * @param {string} topic
 * @param {string} text
 * @param {[label: string, url: string][]} links
 */
export function showNotice(topic, text, links = []) {
  const line = create("p", { textContent: text });
  line.dataset.topic = topic;
  for (const [label, url] of links) line.append(" ", create("a", { textContent: label, href: url }));
  const previous = lineOf(topic);
  // A live region is read out again when it changes, so an equal line is left alone.
  if (previous?.isEqualNode(line)) return;
  if (previous) previous.replaceWith(line);
  else banner().append(line);
}

/** @param {string} topic */
export const clearNotice = (topic) => lineOf(topic)?.remove();
