// What a person without a picture looks like.

// Each carries white text with a contrast above 4.5.
const colors = [
  "#8a4b2f",
  "#7a5a1e",
  "#4f6b2a",
  "#2c6e52",
  "#276a78",
  "#3d618f",
  "#5d569a",
  "#80497f",
  "#98445c",
  "#5f6460",
];

/** A color for an id, always the same. */
export function avatarColor(id: string): string {
  let hash = 7;
  for (const character of id) hash = (hash * 31 + character.charCodeAt(0)) >>> 0;
  return colors[hash % colors.length] ?? "#5f6460";
}

/** One or two letters of a name. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const first = [...(words[0] ?? "")][0] ?? "?";
  const second = words.length > 1 ? ([...(words.at(-1) ?? "")][0] ?? "") : "";
  return (first + second).toUpperCase();
}
