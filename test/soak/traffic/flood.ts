// One address that asks much too often: some answers, then refusals, and where there are bans no connection at all.

import type { Script } from '../targets/target.ts'
import type { Kind } from './kind.ts'
import { isRight, type Visit } from './visit.ts'

const REQUESTS = 50
const AT_ONCE = 5

export function floodKinds(script: Script): Kind[] {
  return [{ name: 'a flood', group: 'flood', weight: 1, run: (visit) => flood(visit, script) }]
}

async function flood(visit: Visit, { good, limited }: Script): Promise<void> {
  const [exchange] = good
  if (exchange === undefined) return
  let [answered, refused, shutOut, left] = [0, 0, 0, REQUESTS]
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const opened = await visit.open(await visit.identity(exchange.visitor)).catch(() => null)
      if (opened === null) {
        shutOut++
        continue
      }
      opened.stream.write(exchange.request)
      const answer = await visit.rest(opened.stream)
      if (limited.test(answer)) refused++
      else {
        isRight(exchange, answer)
        answered++
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  if (answered === 0 || refused === 0) throw new Error(`${answered} answered, ${refused} refused, ${shutOut} shut out`)
  if (!visitMayBeShutOut(visit) && shutOut > 0) throw new Error(`${shutOut} could not connect`)
}

function visitMayBeShutOut({ script }: Visit): boolean {
  return script.bans
}
