/** What an error that a client reads must not give away of the gateway, its machine and its hosts. */

/** Each with what it is and where. */
export function disclosuresIn(text: string): string[] {
  return Object.entries(disclosures).flatMap(([what, pattern]) => {
    const match = pattern.exec(text)?.[0]
    return match === undefined ? [] : [`${what}: ${JSON.stringify(match)} in ${text.slice(0, 300)}`]
  })
}

/** What no error of ours says, by what it would give away. */
const disclosures: Readonly<Record<string, RegExp>> = {
  'an address': /\b\d{1,3}(?:\.\d{1,3}){3}\b|\[::|::1\b|\blocalhost\b|https?:\/\//i,
  'a port': /\bport \d|:\d{4,5}\b/i,
  'a path':
    /(?:^|[\s"'(])(?:\/(?:work|home|root|usr|opt|tmp|var|etc|src|node_modules)\b|[A-Z]:\\)|node:|\.[jt]s\b|\.m?js:/,
  'a stack': /\bat \S+ \(|\bat (?:async )?\w+[.:]|\n\s+at |Traceback|File \\?"/,
  'a version': /\b(?:v?\d+\.\d+\.\d+)\b|\bNode(?:\.js)?\b|\bundici\b|\bhono\b|\bllhttp\b/i,
  'a name of an error inside':
    /\b(?:E[A-Z]{4,}|ERR_\w+|HPE_\w+|UND_\w+|TypeError|SyntaxError|RangeError|AssertionError)\b/,
}
