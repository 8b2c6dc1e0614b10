/** Who may have signed the certificate of a host, where that is none of the authorities that Node knows. */
import { certificatesOf, readPemFile } from '../base/pem-file.ts'
import { StartError } from '../base/start-error.ts'

/** The content of the file, or undefined where none is named; throws a StartError where it cannot be used. */
export function authoritiesOf(host: {
  readonly name: string
  readonly url: string
  readonly ca?: string | undefined
}): string | undefined {
  const { ca: path } = host
  if (path === undefined) return undefined
  const place = `ca of the host ${host.name}`
  if (new URL(host.url).protocol !== 'https:') {
    throw new StartError(`${place}: its url begins with http://, where no certificate is looked at; write https://.`)
  }
  const pem = readPemFile(path, place)
  certificatesOf(pem, path, place)
  return pem
}
