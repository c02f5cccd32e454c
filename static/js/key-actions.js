// What other modules can do on a key, by name: "search", "error", "tool", "longest". A key whose act is absent is none.
export const acts = new Map();
