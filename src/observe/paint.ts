/** Colours of a terminal. */

const codes = { dim: 2, red: 31, green: 32, yellow: 33 } as const

export type Colour = keyof typeof codes | 'none'

export type Paint = (colour: Colour, text: string) => string

export const plain: Paint = (_colour, text) => text

export const coloured: Paint = (colour, text) => (colour === 'none' ? text : `\u001b[${codes[colour]}m${text}\u001b[0m`)
