// Bytes as text, so that any bytes are some text and text can be anything that a string can be.
//
// What is UTF-8 is read as that. A byte that is not becomes half a surrogate pair, which no decoder of the platform gives
// out, but which a program can hand over.

/** The text that these bytes stand for. */
export function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const plain = buffer.toString('utf8')
  if (!plain.includes('\ufffd')) return plain
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(buffer, at)
    text += length === 0 ? String.fromCharCode(0xdc00 | (buffer[at] ?? 0)) : buffer.toString('utf8', at, at + length)
    at += Math.max(1, length)
  }
  return text
}

/** The length of the character that begins here; 0 if none does. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  if (length < 2) return length
  const read = bytes.toString('utf8', at, at + length)
  // A well-formed sequence is one code point, and U+FFFD is itself one.
  const isOne = [...read].length === 1 && Buffer.byteLength(read) === length
  return isOne && (read !== '\ufffd' || first === 0xef) ? length : 0
}
