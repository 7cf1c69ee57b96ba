// IP addresses as text: read strictly, written in one form.
//
// The readers are hand-written loops because they sit on the path of every request, and because the lenient readers
// of the platform are where addresses get past deny lists: `010.0.0.1` is 8.0.0.1 to some and 10.0.0.1 to others
// (CVE-2021-28918, CVE-2021-29921, CVE-2024-29415). Here an IPv4 address is four decimal numbers without padding and
// an IPv6 address is what RFC 4291 section 2.2 allows; whatever else somebody may call an address is none.
//
// Both readers look at no more than 45 characters, whatever they are given.

/** An IPv6 address as four 32-bit words, each from 0 to 2^32 - 1, the most significant first. */
export type IPv6Words = readonly [w0: number, w1: number, w2: number, w3: number]

const DOT = 46
const COLON = 58
const ZERO = 48

/** The address as one number from 0 to 2^32 - 1, or -1 if the text from `start` to `end` is not four octets. */
export function readIPv4(text: string, start: number, end: number): number {
  if (end - start < 7 || end - start > 15) return -1
  let address = 0
  let dots = 0
  let octet = -1 // -1: no digit of this octet yet
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT) {
      if (octet < 0 || dots === 3) return -1
      address = (address << 8) | octet
      octet = -1
      dots++
      continue
    }
    const digit = code - ZERO
    if (digit < 0 || digit > 9) return -1
    if (octet === 0) return -1 // a padded octet, which somebody would read as octal
    if (octet < 0) octet = digit
    else octet = octet * 10 + digit
    if (octet > 255) return -1
  }
  if (dots !== 3 || octet < 0) return -1
  return ((address << 8) | octet) >>> 0
}

/** The words of the address, or null if the text from `start` to `end` is not one. Zone ids are not read here. */
export function readIPv6(text: string, start: number, end: number): IPv6Words | null {
  if (end - start < 2 || end - start > 45) return null
  const groups = [0, 0, 0, 0, 0, 0, 0, 0]
  let count = 0
  let gap = -1 // how many groups stand before the `::`
  let i = start
  if (text.charCodeAt(i) === COLON) {
    if (text.charCodeAt(i + 1) !== COLON) return null
    gap = 0
    i += 2
  }
  while (i < end) {
    if (count === 8) return null
    const groupStart = i
    let group = 0
    let digit = hexDigit(text.charCodeAt(i))
    while (digit >= 0) {
      if (i - groupStart === 4) return null
      group = (group << 4) | digit
      i++
      digit = i < end ? hexDigit(text.charCodeAt(i)) : -1
    }
    if (i < end && text.charCodeAt(i) === DOT) {
      // The last 32 bits may be written as an IPv4 address.
      const address = count <= 6 ? readIPv4(text, groupStart, end) : -1
      if (address < 0) return null
      groups[count++] = address >>> 16
      groups[count++] = address & 0xffff
      break
    }
    if (i === groupStart) return null
    groups[count++] = group
    if (i === end) break
    if (text.charCodeAt(i) !== COLON) return null
    i++
    if (i === end) return null
    if (text.charCodeAt(i) === COLON) {
      if (gap >= 0) return null
      gap = count
      i++
    }
  }
  if (gap < 0) {
    if (count !== 8) return null
  } else {
    // `::` stands for one group of zeros at least.
    if (count === 8) return null
    groups.copyWithin(8 - (count - gap), gap, count)
    groups.fill(0, gap, 8 - (count - gap))
  }
  return [word(groups, 0), word(groups, 2), word(groups, 4), word(groups, 6)]
}

/** Whether the words are an IPv4 address in IPv6 clothes, `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2). */
export function isMapped(words: IPv6Words): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff
}

/** `192.0.2.1` */
export function formatIPv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/**
 * RFC 5952 section 4: lower case, no leading zeros, the longest run of two or more zero groups becomes `::`, the first
 * one if two are equally long. No dotted tails: mapped addresses never get here, and section 5 asks for them only there.
 */
export function formatIPv6(w0: number, w1: number, w2: number, w3: number): string {
  const groups: number[] = []
  for (const part of [w0, w1, w2, w3]) groups.push(part >>> 16, part & 0xffff)
  let bestStart = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > bestLength) {
      bestStart = i
      bestLength = length
    }
    i += length
  }
  const hex = groups.map((group) => group.toString(16))
  if (bestStart < 0) return hex.join(':')
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`
}

function word(groups: readonly number[], index: number): number {
  return (((groups[index] ?? 0) << 16) | (groups[index + 1] ?? 0)) >>> 0
}

function hexDigit(code: number): number {
  if (code >= ZERO && code <= 57) return code - ZERO
  const lower = code | 32 // of all characters, only A-F and a-f end up in this range
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}
