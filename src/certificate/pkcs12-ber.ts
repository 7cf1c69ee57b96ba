// The ASN.1 of a PKCS#12 container, walked by node-forge.
//
// Certificates and keys must be DER and have a strict reader of their own (der.ts). A container may be BER: Windows, NSS
// and macOS write indefinite lengths and strings in pieces, which that reader refuses and node-forge understands. What it
// returns is checked here, element by element: it is a tree of whatever the file says.
//
// node-forge limits the depth to 256 and never allocates by a length that the input names. Its own errors stop here: they
// carry no more than numbers, and would only confuse.

import type { asn1 } from 'node-forge'
import { Pkcs12Error } from '../errors.ts'

/** node-forge as it comes out of `import()`. */
export type Forge = typeof import('node-forge')

/** Loads node-forge, when the first container is read. */
export async function loadForge(): Promise<Forge> {
  return (await import('node-forge')).default
}

/** @throws {Pkcs12Error} PKCS12_MALFORMED unless the bytes are one element in BER. */
export function parseBer(forge: Forge, bytes: Uint8Array, what: string): BerNode {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  try {
    return new BerNode(forge, forge.asn1.fromDer(text, true))
  } catch {
    throw malformed(`${what} is no ASN.1, or is cut short`)
  }
}

const CONSTRUCTED = 0x20
const OCTET_STRING = 0x04
const OID = 0x06
const INTEGER = 0x02
const BMP_STRING = 0x1e

// The longest in use have 20 octets.
const MAX_OID_OCTETS = 64

/** One element. Each question about it names it, and throws PKCS12_MALFORMED if the element is another. */
export class BerNode {
  readonly #forge: Forge
  readonly #node: asn1.Asn1

  constructor(forge: Forge, node: asn1.Asn1) {
    this.#forge = forge
    this.#node = node
  }

  /** The identifier octet (X.690 section 8.1.2). */
  get tag(): number {
    const { tagClass, type, constructed } = this.#node
    return tagClass | type | (constructed ? CONSTRUCTED : 0)
  }

  /** A reader of the elements inside. */
  children(tag: number, what: string): BerReader {
    const { value } = this.#expect(tag, what)
    /* v8 ignore next -- @preserve tags that this is asked for are constructed, and node-forge has a list for those */
    if (typeof value === 'string') throw malformed(`${what} has nothing in it`)
    return new BerReader(value.map((each) => new BerNode(this.#forge, each)))
  }

  /** The content of an OCTET STRING, in one piece or in many; `tag` is another one if it is tagged implicitly. */
  octets(what: string, tag = OCTET_STRING): Buffer {
    if ((this.tag & ~CONSTRUCTED) !== tag) throw malformed(`${what} is no octet string`)
    const pieces: Buffer[] = []
    collectPieces(this.#node, pieces, what)
    return Buffer.concat(pieces)
  }

  /** An OBJECT IDENTIFIER in dotted form. */
  oid(what: string): string {
    const { value } = this.#expect(OID, what)
    if (typeof value !== 'string' || value.length === 0 || value.length > MAX_OID_OCTETS) {
      throw malformed(`${what} is no object identifier`)
    }
    try {
      return this.#forge.asn1.derToOid(value)
    } catch {
      throw malformed(`${what} is no object identifier`)
    }
  }

  /** An INTEGER that is not negative; infinity if it is beyond exact numbers. */
  integer(what: string): number {
    const { value } = this.#expect(INTEGER, what)
    if (typeof value !== 'string' || value.length === 0) throw malformed(`${what} is no number`)
    const octets = Buffer.from(value, 'latin1')
    if ((octets[0] ?? 0) >= 0x80) throw malformed(`${what} is negative`)
    const number = octets.reduce((sum, octet) => sum * 256 + octet, 0)
    return Number.isSafeInteger(number) ? number : Number.POSITIVE_INFINITY
  }

  /** The text of a BMPString; null if it is anything else. */
  bmpString(): string | null {
    const { value } = this.#node
    return this.tag === BMP_STRING && typeof value === 'string' ? value : null
  }

  /** The element in DER. A large or deep one is refused before it is copied, level by level. */
  der(what: string, maxBytes: number): Uint8Array {
    weigh(this.#node, what, { left: maxBytes })
    return Buffer.from(this.#forge.asn1.toDer(this.#node).getBytes(), 'latin1')
  }

  #expect(tag: number, what: string): asn1.Asn1 {
    if (this.tag !== tag) throw malformed(`${what} has the tag 0x${this.tag.toString(16)}, not 0x${tag.toString(16)}`)
    return this.#node
  }
}

/** Takes the elements of a list one after another. */
export class BerReader {
  readonly #nodes: readonly BerNode[]
  #next = 0

  constructor(nodes: readonly BerNode[]) {
    this.#nodes = nodes
  }

  get done(): boolean {
    return this.#next === this.#nodes.length
  }

  read(what: string): BerNode {
    const node = this.#nodes[this.#next]
    if (node === undefined) throw malformed(`${what} is missing`)
    this.#next++
    return node
  }

  /** All that are left. */
  rest(): readonly BerNode[] {
    const nodes = this.#nodes.slice(this.#next)
    this.#next = this.#nodes.length
    return nodes
  }

  finish(what: string): void {
    if (!this.done) throw malformed(`${what} has something after its end`)
  }
}

/** Goes no deeper than node-forge did. */
function collectPieces({ value }: asn1.Asn1, pieces: Buffer[], what: string): void {
  if (typeof value === 'string') {
    pieces.push(Buffer.from(value, 'latin1'))
    return
  }
  for (const piece of value) {
    if (piece.tagClass !== 0 || piece.type !== OCTET_STRING) throw malformed(`${what} is in pieces of something else`)
    collectPieces(piece, pieces, what)
  }
}

function weigh({ value }: asn1.Asn1, what: string, limit: { left: number }): void {
  limit.left -= typeof value === 'string' ? value.length + 2 : 2
  if (limit.left < 0) throw malformed(`${what} is larger than any there is`)
  if (typeof value === 'string') return
  for (const each of value) weigh(each, what, limit)
}

/** @internal */
export function malformed(reason: string): Pkcs12Error {
  return new Pkcs12Error('ERR_TLACACOCA_PKCS12_MALFORMED', `malformed PKCS#12: ${reason}`)
}

/** @internal */
export function unsupported(reason: string): Pkcs12Error {
  return new Pkcs12Error('ERR_TLACACOCA_PKCS12_UNSUPPORTED', `unsupported PKCS#12: ${reason}`)
}

/** @internal */
export function excessive(reason: string): Pkcs12Error {
  return new Pkcs12Error('ERR_TLACACOCA_PKCS12_EXCESSIVE', `excessive PKCS#12: ${reason}`)
}
