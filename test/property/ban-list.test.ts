import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BanList } from '../../src/middleware/ban-list.ts'
import { ClientAddress } from '../../src/names/client-address.ts'

const FIRST = 10
const FACTOR = 3
const LONGEST = 200
const FORGET_MS = 50_000
const TOLERATED = 2
/** Offences are forgiven one every four seconds. */
const FORGIVE_MS = 4000

/** The rules as one would say them, for one client, on a time that only goes forward. */
class ModelClient {
  #offences = 0
  #steps = 0
  #until = 0
  #now = 0

  pass(ms: number): void {
    for (let left = ms; left > 0; ) {
      // From one moment to the next at which something happens by itself.
      const untilEnd = this.#until > this.#now ? this.#until - this.#now : Number.POSITIVE_INFINITY
      const step = Math.min(left, untilEnd)
      this.#now += step
      this.#offences = Math.max(0, this.#offences - step / FORGIVE_MS)
      left -= step
    }
  }

  get left(): number {
    return this.#until > this.#now ? Math.ceil((this.#until - this.#now) / 1000) : 0
  }

  report(): number {
    if (this.left > 0) return this.left
    if (this.#offences + 1 <= TOLERATED) {
      this.#offences += 1
      return 0
    }
    const forgotten = Math.floor((this.#now - this.#until) / FORGET_MS)
    const steps = this.#until === 0 ? 0 : Math.max(0, this.#steps - forgotten)
    const seconds = Math.min(LONGEST, FIRST * FACTOR ** steps)
    this.#steps = Math.min(3, steps + 1)
    this.#until = this.#now + seconds * 1000
    this.#offences = 0
    return seconds
  }
}

const events = fc.array(
  fc.record({
    client: fc.integer({ min: 0, max: 3 }),
    // Multiples of a second, so that the model's fractions of an offence are exact.
    stepMs: fc.oneof(
      fc.constant(0),
      fc.integer({ min: -50, max: 50 }).map((s) => s * 1000),
      fc.integer({ min: 0, max: 400 }).map((s) => s * 1000),
    ),
  }),
  { minLength: 1, maxLength: 120 },
)

it('bans exactly whom the rules ban, for as long as they say, whatever the clock does', () => {
  fc.assert(
    fc.property(events, (list) => {
      const time = { ms: 1e7 }
      const bans = new BanList({
        tolerated: TOLERATED,
        forgivenPerSecond: 1000 / FORGIVE_MS,
        firstBanSeconds: FIRST,
        factor: FACTOR,
        maxBanSeconds: LONGEST,
        forgetAfterSeconds: FORGET_MS / 1000,
        maxKeys: 1024,
        clock: () => time.ms,
      })
      const models = Array.from({ length: 4 }, () => new ModelClient())
      for (const { client, stepMs } of list) {
        time.ms += stepMs
        if (stepMs > 0) for (const model of models) model.pass(stepMs)
        // Another address of the same network each time.
        const address = ClientAddress.fromWords(6, 0x20010db8, client, time.ms, stepMs)
        const model = models[client] as ModelClient
        expect(bans.secondsLeft(address)).toBe(model.left)
        expect(bans.report(address)).toBe(model.report())
        expect(bans.opened(address).accept).toBe(model.left === 0)
      }
    }),
  )
})

it('keeps every ban that runs while fewer run than there is room for in a set', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer(), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer(), { maxLength: 300 }),
      (banned, others) => {
        const time = { ms: 0 }
        const bans = new BanList({ maxKeys: 8, tolerated: 1000, clock: () => time.ms })
        const ofBanned = (word: number): ClientAddress => ClientAddress.fromWords(4, 0, 0, 0, word)
        for (const word of banned) bans.ban(ofBanned(word), 1000)
        for (const word of others) {
          time.ms += 1
          bans.report(ClientAddress.fromWords(6, 0x20010db8, word, 0, 0))
          expect(banned.every((each) => bans.secondsLeft(ofBanned(each)) > 0)).toBe(true)
        }
      },
    ),
  )
})
