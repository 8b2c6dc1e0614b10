/**
 * A file with one character beyond Latin-1 is held with two bytes for each, by every process that loads it.
 * @type {import('rolldown').Plugin}
 */
const oneByteEach = {
  name: 'one-byte-each',
  generateBundle: (_options, bundle) => {
    for (const chunk of Object.values(bundle)) {
      if (chunk.type === 'chunk') chunk.code = chunk.code.replaceAll(/[^\0-\u00FF]/g, escaped)
    }
  },
}

/** @param {string} unit */
function escaped(unit) {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * The published program: our own files in a few, since to find and read hundreds took longer than all else of a start.
 * What it depends on stays apart, where npm can mend it without us.
 */
// oxlint-disable-next-line no-default-export -- the bundler takes no other
export default {
  input: { main: './src/main.ts', 'store-thread': './src/stores/store-thread.ts' },
  platform: 'node',
  external: /^[^./]/,
  plugins: [oneByteEach],
  output: { dir: 'dist', format: 'esm', sourcemap: true, chunkFileNames: '[name]-[hash].js' },
}
