/** How the list of hosts is written on one line, for messages about a file whose form is wrong. */

const urlExample = 'http://192.168.188.11:1234'

/** With the operator's own URL when `written` is one and holds nothing that could be a secret. */
export function hostsExample(written?: unknown): string {
  const own = typeof written === 'string' && /^https?:\/\/[^\s"\\@?#]+$/.test(written)
  return `hosts: [{ url: "${own ? written : urlExample}" }]`
}
