// The lines that Node's 'keylog' event gives out, in the format of NSS: a label, the client's random and a secret, both
// in hexadecimal. They stay bytes all the way: a string that held a secret could never be overwritten.

/** What a line says. The secret is a copy, for whoever reads it to overwrite. */
export interface KeylogLine {
  readonly label: string
  readonly clientRandom: Buffer
  readonly secret: Buffer
}

const SPACE = 0x20
const NEWLINE = 0x0a

/** Reads a line if it has one of these labels; null otherwise, or if it is malformed. */
export function readKeylog(line: Uint8Array, labels: readonly string[]): KeylogLine | null {
  const label = labelOf(line, labels)
  if (label === null) return null
  const labelEnd = label.length
  const randomEnd = line.indexOf(SPACE, labelEnd + 1)
  if (randomEnd < 0) return null
  const end = line.at(-1) === NEWLINE ? line.length - 1 : line.length
  const clientRandom = fromHex(line.subarray(labelEnd + 1, randomEnd))
  const secret = fromHex(line.subarray(randomEnd + 1, end))
  return clientRandom === null || secret === null ? null : { label, clientRandom, secret }
}

/** Which of these labels a line has; null if it has none of them. */
export function labelOf(line: Uint8Array, labels: readonly string[]): string | null {
  const isIt = (label: string): boolean => {
    if (line[label.length] !== SPACE) return false
    for (let at = 0; at < label.length; at++) if (line[at] !== label.charCodeAt(at)) return false
    return true
  }
  return labels.find(isIt) ?? null
}

/** The bytes that hexadecimal digits stand for; null if something else is among them, or there are none. */
export function fromHex(digits: Uint8Array): Buffer | null {
  if (digits.length === 0 || digits.length % 2 !== 0) return null
  const bytes = Buffer.alloc(digits.length / 2)
  for (let index = 0; index < bytes.length; index++) {
    const high = value(digits[2 * index])
    const low = value(digits[2 * index + 1])
    if (high < 0 || low < 0) return null
    bytes[index] = (high << 4) | low
  }
  return bytes
}

function value(digit: number | undefined): number {
  if (digit === undefined) return -1
  if (digit >= 0x30 && digit <= 0x39) return digit - 0x30
  const letter = digit | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
