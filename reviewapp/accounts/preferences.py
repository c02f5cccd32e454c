"""What a person has set for themselves: look, keys, text snippets, and how the workbench goes on.

Stored as JSON in the person's own row, which every request reads, so that no page needs a query for it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from reviewapp.lib.shortening import shorten

THEMES = {"system": "as the system", "light": "light", "dark": "dark"}
DENSITIES = {"comfortable": "comfortable", "compact": "compact"}
# The shortcuts that a person can put on another key, with the key they have otherwise and what they do.
SHORTCUTS = {
    "needs_review": ("r", "Tick “needs review”"),
    "unsure": ("x", "Tick “unsure”"),
    "notes": ("n", "Go to the notes"),
    "reason": ("w", "Write the reason for an answer"),
    "snippets": ("i", "Insert a snippet"),
    "form": ("f", "Go to the form"),
    "next": ("j", "Next item"),
    "previous": ("k", "Previous item"),
    "skip": ("s", "Skip"),
    "undo": ("u", "Undo"),
    "repeat": ("=", "Repeat answers"),
}
# Keys that no shortcut can have: those of answers and of the trace.
FIXED_KEYS = frozenset("0123456789bcdghpqvyzaetlom/? ")
MAX_SNIPPETS = 9
MAX_SNIPPET_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Preferences:
    """One person's preferences. `own_keys` has the shortcuts that differ from SHORTCUTS, by name."""

    theme: str = "system"
    density: str = "comfortable"
    advances: bool = False
    keeps_tab: bool = False
    opens_tools: bool = False
    own_keys: Mapping[str, str] = field(default_factory=dict)
    snippets: tuple[str, ...] = ()

    @property
    def keys(self) -> dict[str, str]:
        """The key of every shortcut by its name."""
        return {name: self.own_keys.get(name, key) for name, (key, _) in SHORTCUTS.items()}

    @property
    def own_keys_json(self) -> str:
        """The own keys as JSON; empty if there are none."""
        return json.dumps(dict(self.own_keys)) if self.own_keys else ""


@lru_cache(maxsize=256)
def parse_preferences(text: str) -> Preferences:
    """Parse the text that `dump_preferences` writes."""
    members: dict[str, Any] = json.loads(text)
    return Preferences(**members | {"snippets": tuple(members.get("snippets", ()))})


def dump_preferences(preferences: Preferences) -> str:
    return json.dumps(asdict(preferences))


def find_key_error(keys: Mapping[str, str]) -> str:
    """Return why these keys, by shortcut, cannot all be used; empty if they can."""
    owners: dict[str, str] = {}
    for name, key in keys.items():
        label = SHORTCUTS[name][1]
        if len(key) != 1 or not key.isprintable() or key in FIXED_KEYS:
            start = shorten(key, 20)
            return f"“{start}” cannot be the key for “{label}”. Use one character that has no other meaning here."
        if key in owners:
            return f"“{label}” and “{owners[key]}” have the same key “{key}”. Give each its own."
        owners[key] = label
    return ""
