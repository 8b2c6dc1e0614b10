/** The targets of one run: gateways are copied and built beforehand, so that whoever edits a file meanwhile changes nothing. */
import { join } from 'node:path'
import { type BenchArguments, metricsOffName } from '../bench-arguments.ts'
import { build, type Checkout, checkOutCommit, copyWorkingTree, wantsOtherPackages } from '../checkout.ts'
import { asItComes, everythingOn, metricsOff, type Watching } from '../watching.ts'
import { directMaker } from './direct.ts'
import { GatewayMaker } from './gateway-maker.ts'
import { proxyMakers } from './proxies.ts'
import type { TargetMaker } from './target.ts'

export interface Makers {
  readonly makers: readonly TargetMaker[]
  /** For people. */
  readonly notes: readonly string[]
  readonly gatewayRuns: string
}

export async function makersOf(
  { baseline, fromSource }: Pick<BenchArguments, 'baseline' | 'fromSource'>,
  folder: string,
): Promise<Makers> {
  const gateway = (name: 'baseline' | 'gateway', checkout: Checkout, watching: Watching) =>
    makeGateway(name, { checkout, watching, fromSource })
  const isWatched = baseline === metricsOffName
  const gateways: GatewayMaker[] = []
  const notes: string[] = []
  if (baseline !== null) {
    const at = join(folder, 'baseline')
    const checkout = isWatched ? await copyWorkingTree(at) : await checkOutCommit(baseline, at)
    gateways.push(await gateway('baseline', checkout, isWatched ? metricsOff : asItComes))
    if (!isWatched && (await wantsOtherPackages(baseline))) {
      notes.push(`${checkout.commit} was made for other packages, and ran on those of the working tree`)
    }
  }
  const workingTree = await copyWorkingTree(join(folder, 'gateway'))
  gateways.push(await gateway('gateway', workingTree, isWatched ? everythingOn : asItComes))
  return {
    makers: [directMaker, ...proxyMakers(folder), ...gateways],
    notes: [...notes, ...gateways.flatMap((maker) => maker.notes)],
    gatewayRuns: `${fromSource ? 'from their TypeScript' : 'compiled, as they are shipped'}, with a key that has limits, line, ledger, metrics and the access log as JSON`,
  }
}

async function makeGateway(
  name: 'baseline' | 'gateway',
  { checkout, watching, fromSource }: { checkout: Checkout; watching: Watching; fromSource: boolean },
): Promise<GatewayMaker> {
  const launcher = fromSource ? join(checkout.folder, 'src', 'launch.js') : await build(checkout)
  return GatewayMaker.make({ name, checkout, launcher, watching })
}
