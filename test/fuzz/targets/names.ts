// Names and addresses: whatever comes in by the network or a list.

import { BlockList, isIP } from 'node:net'
import { InvalidNameError } from '../../../src/errors.ts'
import { parseAddressRange } from '../../../src/names/address-range.ts'
import { parseAddressSpan } from '../../../src/names/address-span.ts'
import { ClientAddress, parseClientAddress } from '../../../src/names/client-address.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { normalizeHost } from '../../../src/names/host.ts'
import { parseRequestPath } from '../../../src/names/request-path.ts'
import { parseTarget, targetFromParts } from '../../../src/names/request-target.ts'
import { readTitanParameters } from '../../../src/names/titan-parameters.ts'
import { type FuzzTarget, hold, reading, same } from '../engine/target.ts'
import { textOf } from '../engine/text.ts'

const HOST_WORDS = ['xn--', 'xn--bcher-kva', '0x7f', '127.1', '。', '１', 'ß', '\u00ad', '%41', '[::1]', 'localhost']
const ADDRESS_WORDS = ['::', '::ffff:', '0.0.0.0', '255', '%eth0', 'ffff', '/0', '/32', '/128', ':0:', '.1']

export const endpoint: FuzzTarget = {
  name: 'endpoint',
  source: ['names/endpoint.ts', 'names/host.ts', 'names/ip-literal.ts'],
  holds: 'writes what it reads back; with a default port it reads no less',
  shape: 'text',
  seeds: () => [
    'example.org:1965',
    '[2001:db8::1]:1',
    '192.0.2.1:65535',
    'BÜCHER.example.:300',
    '[::ffff:192.0.2.1]:80',
  ],
  words: HOST_WORDS,
  run(input) {
    const text = textOf(input)
    return reading(
      () => parseEndpoint(text),
      [InvalidNameError],
      (read) => {
        const written = read.toString()
        same(parseEndpoint(written).toString(), written, 'read again')
        hold(read.port >= 1 && read.port <= 65535, `port ${read.port}`)
        same(read.isAddress, isIP(read.host) !== 0, 'an address to node:net')
        same(parseEndpoint(text, { defaultPort: 1 }).toString(), written, 'with a default port')
      },
    )
  },
}

export const host: FuzzTarget = {
  name: 'host',
  source: ['names/host.ts', 'names/ip-literal.ts'],
  holds: 'canonical form stays itself, is lower-case ASCII, and is the host that `URL` finds',
  shape: 'text',
  seeds: () => [
    'example.org',
    'BÜCHER.example.',
    '192.0.2.1',
    '2001:db8::1',
    '[::1]',
    'xn--bcher-kva.example',
    'a_b.example',
  ],
  words: HOST_WORDS,
  run(input) {
    const text = textOf(input)
    return reading(
      () => normalizeHost(text),
      [InvalidNameError],
      (read) => {
        same(normalizeHost(read), read, 'read again')
        hold(read.length <= 253, 'longer than a name can be')
        if (isIP(read) !== 0) return
        hold(NAME.test(read), `no name: ${read}`)
        same(new URL(`http://${text}/`).hostname.replace(/\.$/, ''), read, 'the host that URL finds')
      },
    )
  },
}

const NAME = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/

export const clientAddress: FuzzTarget = {
  name: 'client-address',
  source: ['names/client-address.ts', 'names/ip-literal.ts'],
  holds: 'accepts what `node:net` accepts and no more, zone ids apart; writes what it reads back',
  shape: 'text',
  seeds: () => ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1', 'fe80::1%eth0', '1:2:3:4:5:6:7:8', '::1.2.3.4', '::'],
  words: ADDRESS_WORDS,
  run(input) {
    const text = textOf(input)
    const outcome = reading(
      () => parseClientAddress(text),
      [InvalidNameError],
      (read) => {
        const written = read.toString()
        same(isIP(written), read.family, 'the family to node:net')
        same(parseClientAddress(written).toString(), written, 'read again')
        hold(parseClientAddress(written).equals(read), 'equal to itself')
      },
    )
    // Node takes letters, digits, `-`, `.` and `:` for a zone; interface names have more than that.
    if (!text.includes('%')) same(outcome === 'read', isIP(text) !== 0, 'an address to node:net')
    return outcome
  },
}

export const addressRange: FuzzTarget = {
  name: 'address-range',
  source: ['names/address-range.ts', 'names/ip-literal.ts'],
  holds:
    'writes what it reads back; contains its first address; `BlockList` of `node:net` agrees on that address and its neighbour',
  shape: 'text',
  seeds: () => ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1', '::ffff:10.0.0.0/104', '0.0.0.0/0', '::/0', '::1/128'],
  words: ADDRESS_WORDS,
  run(input) {
    const text = textOf(input)
    return reading(
      () => parseAddressRange(text),
      [InvalidNameError],
      (read) => {
        const written = read.toString()
        const again = parseAddressRange(written)
        same(again.toString(), written, 'read again')
        hold(again.equals(read), 'equal to itself')
        hold(read.contains(read.first), 'contains its first address')
        const list = new BlockList()
        const family = read.family === 4 ? 'ipv4' : 'ipv6'
        // Node 20 takes a prefix of 0 for none at all.
        if (read.prefixLength === 0) return
        list.addSubnet(read.first.toString(), read.prefixLength, family)
        const { w0, w1, w2, w3 } = read.first
        const beside = ClientAddress.fromWords(read.family, w0, w1, w2, (w3 ^ 1) >>> 0)
        for (const address of [read.first, beside]) {
          if (address.family !== read.family) continue
          same(read.contains(address), list.check(address.toString(), family), `${address} to node:net`)
        }
      },
    )
  },
}

export const addressSpan: FuzzTarget = {
  name: 'address-span',
  source: ['names/address-span.ts', 'names/address-range.ts', 'names/ip-literal.ts'],
  holds: 'at most 254 blocks in ascending order, each of which is read again as itself; the ends are in them',
  shape: 'text',
  seeds: () => [
    '192.0.2.1-192.0.2.9',
    '2001:db8::1 - 2001:db8::ffff',
    '::1-ffff::1',
    '10.0.0.0/8',
    '0.0.0.1-255.255.255.254',
  ],
  words: [...ADDRESS_WORDS, '-', ' - '],
  run(input) {
    const text = textOf(input)
    return reading(
      () => parseAddressSpan(text),
      [InvalidNameError],
      (blocks) => {
        const [first] = blocks
        const last = blocks.at(-1)
        const isIPv4 = first?.family === 4
        hold(blocks.length <= (isIPv4 ? 62 : 254), `${blocks.length} blocks`)
        let before = -1n
        for (const block of blocks) {
          const start = numberOf(block.first)
          hold(start > before, 'ascending and apart')
          before = start + (1n << BigInt((block.family === 4 ? 32 : 128) - block.prefixLength)) - 1n
          same(String(parseAddressSpan(block.toString())), block.toString(), 'read again')
        }
        const hyphen = text.indexOf('-')
        if (hyphen < 0) return
        const ends = [text.slice(0, hyphen), text.slice(hyphen + 1)].map((end) => parseClientAddress(end.trim()))
        // Ends that are mapped addresses are those of IPv4.
        same(first?.first.toString(), ends[0]?.toString(), 'the first address')
        hold(last !== undefined && ends[1] !== undefined && last.contains(ends[1]), 'the last address')
        same(before, ends[1] === undefined ? null : numberOf(ends[1]), 'nothing behind the last address')
      },
    )
  },
}

function numberOf({ w0, w1, w2, w3 }: ClientAddress): bigint {
  return (BigInt(w0) << 96n) | (BigInt(w1) << 64n) | (BigInt(w2) << 32n) | BigInt(w3)
}

export const requestPath: FuzzTarget = {
  name: 'request-path',
  source: ['names/request-path.ts', 'names/percent.ts'],
  holds:
    'no segment is empty, a dot segment, or has a separator or control; encoded and read again it is the same path',
  shape: 'text',
  seeds: () => ['/', '/club/rules', '/a/./b/../%61/', '/%c3%bc/ü', '//a///b', '/a;b=c', '/%25'],
  words: ['%2e', '%2E%2e', '/../', '/./', '%c3', '%00', '%ff', '%2f', '%5c'],
  run(input) {
    const text = textOf(input)
    return reading(
      () => parseRequestPath(text),
      [InvalidNameError],
      (read) => {
        for (const name of read.segments) {
          hold(name !== '' && name !== '.' && name !== '..', `the segment ${JSON.stringify(name)}`)
          hold(!/[\0-\x1f\x7f-\x9f/\\]/.test(name), `the segment ${JSON.stringify(name)}`)
        }
        const encoded = `/${read.segments.map(encodeURIComponent).join('/')}${read.isDirectory ? '/' : ''}`
        const again = parseRequestPath(encoded)
        hold(again.equals(read) && again.toString() === read.toString(), `${encoded} is another path`)
      },
    )
  },
}

const TARGETS = { schemes: { gemini: 1965, titan: 1965, scroll: 5699 }, served: 'any' } as const

export const requestTarget: FuzzTarget = {
  name: 'request-target',
  source: ['names/request-target.ts', 'names/titan-parameters.ts', 'names/request-path.ts', 'names/endpoint.ts'],
  holds: 'finds the host and port that `URL` finds; put together again from its parts, it is the same target',
  shape: 'text',
  seeds: () => [
    'gemini://example.org/',
    'gemini://EXAMPLE.org.:1966/a/../b?query%20x',
    'titan://example.org/up;size=10;mime=text/plain;token=a%2fb',
    'scroll://[2001:db8::1]:5699/x/',
    'gemini://192.0.2.1',
    'gemini://bücher.example/ü?',
  ],
  words: [...HOST_WORDS, '://', '@', ';size=', ';mime=', ';token=', '%2e%2e', '?', '#', '\\'],
  run(input) {
    const text = textOf(input)
    return reading(
      () => parseTarget(text, TARGETS),
      [InvalidNameError],
      (read) => {
        // For `https` the URL parser brings hosts into canonical form, so the two can be compared.
        const url = new URL(text.replace(/^[a-z]+:/i, 'https:'))
        const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
        // A mapped address is unwrapped here and is not there.
        if (!host.startsWith('::ffff:')) same(read.endpoint.host, host, 'the host to URL')
        same(url.username + url.password + url.hash, '', 'what the URL has besides')
        const port = /^[^/]*\/\/[^/?]*:([0-9]+)(?:[/?]|$)/.exec(text)?.[1]
        same(
          read.endpoint.port,
          port === undefined ? TARGETS.schemes[read.scheme as 'gemini'] : Number(port),
          'the port',
        )
        const path =
          text
            .slice(text.indexOf('://') + 3)
            .replace(/^[^/?]*/, '')
            .split('?')[0] ?? ''
        const again = targetFromParts(
          { scheme: read.scheme, host: String(read.endpoint), port: 1, path, query: read.query },
          TARGETS,
        )
        hold(again.path.equals(read.path) && again.endpoint.equals(read.endpoint), 'the same of parts')
        same(JSON.stringify([...again.parameters]), JSON.stringify([...read.parameters]), 'the parameters of parts')
      },
    )
  },
}

export const titanParameters: FuzzTarget = {
  name: 'titan-parameters',
  source: ['names/titan-parameters.ts', 'names/percent.ts'],
  holds: 'names once each and in lower case; written and read again they are the same',
  shape: 'text',
  seeds: () => ['size=10;mime=text/plain;token=secret', 'size=0', 'token=%c3%bc', 'a-b=;c=='],
  words: ['size=', 'mime=', 'token=', ';', '%3b', '%00', '%c3%bc'],
  run(input) {
    const text = textOf(input)
    return reading(
      () => readTitanParameters(text),
      [InvalidNameError],
      (read) => {
        for (const [name, value] of read) {
          hold(/^[a-z][a-z0-9-]*$/.test(name), `the name ${name}`)
          hold(!/[\0-\x1f\x7f-\x9f]/.test(value), `the value ${JSON.stringify(value)}`)
        }
        const written = [...read].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join(';')
        same(JSON.stringify([...readTitanParameters(written)]), JSON.stringify([...read]), 'read again')
      },
    )
  },
}
