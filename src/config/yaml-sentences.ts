/** Says in a sentence what the YAML parser found wrong, without quoting the file: what it quotes could be a key. */
import type { YAMLError } from 'yaml'
import { hostsExample } from './host-example.ts'

export function parserSentence(error: YAMLError, text: string): string {
  const [start, end] = error.pos
  switch (error.code) {
    case 'MULTIPLE_DOCS':
      return 'the file must be one YAML document; remove the --- in the middle'
    case 'TAG_RESOLVE_FAILED':
      return 'a value that begins with ! must be in quotes'
    case 'BAD_SCALAR_START':
      return 'a value that begins with this character must be in quotes'
    case 'BAD_DQ_ESCAPE':
      return 'no such escape; in double quotes a backslash is written \\\\'
    default: {
      if (isIndentation(error, text)) return `not valid YAML: ${indentation}`
      const lineStart = text.lastIndexOf('\n', start - 1) + 1
      const hint = /[{[].*\$\{/.test(text.slice(lineStart, Math.max(start, end)))
        ? '; inside { } or [ ] a variable must be in quotes: "${NAME}"'
        : ''
      return `not valid YAML: ${quoteless.has(error.code) ? error.message : 'unexpected text'}${hint}`
    }
  }
}

/** The messages of these never quote the file; those of others may. */
const quoteless = new Set(['MISSING_CHAR', 'MULTIPLE_ANCHORS', 'MULTIPLE_TAGS', 'TAB_AS_INDENT'])

const indentation =
  'wrong indentation or a missing colon; the keys of one mapping, like the dashes of one list, ' +
  `begin in the same column; or on one line: ${hostsExample()}`

function isIndentation(error: YAMLError, text: string): boolean {
  switch (error.code) {
    case 'BAD_INDENT':
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return true
    case 'MISSING_CHAR':
      return error.message.startsWith('Sequence item')
    default:
      return text.startsWith('- ', error.pos[0])
  }
}
