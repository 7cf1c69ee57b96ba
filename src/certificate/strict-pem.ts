// PEM for chains: blocks and nothing else, each of a kind that belongs where it stands.
//
// RFC 7468 lets any text stand between blocks, and so a block that lost its first line is read as an explanation, and is
// gone. Whoever sets up a server should hear of it.

import { ChainError, ExtraneousPrivateKeyError, PrivateKeyError } from '../errors.ts'
import { show } from '../internal/arguments.ts'
import { isPrivateKeyLabel, type LocatedBlock, readPem } from './pem.ts'

/** Where something stands: the name of its text, if it has one (a file, usually), and the line, counted from 1. */
export interface Place {
  readonly text: string | null
  readonly line: number
}

/** A text to read, and what to call it in messages. */
export interface NamedText {
  readonly name: string | null
  readonly pem: string
}

/** A block and where it is. */
export interface PlacedBlock {
  readonly block: LocatedBlock['block']
  readonly place: Place
}

/** A place in words: `line 3`, or `line 3 of chain.pem`. */
export function placeText({ text, line }: Place): string {
  return text === null ? `line ${line}` : `line ${line} of ${text}`
}

/**
 * The blocks of a text.
 *
 * @throws {ChainError} CHAIN_PEM_INVALID if a block is damaged or something else stands outside of them.
 */
export function strictBlocks({ name, pem }: NamedText, allowComments: boolean): PlacedBlock[] {
  const comments = new Comments()
  const fail = (line: number, problem: string): never => {
    const where = name === null ? '' : `${name}: `
    throw new ChainError('ERR_TLACACOCA_CHAIN_PEM_INVALID', `${where}${problem}`, { line })
  }
  const blocks = readPem(pem, {
    fail,
    outside(line, text) {
      if (allowComments && comments.takes(line, text)) return
      const hint = allowComments ? 'is no comment either' : '"allowComments" lets comments stand there'
      fail(line, `line ${line} belongs to no PEM block; remove it (${hint})`)
    },
  })
  return blocks.map(({ line, block }) => ({ block, place: { text: name, line } }))
}

/** What a text may hold. */
export type Slot = 'certificates' | 'key' | 'authorities' | 'anything'

/**
 * Refuses blocks that do not belong in a text: TLS knows one label for certificates and four for keys.
 *
 * @throws {ExtraneousPrivateKeyError} For a private key among certificates.
 * @throws {ChainError} CHAIN_UNEXPECTED_BLOCK for everything else; CHAIN_PEM_INVALID for a certificate with header lines.
 */
export function requireLabels(blocks: readonly PlacedBlock[], slot: Slot): void {
  for (const { block, place } of blocks) {
    const { label, headers } = block
    const where = placeText(place)
    if (isPrivateKeyLabel(label) && (slot === 'certificates' || slot === 'authorities')) {
      throw new ExtraneousPrivateKeyError(
        slot === 'authorities'
          ? `there is a private key at ${where}; whoever is trusted keeps theirs, so take it out, and away from here`
          : `there is a private key at ${where}, among the certificates; put it in a text or file of its own`,
        { line: place.line },
      )
    }
    const known = (slot !== 'key' && label === 'CERTIFICATE') || (takesKeys(slot) && KEY_LABELS.has(label))
    if (!known) throw unexpected(label, slot, place)
    if (label === 'CERTIFICATE' && headers.length > 0) {
      throw new ChainError(
        'ERR_TLACACOCA_CHAIN_PEM_INVALID',
        `the certificate at ${where} has header lines, which only private keys have; remove them`,
        { line: place.line },
      )
    }
  }
}

/** The same error about a key with the place in front of its message. It has no cause, as none about a key has one. */
export function keyErrorAt(place: Place, error: PrivateKeyError): PrivateKeyError {
  return new PrivateKeyError(error.code, `${placeText(place)}: ${error.message}`)
}

const KEY_LABELS: ReadonlySet<string> = new Set([
  'PRIVATE KEY',
  'ENCRYPTED PRIVATE KEY',
  'EC PRIVATE KEY',
  'RSA PRIVATE KEY',
])

function takesKeys(slot: Slot): boolean {
  return slot === 'key' || slot === 'anything'
}

const WANTED: Readonly<Record<Slot, string>> = {
  certificates: 'only CERTIFICATE belongs there',
  authorities: 'only CERTIFICATE belongs there',
  key: `only ${[...KEY_LABELS].join(', ')} belong there`,
  anything: 'only certificates and private keys belong there',
}

// What people really have in these files, and what to do about it.
const HINTS: ReadonlyMap<string, string> = new Map([
  ['EC PARAMETERS', 'the key itself names its curve, so remove the block'],
  ['TRUSTED CERTIFICATE', 'write it anew with "openssl x509 -in … -out …"'],
  ['CERTIFICATE REQUEST', 'it asks for a certificate and is none'],
  ['NEW CERTIFICATE REQUEST', 'it asks for a certificate and is none'],
  ['X509 CERTIFICATE', 'write CERTIFICATE as its label'],
  ['X.509 CERTIFICATE', 'write CERTIFICATE as its label'],
  ['OPENSSH PRIVATE KEY', 'TLS has other keys than SSH'],
])

function unexpected(label: string, slot: Slot, place: Place): ChainError {
  const hint = HINTS.get(label)
  return new ChainError(
    'ERR_TLACACOCA_CHAIN_UNEXPECTED_BLOCK',
    `there is a block ${show(label)} at ${placeText(place)}; ${WANTED[slot]}${hint === undefined ? '' : ` (${hint})`}`,
    { line: place.line },
  )
}

/**
 * Lines that may stand between blocks if comments may: those with a `#` in front, and what OpenSSL writes over a block:
 * `Bag Attributes` and its indented lines, `subject=`, `issuer=`, and the text of `openssl x509 -text` and `openssl ca`.
 */
class Comments {
  #attributesUntil = 0
  #certificateUntil = 0

  takes(line: number, text: string): boolean {
    if (/^\s*#/.test(text)) return true
    if (text === 'Certificate:' || (line === this.#certificateUntil && text.startsWith('    '))) {
      this.#certificateUntil = line + 1
      return true
    }
    const head = /^(?:Bag Attributes|Key Attributes)(?:: <(?:No Attributes|Empty Attributes)>)?$/.test(text)
    const attribute = line === this.#attributesUntil && /^\s+[\w. -]+:/.test(text)
    if (head || attribute) this.#attributesUntil = line + 1
    return head || attribute || /^(?:subject|issuer) ?=/.test(text)
  }
}
