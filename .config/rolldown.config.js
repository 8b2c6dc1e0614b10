/**
 * The published program: our own files in a few, since to find and read hundreds took longer than all else of a start.
 * What it depends on stays apart, where npm can mend it without us.
 */
// oxlint-disable-next-line no-default-export -- the bundler takes no other
export default {
  input: { main: './src/main.ts', 'store-thread': './src/stores/store-thread.ts' },
  platform: 'node',
  external: /^[^./]/,
  output: { dir: 'dist', format: 'esm', sourcemap: true, chunkFileNames: '[name]-[hash].js' },
}
