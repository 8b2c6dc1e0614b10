/** Turns a parsed configuration into the one the gateway is built from: every host gets its name, the store its place. */
import type { ParsedConfig, ResolvedConfig } from './schema.ts'

/** `storagePath` is where the store is unless the configuration says so. */
export function resolveConfig(parsed: ParsedConfig, storagePath: string): ResolvedConfig {
  const names = hostNames(parsed.hosts)
  const hosts = parsed.hosts.map(({ apiKey, ...host }, index) => ({
    ...host,
    name: names[index] ?? host.url,
    // An empty key is what "${LMX_API_KEY:-}" leaves where there is none; an empty bearer token is never meant.
    ...(apiKey === undefined || apiKey === '' ? {} : { apiKey }),
  }))
  return { ...parsed, hosts, storage: { ...parsed.storage, path: parsed.storage.path ?? storagePath } }
}

/** Keeps nothing beyond the process. */
export const inMemory = ':memory:'

/** The hosts' names in order: as given, else host and port of the URL with `-2`, `-3` … where that is taken. */
export function hostNames(hosts: readonly { name?: string | undefined; url?: string | undefined }[]): string[] {
  const taken = new Set(hosts.flatMap((host) => (host.name === undefined ? [] : [host.name])))
  return hosts.map((host) => {
    if (host.name !== undefined) return host.name
    const base = hostAndPort(host.url ?? '')
    let name = base
    for (let number = 2; taken.has(name); number++) name = `${base}-${number}`
    taken.add(name)
    return name
  })
}

function hostAndPort(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}
