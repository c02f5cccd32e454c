// Local storage keyed by the signed-in user, so that nobody else on this browser reads it.

/** @type {Map<string, unknown>} */
const memory = new Map();

/** @param {string} name */
const keyOf = (name) => `desk:${encodeURIComponent(document.body.dataset.user ?? "")}:${name}`;

/**
 * Parse the stored JSON value, or return the default.
 *
 * @template T
 * @param {string} name
 * @param {T} fallback
 * @returns {T}
 */
export function read(name, fallback) {
  const key = keyOf(name);
  if (memory.has(key)) return /** @type {T} */ (memory.get(key));
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null") ?? fallback;
  } catch {
    return fallback;
  }
}

/**
 * @param {string} name
 * @param {unknown} value  anything that JSON can hold
 */
export function write(name, value) {
  try {
    localStorage.setItem(keyOf(name), JSON.stringify(value));
    memory.delete(keyOf(name));
  } catch {
    // Storage is full or forbidden: keep the value for as long as this page is open.
    memory.set(keyOf(name), value);
  }
}

/** @param {string} name */
export function remove(name) {
  memory.delete(keyOf(name));
  try {
    localStorage.removeItem(keyOf(name));
  } catch {
    // Storage is forbidden, so nothing was stored.
  }
}
