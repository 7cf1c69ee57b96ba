import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TlacacocaError } from '../../src/errors.ts'
import type { EndOptions, OurEnd, Wire } from '../support/sans-io.ts'
import { turn, wirePair } from '../support/sans-io.ts'
import { clientTls, only, serverTls, withIdentity } from '../support/sans-io-world.ts'

// However the wire cuts what it carries, and in whatever order its two ends are served, the same comes out: everything that
// was written, in order, and two connections that have finished. If the wire changes something, what comes out is the
// beginning of that.

type Side = 'client' | 'server'
type Step =
  | { readonly kind: 'write'; readonly side: Side; readonly bytes: number }
  | { readonly kind: 'deliver'; readonly side: Side; readonly bytes: number }
  | { readonly kind: 'turn' }
  | { readonly kind: 'finish'; readonly side: Side }

const side = fc.constantFrom<Side>('client', 'server')
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('deliver'), side, bytes: fc.integer({ min: 1, max: 3_000 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('deliver'), side, bytes: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('turn') }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('write'), side, bytes: fc.integer({ min: 0, max: 40_000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('finish'), side }) },
  ),
  { maxLength: 60 },
) as fc.Arbitrary<Step[]>

const setting = fc.record({
  version: fc.constantFrom('TLSv1.2' as const, 'TLSv1.3' as const),
  identity: fc.boolean(),
  returning: fc.boolean(),
  /** For how many turns each side thinks about the other; null for no callback. */
  clientThinks: fc.option(fc.integer({ min: 0, max: 4 })),
  serverThinks: fc.option(fc.integer({ min: 0, max: 4 })),
})
type Setting = typeof setting extends fc.Arbitrary<infer Value> ? Value : never

function thinking(turns: number | null, returning: boolean): EndOptions {
  if (turns === null) return { returning }
  const verify = async (): Promise<void> => {
    for (let count = 0; count < turns; count++) await turn()
  }
  return { returning, verify: turns === 0 ? () => {} : verify }
}

/** A wire that delivers by the byte, and keeps account of what was written. */
class Run {
  readonly wire: Wire
  readonly written = { client: [] as Buffer[], server: [] as Buffer[] }
  /** What is on its way from each side. */
  readonly travelling = { client: Buffer.alloc(0), server: Buffer.alloc(0) }
  #words = 0

  constructor({ version, identity, returning, clientThinks, serverThinks }: Setting) {
    this.wire = wirePair({
      client: clientTls({ ...only(version), ...(identity ? withIdentity() : {}) }),
      server: serverTls({ clientCertificates: 'request' }),
      clientEnd: thinking(clientThinks, returning),
      serverEnd: thinking(serverThinks, returning),
    })
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'turn':
        return turn()
      case 'deliver':
        return this.deliver(step.side, step.bytes)
      case 'write':
        return this.#write(step.side, step.bytes)
      case 'finish':
        return this.#use(step.side, (end) => end.connection.applicationFinished())
    }
  }

  deliver(from: Side, bytes: number): void {
    const [sender, receiver] =
      from === 'client' ? [this.wire.client, this.wire.server] : [this.wire.server, this.wire.client]
    const waiting = Buffer.concat([this.travelling[from], sender.take()])
    this.travelling[from] = waiting.subarray(bytes)
    receiver.receive(waiting.subarray(0, bytes))
  }

  /** Goes on until nothing moves: everything that was written has arrived, or never will. */
  async finish(): Promise<void> {
    for (const each of ['client', 'server'] as const) this.#use(each, (end) => end.connection.applicationFinished())
    for (let idle = 0; idle < 20; idle++) {
      for (const from of ['client', 'server'] as const) {
        this.deliver(from, Number.MAX_SAFE_INTEGER)
        if (this.wire[from].isSilent) this.wire[from === 'client' ? 'server' : 'client'].wireEnded()
      }
      await turn()
    }
  }

  #write(to: Side, bytes: number): void {
    const data = Buffer.alloc(bytes, `${this.#words++} `)
    this.#use(to, (end) => {
      end.connection.dataFromApplication(data)
      this.written[to].push(data)
    })
  }

  /** An end that is over, or has finished, refuses by an error of ours, and by no other. */
  #use(which: Side, call: (end: OurEnd) => void): void {
    try {
      call(this.wire[which])
    } catch (error) {
      expect(error).toBeInstanceOf(TlacacocaError)
    }
  }
}

it('carries everything, in order, however it is cut and whoever is served first', async () => {
  await fc.assert(
    fc.asyncProperty(setting, steps, async (chosen, script) => {
      const run = new Run(chosen)
      for (const step of script) await run.take(step)
      await run.finish()
      const { client, server } = run.wire
      expect(await client.connection.closed).toEqual({ kind: 'finished' })
      expect(await server.connection.closed).toEqual({ kind: 'finished' })
      expect(Buffer.concat(server.plaintext).equals(Buffer.concat(run.written.client))).toBe(true)
      expect(Buffer.concat(client.plaintext).equals(Buffer.concat(run.written.server))).toBe(true)
      for (const end of [client, server]) {
        expect(end.thrown).toEqual([])
        expect(end.closes).toEqual([false])
        expect(end.log.at(-1)).toBe('close(false)')
      }
    }),
    { numRuns: 150 },
  )
}, 120_000)

it('gives out the beginning of what was written and an error of its own, if something on the wire is changed', async () => {
  const damage = fc.record({
    at: fc.nat({ max: 59 }),
    side,
    how: fc.constantFrom('flip' as const, 'drop' as const, 'insert' as const, 'repeat' as const),
    place: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    bit: fc.nat({ max: 7 }),
  })
  await fc.assert(
    fc.asyncProperty(setting, steps, damage, async (chosen, script, { at, side: from, how, place, bit }) => {
      const run = new Run(chosen)
      for (const [index, step] of script.entries()) {
        if (index === at) spoil(run, from, how, place, bit)
        await run.take(step)
      }
      await run.finish()
      for (const [reader, writer] of [
        ['server', 'client'],
        ['client', 'server'],
      ] as const) {
        const end = run.wire[reader]
        const read = Buffer.concat(end.plaintext)
        const written = Buffer.concat(run.written[writer])
        expect(written.subarray(0, read.length).equals(read)).toBe(true)
        for (const error of end.thrown) expect(error).toBeInstanceOf(TlacacocaError)
        const { state } = end.connection
        if (state === 'invalidated') expect(await end.failure()).toBeInstanceOf(TlacacocaError)
        expect(end.closes.length).toBeLessThanOrEqual(1)
      }
    }),
    { numRuns: 150 },
  )
}, 120_000)

function spoil(run: Run, from: Side, how: 'flip' | 'drop' | 'insert' | 'repeat', place: number, bit: number): void {
  const bytes = Buffer.concat([run.travelling[from], run.wire[from].take()])
  const at = Math.floor(place * bytes.length)
  const before = bytes.subarray(0, at)
  const after = bytes.subarray(at)
  const spoilt = {
    flip: () => Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << bit)), after.subarray(1)]),
    drop: () => Buffer.concat([before, after.subarray(1)]),
    insert: () => Buffer.concat([before, Buffer.of(bit), after]),
    repeat: () => Buffer.concat([before, after, after]),
  }
  run.travelling[from] = bytes.length === 0 ? bytes : spoilt[how]()
}
