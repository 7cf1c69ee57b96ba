// CRC-32C (Castagnoli), as RFC 4960 appendix B and the PROXY protocol use it. A guard against damage, not against people.

let table: Uint32Array | null = null

/** The checksum of some bytes, the four at `zeroAt` counted as zeros: that is where the checksum itself stands. */
export function crc32c(bytes: Uint8Array, zeroAt = bytes.length): number {
  table ??= makeTable()
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) {
    const octet = i >= zeroAt && i < zeroAt + 4 ? 0 : (bytes[i] as number)
    crc = (crc >>> 8) ^ (table[(crc ^ octet) & 0xff] as number)
  }
  return ~crc >>> 0
}

// The polynomial 0x1edc6f41 with its bits in reverse.
const POLYNOMIAL = 0x82f63b78

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, octet) => {
    let crc = octet
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    return crc
  })
}
