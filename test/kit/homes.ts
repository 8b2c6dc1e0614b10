/** Where a conversation was before, as the gateway saw it when it last chose a host. */
import type { GatewayUnderTest } from './gateway-under-test.ts'

interface Page {
  readonly decisions: readonly { readonly places: readonly { readonly host: string; readonly home: boolean }[] }[]
}

export async function newestHomes(gateway: GatewayUnderTest): Promise<readonly string[]> {
  const { decisions } = (await gateway.admin('GET', '/admin/decisions?count=1')) as Page
  return (decisions[0]?.places ?? []).flatMap(({ host, home }) => (home ? [host] : []))
}
