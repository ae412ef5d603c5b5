/**
 * Compiles a pattern of `like`: `*` is any text, `?` any one character, all else itself. The pattern may match
 * anywhere in the text, as in the original. Takes time linear in the text, times the pattern at worst.
 */
export function compileGlob(pattern: string): (text: string) => boolean {
  const finders = pattern
    .split('*')
    .map((piece) => (piece.includes('?') ? wildcardFinder(piece) : finder(piece)));
  // Unanchored, so the leftmost place of each piece leaves most room for the next: no way back is needed.
  return (text) => {
    let at = 0;
    for (const find of finders) {
      at = find(text, at);
      if (at === -1) return false;
    }
    return true;
  };
}

/** Finds a piece from a place on; returns where it ends, or -1. */
type Finder = (text: string, from: number) => number;

function finder(piece: string): Finder {
  return (text, from) => {
    const at = text.indexOf(piece, from);
    return at === -1 ? -1 : at + piece.length;
  };
}

function wildcardFinder(piece: string): Finder {
  const characters = Array.from(piece);
  return (text, from) => {
    for (let start = from; start < text.length; start += 1) {
      const end = matchAt(characters, text, start);
      if (end !== -1) return end;
    }
    return -1;
  };
}

function matchAt(characters: readonly string[], text: string, start: number): number {
  let at = start;
  for (const character of characters) {
    if (at >= text.length) return -1;
    if (character === '?') at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    else if (text.startsWith(character, at)) at += character.length;
    else return -1;
  }
  return at;
}
