// The presentation language of TLS (RFC 8446 section 3), for messages that nobody would send.

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

/** The length, in so many bytes, and the parts one after another. */
export function vector(lengthSize: 1 | 2 | 3, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const length = Buffer.alloc(lengthSize)
  length.writeUIntBE(content.length, 0, lengthSize)
  return Buffer.concat([length, content])
}

export function extension(type: number, ...content: readonly Uint8Array[]): Buffer {
  return Buffer.concat([u16(type), vector(2, ...content)])
}

export function handshakeMessage(type: number, ...body: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Uint8Array.of(type), vector(3, ...body)])
}

/** One record of handshake messages in clear. */
export function handshakeRecord(content: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(22, 3, 3), vector(2, content)])
}

/** The same handshake messages in clear, in records of so many bytes, and then whatever followed them. */
export function reframed(bytes: Buffer, size: number): Buffer {
  const contents: Buffer[] = []
  let at = 0
  for (; bytes[at] === 22; at += 5 + bytes.readUInt16BE(at + 3)) {
    contents.push(bytes.subarray(at + 5, at + 5 + bytes.readUInt16BE(at + 3)))
  }
  return Buffer.concat([...inRecords(Buffer.concat(contents), size), bytes.subarray(at)])
}

/** Messages in records of so many bytes. */
export function inRecords(messages: Buffer, size: number): Buffer[] {
  const records: Buffer[] = []
  for (let at = 0; at < messages.length; at += size) records.push(handshakeRecord(messages.subarray(at, at + size)))
  return records
}

/** All the ways to cut bytes that matter: not at all, in two at every place, and byte by byte. */
export function* cuttings(bytes: Uint8Array): Generator<readonly Uint8Array[]> {
  yield [bytes]
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)]
  yield Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
}
