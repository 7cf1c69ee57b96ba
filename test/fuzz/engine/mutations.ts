// New inputs out of old ones: turned bits, pieces moved between inputs, words of the format, lengths put right or wrong.
//
// Both drivers use it, so what one finds the other can find.

import { mutateElement } from './der-mutations.ts'
import type { Random } from './random.ts'
import type { InputShape } from './target.ts'

export interface Material {
  readonly shape: InputShape
  readonly maxBytes: number
  readonly words: readonly Uint8Array[]
  /** Inputs to begin with, and to take pieces from. At least one. */
  readonly inputs: readonly Uint8Array[]
}

/** An input of any of the three kinds: without order, of words alone, or a known one that was changed. */
export function makeInput(random: Random, material: Material): Uint8Array {
  const kind = random.below(20)
  if (kind === 0) return noise(random, material)
  if (kind <= 2 && material.words.length > 0) return soup(random, material)
  // Valid ones as they are take part, so that what is accepted is checked too.
  if (kind === 3) return random.pick(material.inputs, EMPTY)
  return mutate(random, random.pick(material.inputs, EMPTY), material)
}

const EMPTY = new Uint8Array(0)

/** One input with a few changes, few more often than many. */
export function mutate(random: Random, input: Uint8Array, material: Material): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(input)
  for (let more = 1 + random.skewed(8); more > 0; more--) bytes = change(random, bytes, material)
  return bytes.length > material.maxBytes ? bytes.subarray(0, material.maxBytes) : bytes
}

function change(random: Random, bytes: Uint8Array, material: Material): Uint8Array {
  if (material.shape === 'der' && random.below(3) > 0) {
    return mutateElement(random, bytes, random.pick(material.inputs, bytes))
  }
  if (material.shape === 'lines' && random.oneIn(4)) return changeLines(random, bytes, material)
  const isText = material.shape === 'text' || material.shape === 'lines'
  const at = random.below(bytes.length + 1)
  switch (random.below(13)) {
    case 0:
      return replace(bytes, at, 1, Uint8Array.of((bytes[at] ?? 0) ^ (1 << random.below(isText ? 6 : 8))))
    case 1:
      return replace(bytes, at, 1, character(random, isText))
    case 2:
      return replace(bytes, at, 0, character(random, isText))
    case 3:
      return replace(bytes, at, 1 + random.skewed(32), EMPTY)
    case 4: {
      const size = 1 + random.skewed(24)
      return replace(bytes, random.below(bytes.length + 1), 0, bytes.slice(at, at + size))
    }
    case 5: {
      const other = random.pick(material.inputs, bytes)
      const from = random.below(other.length + 1)
      return replace(bytes, at, random.skewed(40), other.slice(from, from + 1 + random.skewed(60)))
    }
    case 6: {
      const other = random.pick(material.inputs, bytes)
      return replace(bytes, at, bytes.length - at, other.slice(random.below(other.length + 1)))
    }
    case 7:
      return replace(bytes, at, 0, random.pick(material.words, character(random, isText)))
    case 8: {
      const word = random.pick(material.words, character(random, isText))
      return replace(bytes, at, word.length, word)
    }
    case 9:
      return isText ? changeNumber(random, bytes, at) : changeInteger(random, bytes, at)
    case 10:
      return isText ? changeCase(bytes, at) : withLengths(random, bytes, at)
    case 11:
      return random.oneIn(3) ? bytes.slice(0, at) : repeat(random, bytes, at, material.maxBytes)
    default:
      return replace(bytes, at, 1, Uint8Array.of(random.pick(INTERESTING, 0)))
  }
}

function replace(bytes: Uint8Array, at: number, count: number, by: Uint8Array): Uint8Array {
  const tail = Math.min(bytes.length, at + count)
  const changed = new Uint8Array(at + by.length + bytes.length - tail)
  changed.set(bytes.subarray(0, at))
  changed.set(by, at)
  changed.set(bytes.subarray(tail), at + by.length)
  return changed
}

/** A byte or a character that means something to somebody. */
function character(random: Random, isText: boolean): Uint8Array {
  if (!isText || random.oneIn(12)) return Uint8Array.of(random.below(256))
  return random.oneIn(3) ? random.pick(CHARACTERS, EMPTY) : Uint8Array.of(0x20 + random.below(0x5f))
}

const INTERESTING = [0, 1, 2, 3, 4, 6, 0x0a, 0x0d, 0x10, 0x20, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0xa0, 0xfe, 0xff]
const CHARACTERS = [
  '\0', '\t', '\n', '\r', '\r\n', ' ', '\u001b', '\u007f', '\u0085', '\u00a0', '\u00ad', '\u00df', '\u0130', '\u0131',
  '\u0301', '\u200b', '\u200d', '\u2028', '\u202e', '\u2066', '\u212a', '\u3002', '\ufeff', '\ufffd', '\uff0e', '\uff11',
  '\u{1f512}', '\u{e0041}', '"', "'", '\\', '%', '%2f', '%00', '#', '..', '//', '::', '[', ']', '=', ';', ':', '@', '-',
].map((text) => new Uint8Array(Buffer.from(text))) // biome-ignore format: one list

/** A decimal number in a text, which becomes another one. */
function changeNumber(random: Random, bytes: Uint8Array, at: number): Uint8Array {
  const start = bytes.findIndex((byte, index) => index >= at && byte >= 0x30 && byte <= 0x39)
  if (start < 0) return bytes
  let end = start
  while ((bytes[end] ?? 0) >= 0x30 && (bytes[end] ?? 0) <= 0x39) end++
  const old = Number(Buffer.from(bytes.subarray(start, end)).toString('latin1'))
  const values = [old + 1, old - 1, old * 10, `0${old}`, ...NUMBERS]
  return replace(bytes, start, end - start, Buffer.from(String(random.pick<string | number>(values, 0))))
}

const NUMBERS = ['', '-0', '00', '1e3', '0x1', '31', '32', '33', '127', '128', '129', '255', '256', '65535', '65536', '2147483648', '4294967296', '9007199254740993', '1'.repeat(40)] // biome-ignore format: one list

function changeCase(bytes: Uint8Array, at: number): Uint8Array {
  const byte = bytes[at] ?? 0
  return (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a ? replace(bytes, at, 1, Uint8Array.of(byte ^ 0x20)) : bytes
}

/** A number of one to four bytes, in either order, a little more or less or at an edge. */
function changeInteger(random: Random, bytes: Uint8Array, at: number): Uint8Array {
  const size = Math.min(1 + random.below(4), bytes.length - at)
  if (size <= 0) return bytes
  const changed = Buffer.from(bytes)
  const isLittle = random.oneIn(2)
  const old = isLittle ? changed.readUIntLE(at, size) : changed.readUIntBE(at, size)
  const limit = 2 ** (8 * size)
  const by = random.oneIn(2) ? 1 + random.skewed(40) : limit - 1 - random.skewed(40)
  const value = random.oneIn(3) ? random.pick([0, 1, limit / 2, limit / 2 - 1, limit - 1], 0) : (old + by) % limit
  if (isLittle) changed.writeUIntLE(value, at, size)
  else changed.writeUIntBE(value, at, size)
  return changed
}

/** Puts something in or takes something out, and every length that reached to the end still does. */
function withLengths(random: Random, bytes: Uint8Array, at: number): Uint8Array {
  const isLonger = random.oneIn(2)
  const size = 1 + random.skewed(12)
  const removed = isLonger ? 0 : Math.min(size, bytes.length - at)
  const inserted = isLonger ? Uint8Array.from({ length: size }, () => random.below(256)) : EMPTY
  const changed = Buffer.from(replace(bytes, at, removed, inserted))
  const by = inserted.length - removed
  for (let place = 0; place < at; place++) {
    for (const width of [1, 2, 3, 4]) {
      const end = place + width
      if (end > at) break
      const reach = bytes.length - end
      const wanted = reach + by
      if (wanted < 0 || wanted >= 2 ** (8 * width) || reach === 0) continue
      if (bigEndian(bytes, place, width) === reach) changed.writeUIntBE(wanted, place, width)
      else if (width > 1 && littleEndian(bytes, place, width) === reach) changed.writeUIntLE(wanted, place, width)
    }
  }
  return changed
}

function bigEndian(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] ?? 0)
  return value
}

function littleEndian(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let i = width - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0)
  return value
}

/** A piece many times over, for what takes longer than its input is long. */
function repeat(random: Random, bytes: Uint8Array, at: number, maxBytes: number): Uint8Array {
  const piece = bytes.slice(at, at + 1 + random.skewed(6))
  if (piece.length === 0) return bytes
  const room = Math.max(0, maxBytes - bytes.length)
  const times = Math.min(1 + random.below(60), Math.floor(room / piece.length))
  const run = new Uint8Array(times * piece.length)
  for (let i = 0; i < times; i++) run.set(piece, i * piece.length)
  return replace(bytes, at, 0, run)
}

/** A line taken out, doubled, moved or replaced by one of another input. */
function changeLines(random: Random, bytes: Uint8Array, material: Material): Uint8Array {
  const lines = linesOf(bytes)
  const at = random.below(lines.length)
  const line = lines[at] ?? EMPTY
  switch (random.below(5)) {
    case 0:
      lines.splice(at, 1)
      break
    case 1:
      lines.splice(at, 0, line)
      break
    case 2:
      lines.splice(at, 1)
      lines.splice(random.below(lines.length + 1), 0, line)
      break
    case 3:
      lines.splice(at, random.below(2), random.pick(linesOf(random.pick(material.inputs, bytes)), line))
      break
    default:
      lines.splice(
        at,
        1,
        replace(line, random.below(line.length + 1), random.below(3), random.pick(material.words, EMPTY)),
      )
  }
  return Buffer.concat(lines)
}

/** Each with its line feed. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = []
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start)
    const next = end < 0 ? bytes.length : end + 1
    lines.push(bytes.subarray(start, next))
    start = next
  }
  return lines
}

function noise(random: Random, { maxBytes, shape }: Material): Uint8Array {
  const isText = shape === 'text' || shape === 'lines'
  const length = random.below(Math.min(maxBytes, 120) + 1)
  if (isText && random.oneIn(2)) {
    return Buffer.concat(Array.from({ length: length >> 2 }, () => character(random, true)))
  }
  return Uint8Array.from({ length }, () => random.below(256))
}

function soup(random: Random, { words, maxBytes }: Material): Uint8Array {
  const parts = Array.from({ length: 1 + random.below(12) }, () =>
    random.oneIn(4) ? character(random, true) : random.pick(words, EMPTY),
  )
  return Buffer.concat(parts).subarray(0, maxBytes)
}
