import { randomBytes } from 'node:crypto'
import { requireFunction, requireInteger, requireOptions, requireString } from '../internal/arguments.ts'
import type { BanList } from '../middleware/ban-list.ts'
import { type ClientAddress, parseClientAddress } from '../names/client-address.ts'
import { AddressSeal } from './address-seal.ts'
import { ADD_BAN, type BanEntry, banReading, isBefore, READ_BANS } from './ban-scripts.ts'
import { commandOf, type RedisClient, type RedisCommand } from './client.ts'
import { ENGINE_OPTIONS, Engine, type EngineCounters, type EngineOptions } from './engine.ts'
import type { FleetSecret } from './key-hash.ts'

/** What {@link shareBans} takes besides a list and a client. */
export interface ShareBansOptions extends EngineOptions {
  /**
   * With which addresses are encrypted in Redis (AES-256-GCM), 16 bytes or more and the same on all servers. Without one
   * they stand there as text.
   */
  readonly secret?: FleetSecret
  /** The key of the bans in Redis. Default `tlacacoca:bans`. */
  readonly key?: string
  /** How often news is looked for, in milliseconds: so long a ban takes to reach the others. Default 1000. */
  readonly pollMs?: number
  /** About how many bans and lifts are kept for servers that start. Default 100,000. */
  readonly maxEntries?: number
}

/** What was shared until now, for monitoring. */
export interface SharedBansCounters extends EngineCounters {
  /** Bans and lifts of this server that were told to the others. */
  readonly told: number
  /** Those of others that were applied here. */
  readonly applied: number
  /** Entries that could not be read: of a server with another secret, or damaged. */
  readonly ignored: number
  /** Bans that were never told, because Redis was away and there were too many of them. */
  readonly dropped: number
}

/** Bans that this server shares with others. */
export interface SharedBans extends AsyncDisposable {
  /** False while Redis is away. Bans then hold on the server that they began on, and are told later. */
  readonly isUp: boolean
  readonly counters: SharedBansCounters
  /** Tells and asks now what would be told and asked within `pollMs`. Never rejects. */
  sync(): Promise<void>
  /** Tells what was not told yet, and ends the sharing. Bans that run go on. */
  close(): Promise<void>
}

/**
 * Shares a list of bans with other servers: whoever is banned by one, by offences or by hand, is banned by all soon after,
 * and whoever is lifted by one is lifted by all. Each server keeps its own list, so that a guard can ask it without waiting,
 * and all bans that run are loaded before this resolves, unless Redis is away.
 *
 * Exemptions and prefix lengths are each list's own. A ban from elsewhere is no step towards longer bans here.
 *
 * While Redis is away, or too slow, every server goes by what it knows. What began meanwhile is told when Redis is back, up
 * to 10,000 bans. Where Redis has forgotten, the servers have not: only one that starts then does not hear of older bans.
 *
 * @throws {RangeError} If a number is out of its range, or the secret too short.
 * @example
 * import { BanList } from 'tlacacoca/middleware'
 * import { type RedisClient, shareBans } from 'tlacacoca/redis'
 *
 * export async function bansOfFleet(client: RedisClient, secret: string): Promise<BanList> {
 *   const bans = new BanList()
 *   await shareBans(bans, client, { secret, onEvent: (event) => console.log(`Redis: ${event.kind}`) })
 *   return bans
 * }
 */
export async function shareBans(
  bans: Pick<BanList, 'ban' | 'lift' | 'watch'>,
  client: RedisClient,
  options: ShareBansOptions = {},
): Promise<SharedBans> {
  for (const method of ['ban', 'lift', 'watch'] as const) requireFunction(`bans.${method}`, bans?.[method])
  requireOptions('options', options, ['secret', 'key', 'pollMs', 'maxEntries', ...ENGINE_OPTIONS])
  const sharing = new Sharing(bans, commandOf(client), options)
  await sharing.sync()
  return sharing
}

/** What a client is to be told of: until when by the process's clock, 0 for a lift. */
interface Untold {
  readonly untilMs: number
}

class Sharing implements SharedBans {
  readonly #bans: Pick<BanList, 'ban' | 'lift' | 'watch'>
  readonly #command: RedisCommand
  readonly #engine: Engine
  readonly #seal: AddressSeal
  readonly #key: string
  readonly #maxEntries: number
  /** By which a server knows its own entries. */
  readonly #origin = randomBytes(9).toString('base64url')
  readonly #timer: NodeJS.Timeout
  readonly #unwatch: () => void
  /** What happened last to each client, in the order in which it happened. */
  readonly #untold = new Map<string, Untold>()
  /** About whom others have said something, perhaps after we did and before Redis heard of it. */
  readonly #disputed = new Set<string>()
  /** How much has happened here. */
  #noted = 0
  #cursor = START
  #isApplying = false
  #telling: Promise<void> | null = null
  #reading: Promise<void> | null = null
  #told = 0
  #applied = 0
  #ignored = 0
  #dropped = 0

  constructor(bans: Pick<BanList, 'ban' | 'lift' | 'watch'>, command: RedisCommand, options: ShareBansOptions) {
    const { secret, key = 'tlacacoca:bans', pollMs = 1000, maxEntries = 100_000 } = options
    requireString('key', key)
    requireInteger('pollMs', pollMs, 1, 86_400_000)
    requireInteger('maxEntries', maxEntries, 1, 1e9)
    this.#bans = bans
    this.#command = command
    this.#engine = new Engine(options)
    this.#seal = new AddressSeal(secret)
    this.#key = key
    this.#maxEntries = maxEntries
    this.#unwatch = bans.watch((address, seconds) => this.#noteOwn(address, seconds))
    this.#timer = setInterval(() => this.sync(), pollMs).unref()
  }

  get isUp(): boolean {
    return this.#engine.isUp
  }

  get counters(): SharedBansCounters {
    return {
      ...this.#engine.counters,
      told: this.#told,
      applied: this.#applied,
      ignored: this.#ignored,
      dropped: this.#dropped,
    }
  }

  async sync(): Promise<void> {
    if (!this.#engine.isUp) {
      this.#engine.probe(() => this.#read(), banReading)
      return
    }
    await this.#tell()
    this.#reading ??= this.#readNews().finally(() => {
      this.#reading = null
    })
    await this.#reading
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#unwatch()
    await this.#tell()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #noteOwn(address: ClientAddress, seconds: number): void {
    if (this.#isApplying) return
    const who = address.toString()
    this.#noted++
    this.#untold.delete(who)
    if (this.#untold.size >= MAX_UNTOLD) this.#dropped++
    else this.#untold.set(who, { untilMs: seconds === 0 ? 0 : performance.now() + seconds * 1000 })
    void this.#tell()
  }

  /** Tells the others what they have not been told, as long as Redis answers. */
  #tell(): Promise<void> {
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = null
    })
    return this.#telling
  }

  async #tellAll(): Promise<void> {
    while (this.#untold.size > 0 && this.#engine.isUp) {
      const batch = [...this.#untold].slice(0, BATCH)
      const outcomes = await Promise.allSettled(batch.map(([who, untold]) => this.#tellOne(who, untold)))
      // What failed is tried again later. Its error was told as an event.
      if (outcomes.some(({ status }) => status === 'rejected')) return
    }
  }

  async #tellOne(who: string, untold: Untold): Promise<void> {
    const seconds = untold.untilMs === 0 ? 0 : Math.ceil((untold.untilMs - performance.now()) / 1000)
    if (seconds > 0 || untold.untilMs === 0) {
      const args = [this.#seal.seal(who), String(seconds), this.#origin, String(this.#maxEntries)]
      await this.#engine.ask(() => ADD_BAN.run(this.#command, this.#key, args), unread)
      this.#told++
    }
    // Unless something else happened to the client meanwhile.
    if (this.#untold.get(who) === untold) this.#untold.delete(who)
  }

  async #readNews(): Promise<void> {
    const noted = this.#noted
    const allTold = this.#untold.size === 0
    try {
      for (;;) {
        const { now, lastId, entries } = await this.#engine.ask(() => this.#read(), banReading)
        if (isBefore(lastId, this.#cursor)) {
          // The stream has expired, or Redis has forgotten some of it. What is there is read again.
          this.#cursor = START
          if (lastId === START) return
          continue
        }
        for (const entry of entries) this.#apply(entry, now)
        this.#cursor = entries.at(-1)?.id ?? this.#cursor
        if (entries.length < PAGE) break
      }
      // Only if whatever happened here was in the stream before it was read: else our entry is still to come.
      if (allTold && noted === this.#noted) this.#disputed.clear()
    } catch {
      // Told as an event, and tried again with the next reading.
    }
  }

  #read(): Promise<unknown> {
    return READ_BANS.run(this.#command, this.#key, [this.#cursor, String(PAGE)])
  }

  #apply({ who, until, by }: BanEntry, now: number): void {
    const address = addressOf(this.#seal.open(who))
    if (address === null || !Number.isSafeInteger(until)) {
      this.#ignored++
      return
    }
    const text = address.toString()
    // Own entries count only after those of others about the same client: then all go by the order in the stream.
    if (by === this.#origin && !this.#disputed.has(text)) return
    this.#disputed.add(text)
    const seconds = Math.min(Math.ceil((until - now) / 1000), MAX_SECONDS)
    if (until > 0 && seconds <= 0) return
    this.#isApplying = true
    try {
      if (until === 0) this.#bans.lift(address)
      else this.#bans.ban(address, seconds)
      if (by !== this.#origin) this.#applied++
    } finally {
      this.#isApplying = false
    }
  }
}

function unread(): void {}

function addressOf(text: string | null): ClientAddress | null {
  try {
    return text === null ? null : parseClientAddress(text)
  } catch {
    return null
  }
}

const START = '0-0'
/** How many entries are read at once: some 100 KB, and a millisecond of Redis. */
const PAGE = 1000
/** How many are told at once. */
const BATCH = 100
const MAX_UNTOLD = 10_000
/** The longest ban that a list takes. */
const MAX_SECONDS = 3e9
