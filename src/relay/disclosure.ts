/** Whether a sentence of a host gives away where it runs and by what: no client needs that, and each could use it. */

export function disclosesHost(sentence: string): boolean {
  return disclosures.some((pattern) => pattern.test(sentence))
}

/** Every repetition is bounded or begins at a place that the one before it ends at, so that each takes time by the length alone. */
const disclosures: readonly RegExp[] = [
  // Stacks: Python's heading and its lines, lines of JavaScript and of Java, and places in memory.
  /\bTraceback\b|\bFile "[^"\n]{1,300}", line \d/,
  /(?:^|\n)[ \t]*at [^\s]/,
  /\b0x[\da-f]{6,16}\b/i,
  // `app.py:12`, `mini.local:11434`, `studio:1234`, `[::]:8000`.
  /\.[a-z]\w{0,62}:\d|\b(?:localhost|[a-z][\w-]{0,62}:\d{4,5})\b|\]:\d/i,
  // IPv4, and versions.
  /(?:^|[^\d.])v?\d{1,5}(?:\.\d{1,5}){2}|[a-z]\/\d{1,5}\.\d/i,
  // IPv6, whole and with its zeros left out.
  /(?<![\w:])(?:[\da-f]{1,4}:){4,7}[\da-f]{1,4}\b/i,
  /(?<![\w:])(?:[\da-f]{1,4}(?::[\da-f]{1,4}){0,5})?::[\da-f]{1,4}(?::[\da-f]{1,4}){0,5}(?!\w)/i,
  /(?<![\w:])[\da-f]{1,4}(?::[\da-f]{1,4}){0,6}::(?!\w)/i,
  // URLs, and paths of two parts and more, but for the API's own.
  /[a-z]:\/\//i,
  /(?<![\w/.:*])\/(?!v1\/)[\w.@+~-]{1,255}\/[\w.@+~-]/,
  // The first part of a path that every system has, steps upwards, and names of a home network.
  /(?<![\w/.])\/(?:opt|etc|usr|var|home|root|tmp|Users|Applications|Volumes|private)\b|\.\.\//,
  /\b[\w-]{1,63}\.(?:local|lan|internal|home)\b/i,
  /\b[a-z]:[\\/]\w|\\\\[\w.-]{1,255}\\/i,
]
