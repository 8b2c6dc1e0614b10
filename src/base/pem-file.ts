/** A small PEM file that the configuration names, read at once, or in one sentence why it cannot be used. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { cannotRead } from './file-problem.ts'
import { StartError } from './start-error.ts'

/** A bundle of all the authorities that browsers know is a quarter of this. */
const fileBytesMax = 1_048_576

/** `place` is how the configuration calls it: `server.tls.cert`. */
export function readPemFile(path: string, place: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw new StartError(`${place}: ${cannotRead(path, error)}.`)
  }
  if (bytes.length > fileBytesMax) throw new StartError(`${place}: ${path} is too large for a PEM file.`)
  const text = bytes.toString('latin1')
  if (!text.includes('-----BEGIN ')) {
    throw new StartError(`${place}: ${path} is not a PEM file, which has a line -----BEGIN …-----.`)
  }
  return text
}

/** All certificates of a PEM file in their order; throws where there is none, or one that cannot be read. */
export function certificatesOf(
  pem: string,
  path: string,
  place: string,
): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END /g) ?? []
  try {
    const [first, ...rest] = blocks.map((block) => new X509Certificate(wholeBlock(block)))
    if (first !== undefined) return [first, ...rest]
  } catch (error) {
    const cause = { cause: error }
    throw new StartError(`${place}: a certificate in ${path} is damaged; take a fresh copy of it.`, cause)
  }
  throw new StartError(`${place}: there is no certificate in ${path}.`)
}

function wholeBlock(block: string): string {
  const name = /BEGIN ([^-]+)-/.exec(block)?.[1] ?? ''
  return `${block}${name}-----\n`
}
