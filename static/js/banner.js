// What is not yet as it should be, in words: one line for each matter, above the page so that nothing moves.

function region(id, look) {
  const found = document.getElementById(id);
  if (found) return found;
  const made = Object.assign(document.createElement("div"), { id, className: look });
  made.setAttribute("role", "status");
  document.body.append(made);
  return made;
}

// Say `text` about a matter, with links as [words, address]; without a text, that it is settled.
export function tell(matter, text = "", links = []) {
  const box = region("banner", "banner");
  const line = box.querySelector(`[data-matter="${matter}"]`);
  if (!text) return line?.remove();
  const made = document.createElement("p");
  made.dataset.matter = matter;
  made.append(text);
  for (const [words, address] of links) {
    made.append(" ", Object.assign(document.createElement("a"), { textContent: words, href: address }));
  }
  if (line?.isEqualNode(made)) return;
  if (line) line.replaceWith(made);
  else box.append(made);
}
