// Writes PROXY headers, by the specification's text alone: nothing of the reader under test is used here.

export interface HeaderEnds {
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
}

export interface Extension {
  readonly type: number
  readonly value: Uint8Array
}

export const SOMEBODY: HeaderEnds = {
  source: '192.0.2.7',
  destination: '198.51.100.1',
  sourcePort: 56_324,
  destinationPort: 1965,
}

/** Version 1, for ends of one family. */
export function textHeader(ends: Partial<HeaderEnds> = {}): Buffer {
  const { source, destination, sourcePort, destinationPort } = { ...SOMEBODY, ...ends }
  const family = source.includes(':') ? 'TCP6' : 'TCP4'
  return Buffer.from(`PROXY ${family} ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`)
}

export const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** Version 2 from its parts, which need not make sense. */
export function binaryParts(command: number, family: number, content: Uint8Array, length = content.length): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.of(command, family, length >> 8, length & 255), content])
}

/** The addresses and ports of version 2. IPv6 addresses are written in full or with one `::`. */
export function binaryEnds(ends: Partial<HeaderEnds> = {}): Buffer {
  const { source, destination, sourcePort, destinationPort } = { ...SOMEBODY, ...ends }
  const ports = Buffer.of(sourcePort >> 8, sourcePort & 255, destinationPort >> 8, destinationPort & 255)
  return Buffer.concat([addressBytes(source), addressBytes(destination), ports])
}

/** Version 2, a connection of a client, with what extensions one likes. */
export function binaryHeader(ends: Partial<HeaderEnds> = {}, extensions: readonly Extension[] = []): Buffer {
  const family = (ends.source ?? SOMEBODY.source).includes(':') ? 0x21 : 0x11
  return binaryParts(0x21, family, Buffer.concat([binaryEnds(ends), ...extensions.map(extensionBytes)]))
}

/** Version 2, a connection of the proxy's own. */
export function localHeader(extensions: readonly Extension[] = []): Buffer {
  return binaryParts(0x20, 0x00, Buffer.concat(extensions.map(extensionBytes)))
}

/** The same header with its checksum at the end; it must be of version 2. */
export function withChecksum(header: Buffer): Buffer {
  const longer = Buffer.concat([header, Buffer.of(3, 0, 4, 0, 0, 0, 0)])
  longer.writeUInt16BE(longer.length - 16, 14)
  longer.writeUInt32BE(castagnoli(longer), longer.length - 4)
  return longer
}

/** CRC-32C bit by bit, as RFC 3720 appendix B.4 has its test values for. */
export function castagnoli(bytes: Uint8Array): number {
  let remainder = 0xffffffff
  for (const octet of bytes) {
    remainder ^= octet
    for (let bit = 0; bit < 8; bit++) {
      const odd = (remainder & 1) === 1
      remainder >>>= 1
      if (odd) remainder ^= 0x82f63b78
    }
  }
  return (remainder ^ 0xffffffff) >>> 0
}

function extensionBytes({ type, value }: Extension): Buffer {
  return Buffer.concat([Buffer.of(type, value.length >> 8, value.length & 255), value])
}

function addressBytes(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]))
}
