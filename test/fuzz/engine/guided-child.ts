// The loop itself, in a process of its own: an input may hang or end the process, and whoever started it must find out with
// which one. So each input stands in a file before it is tried.
//
// Inputs run in batches, since to ask V8 what has run takes longer than most of them. Only when a batch has run something
// new is each of its inputs run again alone, to find the one to keep.

import { openSync, readFileSync, writeSync } from 'node:fs'
import { Coverage } from './coverage.ts'
import { materialOf } from './material.ts'
import { minimise } from './minimise.ts'
import { makeInput, mutate } from './mutations.ts'
import { Random } from './random.ts'
import type { FuzzTarget } from './target.ts'

export interface Order {
  readonly target: string
  readonly seed: number
  readonly seconds: number
  readonly maxRuns: number
  /** Where the input stands that is being tried: its length in four bytes, then itself. */
  readonly journal: string
  /** An input to try instead of all else. */
  readonly replay?: string
}

/** What a child says at its end, on one line. */
export type Report =
  | {
      readonly kind: 'done'
      readonly runs: number
      readonly seconds: number
      readonly corpus: number
      readonly covered: number
      readonly slowestMs: number
    }
  | { readonly kind: 'failed'; readonly message: string; readonly input: string; readonly runs: number }

const BATCH = 64

export async function runChild(order: Order, target: FuzzTarget, isMeant: (url: string) => boolean): Promise<Report> {
  Error.stackTraceLimit = 0
  const journal = openSync(order.journal, 'w')
  const attempt = async (input: Uint8Array): Promise<string | null> => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(input.length)
    writeSync(journal, Buffer.concat([head, input]), 0, input.length + 4, 0)
    try {
      await target.run(input)
      return null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  let runs = 0
  const failed = async (input: Uint8Array, message: string): Promise<Report> => {
    // The same failure is one with the same words, whatever numbers are in it.
    const kind = (text: string): string => text.replace(/[0-9]+/g, '#').slice(0, 40)
    const smallest = await minimise(input, async (each) => kind((await attempt(each)) ?? '') === kind(message), 3000)
    return { kind: 'failed', message, input: Buffer.from(smallest).toString('hex'), runs }
  }
  if (order.replay !== undefined) {
    const input = Buffer.from(order.replay, 'hex')
    const message = await attempt(input)
    if (message !== null) return { kind: 'failed', message, input: order.replay, runs: 1 }
    return { kind: 'done', runs: 1, seconds: 0, corpus: 0, covered: 0, slowestMs: 0 }
  }

  const material = await materialOf(target)
  const corpus: Uint8Array[] = [...material.inputs]
  const random = new Random(order.seed)
  const coverage = new Coverage(isMeant)
  const began = performance.now()
  let slowestMs = 0
  const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  for (const input of material.inputs) {
    const message = await attempt(input)
    if (message !== null) return failed(input, message)
  }
  coverage.take(true)
  while (runs < order.maxRuns && performance.now() - began < order.seconds * 1000) {
    const batch = Array.from({ length: BATCH }, () => {
      const grown = { ...material, inputs: corpus }
      // Late finds are where something new may be near.
      const late = corpus[corpus.length - 1 - random.skewed(corpus.length)]
      return random.oneIn(8) || late === undefined ? makeInput(random, grown) : mutate(random, late, grown)
    })
    for (const input of batch) {
      const start = performance.now()
      const message = await attempt(input)
      slowestMs = Math.max(slowestMs, performance.now() - start)
      runs++
      if (message !== null) return failed(input, message)
    }
    if (coverage.take(false) > 0) {
      for (const input of batch) {
        await attempt(input)
        if (coverage.take(true) > 0) corpus.push(input)
      }
    }
    await turn()
  }
  const seconds = (performance.now() - began) / 1000
  return { kind: 'done', runs, seconds, corpus: corpus.length, covered: coverage.size, slowestMs }
}

/** What a child was trying when it ended. */
export function journalled(path: string): Uint8Array {
  const bytes = readFileSync(path)
  return bytes.length < 4 ? bytes : bytes.subarray(4, 4 + bytes.readUInt32BE())
}
