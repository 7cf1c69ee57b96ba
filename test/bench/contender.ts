// One contender in a process of its own, so that what the engine learns of one does no harm to another. It does what it is
// told to: `contender <module of pairs>`.

import { pathToFileURL } from 'node:url'
import { Contender, operationsOf, type Pair, type PairSource } from './measure.ts'
import type { Profile } from './profile.ts'

/** What it can be told. */
export interface Orders {
  make(name: string, prepared: string, contender: string): Promise<Made>
  answers(): Promise<unknown[]>
  countFor(roundMs: number): Promise<number>
  time(count: number): Promise<number>
  profile(count: number): Promise<Profile>
  close(): Promise<void>
}

export interface Made {
  readonly contenders: readonly string[]
  readonly goal: number | null
  readonly per: number
  readonly compared: boolean
}

export interface Order {
  readonly order: keyof Orders
  readonly args: readonly unknown[]
}

export type Reply = { readonly answer: unknown } | { readonly error: string }

let pair: Pair | null = null
let contender: Contender | null = null

function made(): Contender {
  if (contender === null) throw new Error('no pair has been made')
  return contender
}

const orders: Orders = {
  async make(name, prepared, who) {
    const { sources } = (await import(pathToFileURL(process.argv[2] ?? '').href)) as { sources: readonly PairSource[] }
    const source = sources.find((each) => each.name === name)
    if (source === undefined) throw new Error(`there is no pair ${name}`)
    pair = await source.make(prepared)
    contender = new Contender(pair, who)
    const { goal, per = 1, compared = true } = pair
    return { contenders: Object.keys(operationsOf(pair)), goal, per, compared }
  },
  answers: () => made().answers(),
  countFor: (roundMs) => made().countFor(roundMs),
  time: (count) => made().time(count),
  profile: (count) => made().profile(count),
  async close() {
    await pair?.close?.()
  },
}

process.on('message', async ({ order, args }: Order) => {
  const reply = (message: Reply): void => void process.send?.(message)
  try {
    const run = orders[order] as (...args: readonly unknown[]) => Promise<unknown>
    reply({ answer: await run(...args) })
  } catch (error) {
    reply({ error: String(error instanceof Error ? error.stack : error) })
  }
})
process.on('disconnect', () => process.exit())
