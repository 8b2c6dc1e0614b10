/** One suite over every kind of store. */
import { systemClock } from '../../src/base/clock.ts'
import { DirectKeys } from '../../src/stores/direct-keys.ts'
import { DirectStore } from '../../src/stores/direct-store.ts'
import { KeysFile } from '../../src/stores/keys-file.ts'
import { openStore } from '../../src/stores/open-store.ts'
import type { Store } from '../../src/stores/store.ts'
import { UsageFile } from '../../src/stores/usage-file.ts'
import { type ScratchFolder, scratchFolder } from '../kit/stored-rows.ts'
import { type OpenedStore, storeContract } from './store.contract.ts'

storeContract('a store in memory', async () => disposed(await openStore({ path: ':memory:', role: 'gateway' })))

storeContract('a store on the thread of its caller', async () => {
  const folder = scratchFolder()
  const { storePath: path } = folder
  const keys = new DirectKeys({ path, file: KeysFile.open(path), clock: systemClock })
  const usage = new UsageFile(folder.usagePath, { endsUnfinished: true, creates: true })
  return disposed(new DirectStore(keys, usage), folder)
})

storeContract('the store of a gateway', async () => {
  const folder = scratchFolder()
  return disposed(await openStore({ path: folder.storePath, role: 'gateway' }), folder)
})

function disposed(store: Store, folder?: ScratchFolder): OpenedStore {
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store.close()
      folder?.[Symbol.dispose]()
    },
  }
}
