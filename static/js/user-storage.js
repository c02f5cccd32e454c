// What this browser keeps for the person who is signed in, under their name: somebody else finds nothing of it.
const rest = new Map();

const key = (name) => `desk:${encodeURIComponent(document.body.dataset.user ?? "")}:${name}`;

export function read(name, otherwise) {
  if (rest.has(key(name))) return rest.get(key(name));
  try {
    return JSON.parse(localStorage.getItem(key(name))) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function write(name, value) {
  try {
    localStorage.setItem(key(name), JSON.stringify(value));
    rest.delete(key(name));
  } catch {
    // The browser keeps nothing, or no more: then as long as this page is open.
    rest.set(key(name), value);
  }
}

export function drop(name) {
  rest.delete(key(name));
  try {
    localStorage.removeItem(key(name));
  } catch {
    // Nothing is kept where nothing may be.
  }
}

export function names(beginning) {
  const found = new Set(rest.keys());
  try {
    Object.keys(localStorage).forEach((name) => found.add(name));
  } catch {
    // As above.
  }
  return [...found].filter((name) => name.startsWith(key(beginning))).map((name) => name.slice(key("").length));
}
