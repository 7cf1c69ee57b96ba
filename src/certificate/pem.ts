// PEM, the armour of RFC 7468, read strictly where it matters.
//
// Text around the blocks is explanation and is skipped, as section 2 wants and `openssl x509 -text` needs; so are a byte
// order mark, CRLF, and spaces at the ends of lines. Everything inside a block, and every line that looks like the edge
// of one, must be right: the platform's base64 decoder skips what it does not know, so a key could be another one after
// a typo, and two readers could see two certificates in one text.

import { show } from '../internal/arguments.ts'
import { malformed } from './der.ts'

/** One block: what stands between `-----BEGIN …-----` and its `-----END …-----`. */
export interface PemBlock {
  /** The words after BEGIN, such as `CERTIFICATE`. */
  readonly label: string
  /** Header lines (`Proc-Type: 4,ENCRYPTED`), which only private keys in an old format have. */
  readonly headers: readonly string[]
  readonly der: Uint8Array
}

const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9](?:[A-Z0-9 ._#/+-]*[A-Z0-9])?)-----$/

/**
 * All blocks of a text, in order; none is an empty list.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if a block does not end, ends with another label, or
 *   holds anything but base64; the message names the line and never shows it, since it may be of a key.
 */
export function parsePem(text: string): PemBlock[] {
  return readPem(text, {
    fail(_line, problem) {
      throw malformed(problem)
    },
  }).map(({ block }) => block)
}

/** What a stricter reader does at its own discretion. Lines count from 1. */
export interface PemReader {
  /** Throws an error with this message, which names the line. */
  fail(line: number, problem: string): never
  /** Sees every line that stands outside of the blocks and is not empty. */
  outside?(line: number, text: string): void
}

/** A block, and the line that it begins with. */
export interface LocatedBlock {
  readonly line: number
  readonly block: PemBlock
}

/** All blocks of a text, in order, with their lines. */
export function readPem(text: string, reader: PemReader): LocatedBlock[] {
  const blocks: LocatedBlock[] = []
  let label: string | null = null
  let headers: string[] = []
  let body: string[] = []
  let startedAt = 0
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)
  for (const [index, untrimmed] of lines.entries()) {
    const line = trimEnd(untrimmed)
    const number = index + 1
    const edge = BOUNDARY.exec(line)
    if (edge === null && LOOKS_LIKE_BOUNDARY.test(line)) reader.fail(number, `PEM line ${number} is a broken boundary`)
    if (label === null) {
      if (edge?.[1] === 'END') reader.fail(number, `PEM line ${number} ends a block that did not begin`)
      if (edge === null) {
        if (line !== '') reader.outside?.(number, line)
        continue
      }
      label = edge[2] ?? ''
      startedAt = number
      headers = []
      body = []
    } else if (edge === null) {
      if (body.length === 0 && HEADER.test(line)) headers.push(line)
      else if (line !== '' || (body.length === 0 && headers.length > 0)) body.push(line)
      else reader.fail(number, `PEM line ${number} is empty inside a block`)
    } else {
      if (edge[1] !== 'END' || edge[2] !== label) doesNotEnd(startedAt, reader)
      const der =
        decode(body.join('')) ?? reader.fail(startedAt, `the PEM block of line ${startedAt} is not proper base64`)
      blocks.push({ line: startedAt, block: { label, headers, der } })
      label = null
    }
  }
  if (label !== null) doesNotEnd(startedAt, reader)
  return blocks
}

function doesNotEnd(line: number, reader: PemReader): never {
  return reader.fail(line, `the PEM block of line ${line} does not end`)
}

/** The DER of every certificate in a text. */
export function certificatesInPem(text: string): Uint8Array[] {
  return parsePem(text).map((block) => {
    if (isPrivateKeyLabel(block.label))
      throw malformed('the text holds a private key, which belongs in a file of its own')
    if (!isCertificateLabel(block.label))
      throw malformed(`the text holds a block of another kind, ${show(block.label)}`)
    if (block.headers.length > 0) throw malformed('the PEM block of a certificate has header lines')
    return block.der
  })
}

export function isCertificateLabel(label: string): boolean {
  return CERTIFICATE_LABELS.has(label)
}

export function isPrivateKeyLabel(label: string): boolean {
  return label.endsWith('PRIVATE KEY')
}

/** Writes DER as one PEM block, in lines of 64 characters, the last line ended too. */
export function formatPem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der.buffer, der.byteOffset, der.byteLength)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`
}

// RFC 7468 section 5.1 lists the two old labels. Not here: TRUSTED CERTIFICATE, which has OpenSSL's notes at its end.
const CERTIFICATE_LABELS = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'X.509 CERTIFICATE'])

const LOOKS_LIKE_BOUNDARY = /^\s*-----\s*(?:BEGIN|END)\b/i
const HEADER = /^[A-Za-z][A-Za-z-]*: /

/** Without the spaces and tabs at the end. A pattern would take quadratic time on a line of spaces. */
function trimEnd(line: string): string {
  let end = line.length
  while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end--
  return line.slice(0, end)
}

/**
 * Base64 that decodes and encodes to itself: no junk, the right padding, no bits left over (RFC 4648 section 3.5). Null
 * for anything else.
 */
function decode(base64: string): Uint8Array | null {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.length === 0 || bytes.toString('base64') !== base64 ? null : new Uint8Array(bytes)
}
