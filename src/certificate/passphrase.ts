/**
 * What a private key is encrypted with. Text stands for its bytes in UTF-8, as it does for OpenSSL in a UTF-8 locale;
 * no Unicode normalization is applied. Bytes are for passphrases that are not text.
 */
export type Passphrase = string | Uint8Array

/** OpenSSL reads no longer one. */
const MAX_BYTES = 1024

/** Checks a passphrase that somebody chose. The messages show nothing of it, whatever it is. */
export function requirePassphrase(name: string, value: unknown): asserts value is Passphrase {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw new TypeError(`"${name}" expected a string or bytes; leave it out for a key that is not encrypted`)
  }
  const { length } = passphraseBytes(value)
  if (length === 0) throw new RangeError(`"${name}" expected at least one byte, got none`)
  if (length > MAX_BYTES) throw new RangeError(`"${name}" expected at most ${MAX_BYTES} bytes, got more`)
}

export function passphraseBytes(passphrase: Passphrase): Uint8Array {
  return typeof passphrase === 'string' ? Buffer.from(passphrase, 'utf8') : passphrase
}
