// A fingerprint to look at: the drawing that OpenSSH prints beside the fingerprint of a host key (`ssh-keygen -lv`). A
// bishop starts in the middle of a board of 17 by 9 squares and goes one square diagonally for each pair of bits; where
// there is a wall he slides along it. What is drawn is how often he was on each square, where he started and where he
// ended (sshkey.c, fingerprint_randomart).
//
// It is for noticing that something is not as it was. It does not prove that two fingerprints are equal: drawings that
// look alike can be made on purpose.

import { requireOptions, requireString, show } from '../internal/arguments.ts'
import { type Fingerprint, fingerprintSubject } from './fingerprint.ts'
import { digestOf } from './published-fingerprint.ts'

/** How to draw. */
export interface DrawingOptions {
  /** What stands in the upper border, up to 15 characters of ASCII. Default `CERTIFICATE` or `PUBLIC KEY`. */
  readonly title?: string
}

/**
 * Draws a fingerprint as OpenSSH does: eleven lines of 19 characters, without a line end after the last. The name of the
 * hash is in the lower border.
 *
 * @throws {TypeError} If it is no fingerprint in canonical text.
 * @throws {RangeError} For a title that is too long or not printable ASCII.
 * @example
 * import { drawFingerprint, loadCertificate } from 'tlacacoca/certificate'
 *
 * const { publicKeyFingerprint } = await loadCertificate('cert.pem')
 * console.log(drawFingerprint(publicKeyFingerprint, { title: 'example.org' }))
 */
export function drawFingerprint(fingerprint: Fingerprint, options: DrawingOptions = {}): string {
  const digest = Buffer.from(digestOf(fingerprint), 'hex')
  requireOptions('options', options, ['title'])
  const { title = TITLES[fingerprintSubject(fingerprint)] } = options
  requireString('title', title)
  if (!/^[ -~]*$/.test(title) || title.length > WIDTH - 2) {
    throw new RangeError(`"title" expected up to ${WIDTH - 2} characters of ASCII, got ${show(title)}`)
  }
  const rows = walk(digest).map((row) => `|${row.map((visits) => MARKS[visits]).join('')}|`)
  return [border(title), ...rows, border(`SHA${digest.length * 8}`)].join('\n')
}

const TITLES = { certificate: 'CERTIFICATE', 'public-key': 'PUBLIC KEY' } as const

const WIDTH = 17
const HEIGHT = 9

// By the number of visits; a square that was visited more often looks like the last of them. S and E: start and end.
const MARKS = ' .o+=*BOX@%&#/^SE'
const MOST = MARKS.length - 3
const START = MARKS.length - 2
const END = MARKS.length - 1

/** The board after the walk, row by row. */
function walk(digest: Uint8Array): number[][] {
  const board = Array.from({ length: HEIGHT }, () => new Array<number>(WIDTH).fill(0))
  const put = (x: number, y: number, change: (visits: number) => number): void => {
    const row = board[y]
    if (row !== undefined) row[x] = change(row[x] ?? 0)
  }
  const middle = [(WIDTH - 1) / 2, (HEIGHT - 1) / 2] as const
  let [x, y] = middle
  for (const byte of digest) {
    // Two bits a step, the lowest first: left or right, then up or down.
    for (let shift = 0; shift < 8; shift += 2) {
      const step = byte >> shift
      x = clamp(x + (step & 1 ? 1 : -1), WIDTH - 1)
      y = clamp(y + (step & 2 ? 1 : -1), HEIGHT - 1)
      put(x, y, (visits) => Math.min(visits + 1, MOST))
    }
  }
  put(...middle, () => START)
  put(x, y, () => END)
  return board
}

function clamp(position: number, last: number): number {
  return Math.max(0, Math.min(position, last))
}

function border(label: string): string {
  const text = label === '' ? '' : `[${label}]`
  return `+${'-'.repeat(Math.floor((WIDTH - text.length) / 2))}${text}`.padEnd(WIDTH + 1, '-').concat('+')
}
