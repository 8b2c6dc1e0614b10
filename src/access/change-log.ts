/** Each change of keys and of the admin token has a line in the log, beside its entry in the trail that is kept. */
import type { Log } from '../base/log.ts'
import type { AuditEntry, KeyStore } from './key-store.ts'

export function logChange(log: Log, { actor, action, keyId, keyName, detail }: AuditEntry): void {
  const about = action.startsWith('host.') || action.startsWith('config.') ? detail : { keyId, keyName }
  log('info', 'admin change', { actor, action, ...about })
}

export function withChangeLog(store: KeyStore, log: Log): KeyStore {
  const told = (entry: AuditEntry): void => logChange(log, entry)
  return {
    async insert(record, audit) {
      const isFirst = await store.insert(record, audit)
      told(audit)
      return isFirst
    },
    async replace(record, audit) {
      const stored = await store.replace(record, audit)
      if (stored) told(audit)
      return stored
    },
    async setAdminTokenDigest(digest, audit) {
      await store.setAdminTokenDigest(digest, audit)
      told(audit)
    },
    async note(audit) {
      await store.note(audit)
      told(audit)
    },
    find: (idOrName) => store.find(idOrName),
    list: () => store.list(),
    audit: (countMax) => store.audit(countMax),
  }
}
