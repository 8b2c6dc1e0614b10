/** The command line inside a test's own process, on a store of the test's own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCli } from '../../src/cli/cli.ts'

export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

export async function cli(args: readonly string[], isTerminal = false): Promise<Said> {
  const out: string[] = []
  const err: string[] = []
  const io = { out: (text: string) => void out.push(text), err: (text: string) => void err.push(text), isTerminal }
  const code = await runCli(args, io)
  return { code, out: out.join('\n'), err: err.join('\n') }
}

/** A folder with a configuration that has the teams red and blue, and room for a store. */
export class StoreFolder implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async make(): Promise<StoreFolder> {
    const folder = new StoreFolder(await mkdtemp(join(tmpdir(), 'lmx-gateway-cli-')))
    await folder.write('gateway.yaml', 'teams: { red: { tokensPerMinute: 10000 }, blue: {} }\n')
    return folder
  }

  get storePath(): string {
    return join(this.path, 'state', 'gateway.db')
  }

  /** That say where the store is. */
  get flags(): readonly string[] {
    return ['--config', join(this.path, 'gateway.yaml'), '--store', this.storePath]
  }

  async write(name: string, content: string): Promise<string> {
    await writeFile(join(this.path, name), content)
    return join(this.path, name)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.path, { recursive: true })
  }
}
