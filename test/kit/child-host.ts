/** A simulated LMX host in a process of its own, which can be killed or frozen as a machine is. */
import { fileURLToPath } from 'node:url'
import { RunningProcess, repositoryRoot } from './child-process.ts'

export class ChildHost implements AsyncDisposable {
  readonly url: string
  readonly #process: RunningProcess

  private constructor(url: string, process: RunningProcess) {
    this.url = url
    this.#process = process
  }

  /** `args` are those of `npm run fake-host`. */
  static async start(args: readonly string[]): Promise<ChildHost> {
    const program = fileURLToPath(new URL('../bin/fake-host.ts', import.meta.url))
    const child = new RunningProcess(process.execPath, [program, '--port', '0', ...args], { cwd: repositoryRoot })
    try {
      return new ChildHost(await child.said(/at (http:\S+)\/v1/), child)
    } catch (error) {
      await child[Symbol.asyncDispose]()
      throw error
    }
  }

  /** At once, in the middle of everything; resolves when nothing of it is left. */
  async kill(): Promise<void> {
    this.#process.signal('SIGKILL')
    await this.#process.end()
  }

  /** Its connections stay, and its kernel answers for it; it does nothing. */
  freeze(): void {
    this.#process.signal('SIGSTOP')
  }

  thaw(): void {
    this.#process.signal('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}
