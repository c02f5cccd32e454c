/**
 * What other modules offer on a key, by name: "search", "answer", "error", "tool", "longest", "folds", "mark". A key without an
 * action does nothing.
 *
 * @type {Map<string, () => void>}
 */
export const keyActions = new Map();
