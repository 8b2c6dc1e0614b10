/** Loaded into a process before anything else: at its end it writes to stderr which packages of others it has loaded. */
import { registerHooks } from 'node:module'

const loaded = new Set<string>()

registerHooks({
  load(url, context, next) {
    const name = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(url)?.[1]
    if (name !== undefined) loaded.add(name)
    return next(url, context)
  },
})

process.on('exit', () => {
  process.stderr.write(`loaded: ${[...loaded].toSorted().join(' ')}\n`)
})
