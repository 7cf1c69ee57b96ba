// Changes of a DER encoding that leave it one: elements taken out, doubled, exchanged, with the lengths of all that hold
// them put right. Turned bits alone hardly get past the first length.

import { element } from '../../../src/certificate/der-writer.ts'
import type { Random } from './random.ts'

export interface Located {
  readonly start: number
  readonly end: number
  readonly content: number
  readonly parents: readonly Located[]
}

/** One element changed, or replaced by one of `other`. Bytes that are no DER stay as they are. */
export function mutateElement(random: Random, der: Uint8Array, other: Uint8Array): Uint8Array {
  const target = pickElement(random, der)
  if (target === null) return der
  const encoded = der.subarray(target.start, target.end)
  const content = der.subarray(target.content, target.end)
  const tag = der[target.start] ?? 0
  switch (random.below(8)) {
    case 0:
      return exchange(der, target, EMPTY)
    case 1:
      return exchange(der, target, Buffer.concat([encoded, encoded]))
    case 2: {
      const donor = pickElement(random, other)
      return donor === null ? der : exchange(der, target, other.subarray(donor.start, donor.end))
    }
    case 3: {
      const donor = pickElement(random, der)
      return donor === null ? der : exchange(der, target, der.subarray(donor.start, donor.end))
    }
    case 4:
      return exchange(der, target, element(random.pick(TAGS, tag), content))
    case 5: {
      const changed = Uint8Array.from(content)
      const at = random.below(changed.length)
      if (changed.length > 0)
        changed[at] = random.oneIn(2) ? random.below(256) : (changed[at] ?? 0) ^ (1 << random.below(8))
      return exchange(der, target, element(tag, changed))
    }
    case 6: {
      const at = random.below(content.length + 1)
      const more = Uint8Array.from({ length: random.skewed(6) }, () => random.below(256))
      return exchange(der, target, element(tag, content.subarray(0, at), more, content.subarray(at + random.skewed(6))))
    }
    default:
      return exchange(der, target, element(random.pick([0x30, 0x31, 0x04, 0xa0, 0xa3], 0x30), encoded))
  }
}

const EMPTY = new Uint8Array(0)
const TAGS = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a, 0x1c, 0x1e, 0x30, 0x31,
  0x80, 0x81, 0x82, 0x86, 0x87, 0xa0, 0xa1, 0xa3, 0xa4,
]

/** Walks down from the top, and stops anywhere: as cheap as the encoding is deep, and fair to what is deep. */
function pickElement(random: Random, der: Uint8Array): Located | null {
  let parents: readonly Located[] = []
  let siblings = elementsIn(der, 0, der.length, parents)
  let found: Located | null = null
  for (;;) {
    const next: Located | undefined = siblings[random.below(siblings.length)]
    if (next === undefined) return found
    found = next
    if (random.oneIn(6)) return found
    parents = [...parents, found]
    siblings = elementsIn(der, found.content, found.end, parents)
    // A BIT STRING may hold DER behind its first octet.
    if (siblings.length === 0 && der[found.start] === 0x03)
      siblings = elementsIn(der, found.content + 1, found.end, parents)
  }
}

/** The elements that lie here one after another; none if these bytes are not just elements. */
export function elementsIn(der: Uint8Array, from: number, to: number, parents: readonly Located[]): Located[] {
  const found: Located[] = []
  for (let at = from; at < to; ) {
    const first = der[at + 1] ?? 0x100
    let content = at + 2
    let length = first
    if (first >= 0x80) {
      const count = first & 0x7f
      if (count === 0 || count > 3 || first === 0x100) return []
      length = 0
      for (let i = 0; i < count; i++) length = length * 256 + (der[content + i] ?? 0)
      content += count
    }
    const end = content + length
    if (end > to || ((der[at] ?? 0) & 0x1f) === 0x1f) return []
    found.push({ start: at, end, content, parents })
    at = end
  }
  return found
}

/** The encoding with one element exchanged, and the lengths of all that hold it put right. */
export function exchange(der: Uint8Array, target: Located, replacement: Uint8Array): Uint8Array {
  let encoded: Uint8Array = Buffer.from(replacement)
  let { start, end } = target
  for (const parent of target.parents.toReversed()) {
    const inside = Buffer.concat([der.subarray(parent.content, start), encoded, der.subarray(end, parent.end)])
    encoded = element(der[parent.start] ?? 0, inside)
    start = parent.start
    end = parent.end
  }
  return Buffer.concat([der.subarray(0, start), encoded, der.subarray(end)])
}
