/** The version of the program. */
import { readFileSync } from 'node:fs'

/** As package.json says, which lies one folder above, of the sources as of what is built from them. */
export function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const found =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : undefined
  return typeof found === 'string' ? found : 'unknown'
}
