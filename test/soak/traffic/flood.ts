// One address that asks much too often: some answers, then refusals, and where there are bans no connection at all.

import type { Exchange, Script } from '../targets/target.ts'
import type { Kind } from './kind.ts'
import { isRight, type Visit } from './visit.ts'

const REQUESTS = 50
const AT_ONCE = 5

export function floodKinds(script: Script): Kind[] {
  return [{ name: 'a flood', group: 'flood', weight: 1, run: (visit) => flood(visit, script) }]
}

async function flood(visit: Visit, { good, limited, bans }: Script): Promise<void> {
  const [exchange] = good
  if (exchange === undefined) return
  let [answered, refused, shutOut, left] = [0, 0, 0, REQUESTS]
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      // Who is shut out sees the connection closed, before or after it was there.
      const answer = await once(visit, exchange).catch(() => '')
      if (answer === '') shutOut++
      else if (limited.test(answer)) refused++
      else {
        isRight(exchange, answer)
        answered++
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  if (answered === 0 || refused === 0 || (bans && shutOut === 0)) {
    throw new Error(`${answered} answered, ${refused} refused, ${shutOut} shut out`)
  }
}

async function once(visit: Visit, exchange: Exchange): Promise<string> {
  const { stream } = await visit.open(await visit.identity(exchange.visitor))
  stream.write(exchange.request)
  const answer = await visit.rest(stream)
  stream.destroy()
  return answer
}
