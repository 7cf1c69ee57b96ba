// Bans in Redis: one stream, of which every server reads what is new to it. A stream and not messages (`PUBLISH`): who was
// away for a while finds there what he has missed, and no second connection is needed to listen.
//
// An entry says who is banned until when, by the clock of Redis; no other clock counts. An entry for the time 0 lifts. The
// stream expires when its longest ban is over, and holds no more than so many entries.

import { Script } from './script.ts'

/** ARGV: who; for how many seconds, 0 to lift; by whom it is said; how many entries are kept. */
export const ADD_BAN = new Script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ms = tonumber(ARGV[2]) * 1000
local ends = 0
if ms > 0 then ends = now + ms end
local fields = { 'who', ARGV[1], 'until', string.format('%.0f', ends), 'by', ARGV[3] }
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', unpack(fields))
if ms < 60000 then ms = 60000 end
if redis.call('PTTL', KEYS[1]) < ms then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ms)) end
return 1
`)

/**
 * ARGV: the id of the last entry that was read; how many to read at most. Answers the time in milliseconds, the id of the
 * last entry there is, and the entries after the one that was read: id, who, until, by, four texts for each.
 */
export const READ_BANS = new Script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local id = '0-0'
if last[1] then id = last[1][1] end
local flat = {}
local read = redis.call('XREAD', 'COUNT', ARGV[2], 'STREAMS', KEYS[1], ARGV[1])
if read then
  for _, entry in ipairs(read[1][2]) do
    local fields = entry[2]
    for _, text in ipairs({ entry[1], fields[2] or '', fields[4] or '', fields[6] or '' }) do flat[#flat + 1] = text end
  end
end
return { string.format('%.0f', now), id, flat }
`)

/** What one reading gave. */
export interface BanReading {
  readonly now: number
  readonly lastId: string
  readonly entries: readonly BanEntry[]
}

export interface BanEntry {
  readonly id: string
  readonly who: string
  /** By the clock of Redis, in milliseconds; 0 to lift. */
  readonly until: number
  readonly by: string
}

/** Takes an answer of {@link READ_BANS} apart, or throws a `TypeError`. */
export function banReading(answer: unknown): BanReading {
  const [now, lastId, flat] = listOf(answer)
  const texts = listOf(flat).map(textOf)
  const entries: BanEntry[] = []
  for (let i = 0; i + 3 < texts.length; i += 4) {
    const [id = '', who = '', until = '', by = ''] = texts.slice(i, i + 4)
    entries.push({ id, who, until: millisecondsOf(until), by })
  }
  const time = millisecondsOf(textOf(now))
  if (Number.isNaN(time)) throw new TypeError('Redis answered something else than a time')
  return { now: time, lastId: textOf(lastId), entries }
}

/** Whether one id of a stream comes before another: `milliseconds-number`. */
export function isBefore(a: string, b: string): boolean {
  const [[a0 = 0, a1 = 0], [b0 = 0, b1 = 0]] = [a.split('-').map(Number), b.split('-').map(Number)]
  return a0 < b0 || (a0 === b0 && a1 < b1)
}

/** NaN for what is none. By the digits: `Number` would make an empty text 0, which lifts. */
function millisecondsOf(text: string): number {
  return /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError('Redis answered something else than a list')
  return value
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  throw new TypeError('Redis answered something else than a text')
}
