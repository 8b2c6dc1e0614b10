/** Which models a key may ask for. */

/** `*` at the end of a name stands for any rest; null allows all. */
export function allowsModel(models: readonly string[] | null, name: string): boolean {
  if (models === null) return true
  return models.some((allowed) => (allowed.endsWith('*') ? name.startsWith(allowed.slice(0, -1)) : allowed === name))
}
