/** The rig on this machine. */
import { SeededRandom } from '../soak/seeded-random.ts'
import { type Calibration, calibrate } from './calibration.ts'
import { startGenerator, startStub } from './load/load-handles.ts'
import type { Cores } from './machine.ts'
import type { Rig } from './rig.ts'
import { type TargetMaker, targetNames } from './targets/target.ts'

export interface RigWanted extends Pick<Rig, 'rounds' | 'scale' | 'soakMinutes' | 'waiting' | 'steps' | 'say'> {
  readonly makers: readonly TargetMaker[]
  readonly cores: Cores
}

/** Notes are kept once each, with how often they were made. */
export class LocalRig implements Rig {
  readonly makers: readonly TargetMaker[]
  readonly cores: Cores
  readonly rounds: number
  readonly scale: number
  readonly soakMinutes: number
  readonly waiting: readonly number[]
  readonly steps: number
  readonly random = new SeededRandom(Date.now())
  readonly say: (line: string) => void
  readonly #notes = new Map<string, number>()
  #calibration: Promise<Calibration> | null = null
  /** Null where no part asked for it. */
  calibrated: Calibration | null = null

  constructor({ makers, cores, rounds, scale, soakMinutes, waiting, steps, say }: RigWanted) {
    this.makers = targetNames.flatMap((name) => makers.filter((maker) => maker.name === name))
    this.cores = cores
    this.rounds = rounds
    this.scale = scale
    this.soakMinutes = soakMinutes
    this.waiting = waiting
    this.steps = steps
    this.say = say
    for (const maker of makers) this.#noteAbsence(maker)
    this.makers = this.makers.filter((maker) => maker.absentBecause() === null)
  }

  get notes(): string[] {
    return [...this.#notes].map(([text, times]) => (times === 1 ? text : `${text} (${times} times)`))
  }

  /** What stands behind its subject may have other numbers from one time to the next; the first are kept. */
  note = (text: string): void => {
    const known = [...this.#notes.keys()].find((other) => withoutNumbers(other) === withoutNumbers(text)) ?? text
    this.#notes.set(known, (this.#notes.get(known) ?? 0) + 1)
  }

  maker(name: TargetMaker['name']): TargetMaker | null {
    return this.makers.find((maker) => maker.name === name) ?? null
  }

  calibration(): Promise<Calibration> {
    this.#calibration ??= calibrate(this).then((found) => (this.calibrated = found))
    return this.#calibration
  }

  stub() {
    return startStub(this.cores.load)
  }

  async generator() {
    return startGenerator(this.cores.load)
  }

  #noteAbsence(maker: TargetMaker): void {
    const reason = maker.absentBecause()
    if (reason !== null) this.note(`without ${maker.name}: ${reason}`)
  }
}

function withoutNumbers(note: string): string {
  const [subject = '', ...rest] = note.split(': ')
  return [subject, ...rest.map((part) => part.replace(/[\d.]+/g, ''))].join(': ')
}
