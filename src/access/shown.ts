/** Words that somebody else wrote, made fit to be said again. */

/** Control and format characters, halves of pairs, and separators of lines. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]/u
const lengthMax = 64

export function isPrintable(text: string): boolean {
  return !unprintable.test(text)
}

/** Cut short, and without what terminals and logs act upon. */
export function shown(text: string): string {
  const plain = text.replace(new RegExp(unprintable, 'gu'), '?')
  return plain.length > lengthMax ? `${plain.slice(0, lengthMax)}…` : plain
}
