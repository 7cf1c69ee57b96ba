import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { doInSlices } from '../../src/internal/slices.ts'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { parseAddressList } from '../../src/middleware/address-list.ts'
import { AddressTable } from '../../src/middleware/address-table.ts'
import { BanList } from '../../src/middleware/ban-list.ts'
import { ConnectionLimiter } from '../../src/middleware/connection-limiter.ts'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { request, untyped } from './requests.ts'

const ruleFor = (access: AccessControl, from: string): string => {
  const { allowed, rule } = access.decide(request({ from }))
  return `${allowed ? 'yes' : 'no'}, ${rule}`
}

describe('several lists', () => {
  const access = new AccessControl({
    denyList: ['198.51.100.7'],
    denyLists: { drop: ['203.0.113.0/24'], scanners: ['203.0.113.64/26', '192.0.2.66'] },
    allowList: ['192.0.2.1'],
    allowLists: { office: ['192.0.2.0/24', '2001:db8::/32'], guests: ['192.0.2.64/26', '10.0.0.0/8'] },
  })

  it.each([
    { from: '198.51.100.7', rule: 'no, denyList: 198.51.100.7' },
    // On two deny lists: the one that stands first.
    { from: '203.0.113.65', rule: 'no, denyList drop: 203.0.113.0/24' },
    { from: '192.0.2.66', rule: 'no, denyList scanners: 192.0.2.66' },
    { from: '192.0.2.1', rule: 'yes, allowList: 192.0.2.1' },
    { from: '192.0.2.65', rule: 'yes, allowList office: 192.0.2.0/24' },
    { from: '10.1.1.1', rule: 'yes, allowList guests: 10.0.0.0/8' },
    { from: '2001:db8::1', rule: 'yes, allowList office: 2001:db8::/32' },
    { from: '2001:db9::1', rule: 'no, default' },
  ])('$from: $rule', ({ from, rule }) => {
    expect(ruleFor(access, from)).toBe(rule)
    expect(`${access.opened(parseClientAddress(from)).accept ? 'yes' : 'no'}`).toBe(rule.split(',')[0])
  })

  it('names the rule to the server whose connection it refuses', () => {
    expect(access.opened(parseClientAddress('203.0.113.65'))).toMatchObject({
      accept: false,
      detail: 'denyList drop: 203.0.113.0/24',
    })
  })

  it('names the list in an explanation', () => {
    expect(access.explain(parseClientAddress('203.0.113.65'))).toMatchObject({ decidedBy: 'denyList', list: 'drop' })
    expect(access.explain(parseClientAddress('198.51.100.7'))).toMatchObject({ decidedBy: 'denyList', list: null })
  })

  it('lets nobody else in once there are allow lists, even none of them', () => {
    expect(ruleFor(new AccessControl({ allowLists: {} }), '192.0.2.1')).toBe('no, default')
    expect(ruleFor(new AccessControl({ denyLists: {} }), '192.0.2.1')).toBe('yes, undefined')
    expect(ruleFor(new AccessControl({ allowLists: { none: [] } }), '192.0.2.1')).toBe('no, default')
    expect(ruleFor(new AccessControl({ allowLists: {}, defaultAllow: true }), '192.0.2.1')).toBe('yes, undefined')
  })

  it('says on which list a mistake stands', () => {
    expect(() => new AccessControl({ denyLists: { drop: ['192.0.2.1', '192.0.2.1/8'] } })).toThrow(
      '"denyLists.drop[1]"',
    )
    for (const lists of [null, ['192.0.2.1'], new Map(), { drop: '192.0.2.1' }, { drop: null }, 'x']) {
      expect(() => new AccessControl({ denyLists: untyped(lists) })).toThrow(TypeError)
    }
    const lists = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`list ${i}`, ['192.0.2.1']]))
    expect(() => new AccessControl({ denyLists: lists })).toThrow(RangeError)
  })

  it('takes spans, and lists that were read from text, as well as blocks', () => {
    const list = parseAddressList('203.0.113.5 - 203.0.113.6\n2001:db8::/48\n')
    const guard = new AccessControl({ denyList: ['192.0.2.1-192.0.2.9'], denyLists: { list } })
    expect(ruleFor(guard, '192.0.2.9')).toBe('no, denyList: 192.0.2.8/31')
    expect(ruleFor(guard, '192.0.2.10')).toBe('yes, undefined')
    expect(ruleFor(guard, '203.0.113.6')).toBe('no, denyList list: 203.0.113.6')
    expect(ruleFor(guard, '203.0.113.7')).toBe('yes, undefined')
    expect(ruleFor(guard, '2001:db8::9')).toBe('no, denyList list: 2001:db8::/48')
  })
})

it('exempts from limits and bans whom a list holds that was read from text', () => {
  const exempt = parseAddressList('192.0.2.1 - 192.0.2.6\n')
  const mine = parseClientAddress('192.0.2.5')
  expect(new BanList({ exempt }).ban(mine, 60)).toBe(0)
  const connections = new ConnectionLimiter({ exempt, maxTotal: 1 })
  for (let i = 0; i < 3; i++) expect(connections.opened(mine).accept).toBe(true)
  const limiter = new RateLimiter({ exempt, capacity: 1 })
  for (let i = 0; i < 3; i++) expect(limiter.decide(request({ from: '192.0.2.5' })).allowed).toBe(true)
  expect(new BanList({ exempt }).ban(parseClientAddress('192.0.2.7'), 60)).toBe(60)
})

describe('temporary entries', () => {
  const at = (options: object = {}) => {
    const clock = { ms: 5_000 }
    return { clock, access: new AccessControl({ ...options, clock: () => clock.ms }) }
  }

  it('count until their time is over, to the millisecond', () => {
    const { clock, access } = at()
    access.denyFor('192.0.2.0/24', 10)
    expect(ruleFor(access, '192.0.2.9')).toBe('no, denyList (temporary): 192.0.2.0/24')
    expect(access.opened(parseClientAddress('192.0.2.9')).accept).toBe(false)
    clock.ms += 9_999
    expect(access.explain(parseClientAddress('::ffff:192.0.2.9'))).toMatchObject({
      allowed: false,
      decidedBy: 'denyList',
      secondsLeft: 0.001,
    })
    clock.ms += 1
    expect(ruleFor(access, '192.0.2.9')).toBe('yes, undefined')
    expect(access.temporaryEntries).toEqual([])
  })

  it('stand where the lists of their kind stand: deny, then allow, then default', () => {
    const { access } = at({ denyList: ['192.0.2.66'], allowList: ['192.0.2.0/24'] })
    access.allowFor('192.0.2.66', 60)
    access.allowFor('203.0.113.0/24', 60)
    access.denyFor('192.0.2.7', 60)
    access.denyFor('203.0.113.7', 60)
    expect(ruleFor(access, '192.0.2.66')).toBe('no, denyList: 192.0.2.66')
    expect(ruleFor(access, '192.0.2.7')).toBe('no, denyList (temporary): 192.0.2.7')
    expect(ruleFor(access, '203.0.113.7')).toBe('no, denyList (temporary): 203.0.113.7')
    expect(ruleFor(access, '203.0.113.8')).toBe('yes, allowList (temporary): 203.0.113.0/24')
    expect(ruleFor(access, '192.0.2.8')).toBe('yes, allowList: 192.0.2.0/24')
  })

  it('are named by the most specific one, and by families apart', () => {
    const { access } = at()
    for (const range of ['0.0.0.0/0', '192.0.0.0/16', '192.0.2.0/24', '2001:db8::/32', '2001:db8:1::/48']) {
      access.denyFor(range, 60)
    }
    expect(ruleFor(access, '192.0.2.1')).toBe('no, denyList (temporary): 192.0.2.0/24')
    expect(ruleFor(access, '192.0.3.1')).toBe('no, denyList (temporary): 192.0.0.0/16')
    expect(ruleFor(access, '8.8.8.8')).toBe('no, denyList (temporary): 0.0.0.0/0')
    expect(ruleFor(access, '2001:db8:1::1')).toBe('no, denyList (temporary): 2001:db8:1::/48')
    expect(ruleFor(access, '2001:db8:2::1')).toBe('no, denyList (temporary): 2001:db8::/32')
    expect(ruleFor(access, '::1')).toBe('yes, undefined')
  })

  it('are prolonged and never shortened, and end when they are removed', () => {
    const { clock, access } = at()
    access.denyFor('192.0.2.1', 100)
    access.denyFor('192.0.2.1', 10)
    access.denyFor('192.0.2.2', 10)
    access.denyFor('192.0.2.2', 100)
    clock.ms += 50_000
    const left = access.temporaryEntries.map(({ allowed, range, secondsLeft }) => `${allowed} ${range} ${secondsLeft}`)
    expect(left).toEqual(['false 192.0.2.1 50', 'false 192.0.2.2 50'])
    expect(access.removeTemporary('192.0.2.0/24')).toBe(false)
    expect(access.removeTemporary('192.0.2.1')).toBe(true)
    expect(access.removeTemporary('192.0.2.1')).toBe(false)
    expect(ruleFor(access, '192.0.2.1')).toBe('yes, undefined')
    expect(ruleFor(access, '192.0.2.2')).toBe('no, denyList (temporary): 192.0.2.2')
  })

  it('neither end early nor last longer when the clock is set back', () => {
    const { clock, access } = at()
    access.denyFor('192.0.2.1', 10)
    clock.ms += 4_000
    expect(access.temporaryEntries[0]?.secondsLeft).toBe(6)
    clock.ms -= 1_000_000
    expect(access.temporaryEntries[0]?.secondsLeft).toBe(6)
    clock.ms += 6_000
    expect(ruleFor(access, '192.0.2.1')).toBe('yes, undefined')
  })

  it('make room for one another only where there is none: the one that ends first goes', () => {
    const { clock, access } = at({ maxTemporary: 3 })
    access.denyFor('192.0.2.1', 30)
    access.denyFor('192.0.2.2', 10)
    access.denyFor('192.0.2.3', 20)
    access.denyFor('192.0.2.4', 5)
    const denied = () => access.temporaryEntries.map(({ range }) => String(range)).sort()
    expect(denied()).toEqual(['192.0.2.1', '192.0.2.3', '192.0.2.4'])
    clock.ms += 6_000
    // The last one has ended, so nobody needs to go.
    access.denyFor('192.0.2.5', 1)
    expect(denied()).toEqual(['192.0.2.1', '192.0.2.3', '192.0.2.5'])
    // Those that are allowed take no room from those that are denied.
    for (let i = 0; i < 9; i++) access.allowFor(`203.0.113.${i}`, 1000)
    expect(access.temporaryEntries.filter(({ allowed }) => allowed)).toHaveLength(3)
    expect(ruleFor(access, '192.0.2.1')).toBe('no, denyList (temporary): 192.0.2.1')
  })

  it('are refused if they make no sense', () => {
    const { access } = at()
    for (const seconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => access.denyFor('192.0.2.1', seconds)).toThrow(RangeError)
    }
    expect(() => access.denyFor('192.0.2.1/8', 1)).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_ADDRESS_INVALID' }),
    )
    expect(() => access.denyFor('192.0.2.1', untyped('10'))).toThrow(TypeError)
    expect(access.temporaryEntries).toEqual([])
  })
})

describe('replace', () => {
  it('changes all rules from one moment to the next, and keeps temporary entries', async () => {
    const access = new AccessControl({ denyList: ['192.0.2.0/24'] })
    access.denyFor('198.51.100.1', 60)
    const replaced = access.replace({ allowList: ['192.0.2.0/24'] })
    expect(ruleFor(access, '192.0.2.1')).toBe('no, denyList: 192.0.2.0/24')
    expect(ruleFor(access, '203.0.113.1')).toBe('yes, undefined')
    await replaced
    expect(ruleFor(access, '192.0.2.1')).toBe('yes, allowList: 192.0.2.0/24')
    expect(ruleFor(access, '203.0.113.1')).toBe('no, default')
    expect(ruleFor(access, '198.51.100.1')).toBe('no, denyList (temporary): 198.51.100.1')
  })

  it('keeps the rules that hold if the new ones have a mistake, and goes on afterwards', async () => {
    const access = new AccessControl({ denyList: ['192.0.2.0/24'] })
    await expect(access.replace({ denyList: ['192.0.2.0/33'] })).rejects.toThrow('"denyList[0]"')
    await expect(access.replace(untyped({ denylist: [] }))).rejects.toThrow(TypeError)
    await expect(access.replace(untyped(null))).rejects.toThrow(TypeError)
    const failing = function* () {
      yield '203.0.113.1'
      throw new Error('the list went away')
    }
    await expect(access.replace({ denyList: failing() })).rejects.toThrow('went away')
    expect(ruleFor(access, '192.0.2.1')).toBe('no, denyList: 192.0.2.0/24')
    await access.replace({ denyList: ['203.0.113.1'] })
    expect(ruleFor(access, '192.0.2.1')).toBe('yes, undefined')
  })

  it('ends with what was asked for last, however long each takes', async () => {
    const large = Array.from({ length: 60_000 }, (_, i) => `10.${i >>> 8}.${i & 255}.0/24`)
    const access = new AccessControl()
    const order: number[] = []
    await Promise.all([
      access.replace({ denyList: large }).then(() => order.push(1)),
      access.replace({ denyList: ['192.0.2.1'] }).then(() => order.push(2)),
      expect(access.replace({ denyList: ['nonsense'] })).rejects.toThrow(),
      access.replace({ denyList: ['192.0.2.2'] }).then(() => order.push(3)),
    ])
    // A small one does not wait for a large one, and the large one, late, does not come back.
    expect(order).toEqual([2, 3, 1])
    expect(ruleFor(access, '192.0.2.2')).toBe('no, denyList: 192.0.2.2')
    expect(ruleFor(access, '192.0.2.1')).toBe('yes, undefined')
    expect(ruleFor(access, '10.1.1.1')).toBe('yes, undefined')
  })

  it('keeps nothing of rules that do not hold any more', async () => {
    const access = new AccessControl()
    const list = parseAddressList(Array.from({ length: 20_000 }, (_, i) => `10.${i >>> 8}.${i & 255}.0/24`).join('\n'))
    const bytes = (): number => {
      collectGarbage()
      return process.memoryUsage().arrayBuffers
    }
    await access.replace({ denyList: list })
    const before = bytes()
    for (let i = 0; i < 100; i++) await access.replace({ denyList: list })
    // A hundred tables are some 40 MB.
    await vi.waitFor(() => expect(bytes() - before).toBeLessThan(5e6))
    expect(ruleFor(access, '10.1.1.1')).toBe('no, denyList: 10.1.1.0/24')
  })

  it('lets others have their turn while it reads a large list, and answers them by the old rules', async () => {
    const large = Array.from({ length: 200_000 }, (_, i) =>
      `10.${i >>> 8}.${i & 255}.0/24`.replace(/^10\.(\d+)/, (_, n) => `${10 + (n >> 8)}.${n & 255}`),
    )
    const access = new AccessControl({ allowList: ['192.0.2.1'] })
    let turns = 0
    let done = false
    const watch = (): void => {
      if (done) return
      turns++
      expect(ruleFor(access, '192.0.2.1')).toBe('yes, allowList: 192.0.2.1')
      expect(ruleFor(access, '10.0.0.1')).toBe('no, default')
      setImmediate(watch)
    }
    watch()
    await access.replace({ denyList: large, defaultAllow: true }).then(() => {
      done = true
    })
    expect(turns).toBeGreaterThan(3)
    expect(ruleFor(access, '10.0.0.1')).toBe('no, denyList: 10.0.0.0/24')
    expect(ruleFor(access, '192.0.2.1')).toBe('yes, undefined')
  })
})

describe('a table of a million mixed rules', () => {
  it('takes at most 20 MB', async () => {
    const entries = function* () {
      for (let i = 0; i < 500_000; i++) {
        const w = Math.imul(i, 0x9e3779b1) >>> 0
        yield `${w >>> 24}.${(w >>> 16) & 255}.${(w >>> 8) & 255}.${w & 255}`
        yield `2${(w >>> 20).toString(16).padStart(3, '0')}:${(w & 0xffff).toString(16)}:${(w >>> 16).toString(16)}::/48`
      }
    }
    const table = await doInSlices(AddressTable.build([{ name: 'denyList', tag: 1, ranges: entries() }]))
    expect(table.byteLength).toBeLessThan(20e6)
    expect(table.tagAt(parseClientAddress('0.0.0.0'))).toBe(1)
    // A lower tag around everything leaves nothing else to keep.
    const covered = AddressTable.of(
      { name: 'denyList', tag: 1, ranges: ['0.0.0.0/0', '::/0'] },
      { name: 'allowList', tag: 2, ranges: ['10.0.0.0/8', '2001:db8::/32'] },
    )
    expect(covered.byteLength).toBeLessThan(600)
  })
})

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')
