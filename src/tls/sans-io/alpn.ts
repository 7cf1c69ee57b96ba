/** The list of application protocols as it stands in the extension (RFC 7301 section 3.1); null for an empty list. */
export function encodeProtocols(protocols: readonly string[]): Buffer | null {
  if (protocols.length === 0) return null
  return Buffer.concat(protocols.flatMap((protocol) => [Buffer.of(Buffer.byteLength(protocol)), Buffer.from(protocol)]))
}
