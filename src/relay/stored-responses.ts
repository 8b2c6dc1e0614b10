/** Which host keeps a stored response: a request that refers to one can only be answered there. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Host } from '../hosts/host.ts'

export class StoredResponses {
  readonly #hosts: BoundedMap<string, Host>

  constructor(sizeMax: number) {
    this.#hosts = new BoundedMap(sizeMax)
  }

  remember(responseId: string, host: Host): void {
    this.#hosts.set(responseId, host)
  }

  hostOf(responseId: string): Host | undefined {
    return this.#hosts.get(responseId)
  }
}
