/** Requests that come to nothing, full of texts which nobody but the client knows: none of them may become a label. */

/** In every text that such a client makes up. */
export const inventedMark = 'invented'

interface Known {
  readonly url: string
  readonly key: string
  readonly model: string
}

type Nuisance = (known: Known, turn: number) => Promise<Response>

/** In turn, each with `turn` in its texts, so that no two are the same. */
export const nuisances: readonly Nuisance[] = [
  (known, turn) => chat(known, { model: `${inventedMark}-model-${turn}` }),
  (known, turn) => chat({ ...known, key: `${inventedMark}-key-${turn}` }, {}),
  ({ url, key }, turn) => fetch(`${url}/v1/${inventedMark}-path-${turn}`, { headers: bearer(key) }),
  (known, turn) => chat(known, {}, { 'x-lmx-gateway-priority': `${inventedMark}-class-${turn}` }),
  ({ url, key }, turn) => fetch(`${url}/${inventedMark}/${turn}`, { method: 'POST', headers: bearer(key), body: '{}' }),
  ({ url, key }) => fetch(`${url}/v1/models`, { method: 'PURGE', headers: bearer(key) }),
  ({ url, key }, turn) => fetch(`${url}/v1/models/${inventedMark}-model-${turn}`, { headers: bearer(key) }),
]

function chat({ url, key, model }: Known, fields: object, headers: Readonly<Record<string, string>> = {}) {
  const messages = [{ role: 'user', content: `request ${inventedMark}` }]
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...bearer(key), 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model, messages, ...fields }),
  })
}

function bearer(key: string) {
  return { authorization: `Bearer ${key}` }
}
