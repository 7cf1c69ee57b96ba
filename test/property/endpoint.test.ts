import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { normalizeHost } from '../../src/names/host.ts'

const ports = fc.integer({ min: 1, max: 65535 })
const names = fc.domain()
const hosts = fc.oneof(names, fc.ipV4(), fc.ipV6())
/** Texts that may or may not be hosts: international ones, broken ones, and ones with what a URL gives a meaning to. */
const anything = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc
    .array(
      fc.constantFrom('a', 'B', 'ü', 'ß', '1', '0x', '.', '。', '-', '_', '%', ':', '/', '@', '[', ']', 'xn--', '１'),
    )
    .map((p) => p.join('')),
)

function tryNormalize(text: string): string | null {
  try {
    return normalizeHost(text)
  } catch {
    return null
  }
}

it('reads back what it writes', () => {
  fc.assert(
    fc.property(hosts, ports, (host, port) => {
      const endpoint = endpointFrom(host, port)
      expect(parseEndpoint(endpoint.toString()).equals(endpoint)).toBe(true)
      expect(endpointFrom(endpoint.host, port).toString()).toBe(endpoint.toString())
    }),
  )
})

it('has one form for all spellings of a name', () => {
  fc.assert(
    fc.property(names, fc.infiniteStream(fc.boolean()), fc.boolean(), (name, flips, dot) => {
      const mixed = [...name].map((c) => (flips.next().value ? c.toUpperCase() : c)).join('')
      expect(normalizeHost(mixed + (dot ? '.' : ''))).toBe(normalizeHost(name))
    }),
  )
})

it('changes nothing in what it has normalized, whatever that was', () => {
  fc.assert(
    fc.property(anything, (text) => {
      const host = tryNormalize(text)
      if (host !== null) expect(normalizeHost(host)).toBe(host)
    }),
    { numRuns: 20_000 },
  )
})

it('gives only names and addresses, in lower-case ASCII', () => {
  fc.assert(
    fc.property(anything, (text) => {
      const host = tryNormalize(text)
      if (host === null || isIP(host) !== 0) return
      expect(host).toMatch(
        /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/,
      )
    }),
    { numRuns: 20_000 },
  )
})

it('means what the URL parser means, or refuses', () => {
  fc.assert(
    fc.property(anything, (text) => {
      const host = tryNormalize(text)
      // A mapped address is unwrapped here and is not there.
      if (host === null || text.includes(':')) return
      expect(new URL(`http://${text}/`).hostname.replace(/\.$/, '')).toBe(host)
    }),
    { numRuns: 20_000 },
  )
})
