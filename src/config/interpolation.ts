/** Puts environment variables into configuration text: `${NAME}`, `${NAME:-default}`, and `$${` for a literal `${`. */

export type Environment = Readonly<Record<string, string | undefined>>

export interface Interpolated {
  readonly text: string
  /** True when a variable or its default went in. */
  readonly changed: boolean
  readonly problems: readonly string[]
}

/** As in a shell, `:-` also steps in for a variable that is set but empty. No message ever shows a variable's value. */
export function interpolate(source: string, environment: Environment): Interpolated {
  const problems: string[] = []
  let changed = false
  const text = source.replaceAll(/\$\$\{|\$\{([^}]*)(\}?)/g, (match, inside: string | undefined, end: string) => {
    if (inside === undefined) return '${'
    const parts = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/.exec(inside)
    if (parts === null || end === '') {
      problems.push('a variable is written ${NAME} or ${NAME:-default}; for a literal ${ write $${')
      return match
    }
    changed = true
    const [, name = '', fallback] = parts
    const value = environment[name]
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
    if (value === undefined) {
      problems.push(`the environment variable ${name} is not set; set it, or give a default: \${${name}:-default}`)
    }
    return value ?? ''
  })
  return { text, changed, problems }
}

/** What an unquoted YAML scalar with this text means: `${PORT}` without quotes is a number when PORT is one. */
export function plainScalarValue(text: string): string | number | boolean | null {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null
  if (/^(?:true|True|TRUE)$/.test(text)) return true
  if (/^(?:false|False|FALSE)$/.test(text)) return false
  if (/^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text)
  return text
}
