/** Headers of an answer in one flat list, a value behind each name, which is the form Node writes with the least work. */
export type HeaderList = string[]

/** Names are lower case wherever one is written here, so that the same one is found: a new value stands where the old one did. */
export function setHeader(list: HeaderList, name: string, value: string): void {
  for (let at = 0; at < list.length; at += 2) {
    if (list[at] !== name) continue
    list[at + 1] = value
    return
  }
  list.push(name, value)
}

/** In their order. */
export function setHeaders(list: HeaderList, headers: Readonly<Record<string, string>>): void {
  // Not by Object.entries, which makes an array for each of them.
  for (const name in headers) setHeader(list, name, headers[name] ?? '')
}
