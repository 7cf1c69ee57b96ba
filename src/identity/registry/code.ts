// Codes that a person copies from one screen to another, in Crockford's base 32: no I, L, O or U, and whoever types them
// for 1 or 0 is understood (https://www.crockford.com/base32.html).
//
// A link code has 50 bits and lives ten minutes; guessing it takes longer than that with any number of certificates. A
// recovery code lies in a drawer for years, so it has 100 bits: then even a stolen database does not give it away.

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const READ_AS: Readonly<Record<string, string>> = { I: '1', L: '1', O: '0' }

/** How many characters a link code has. */
export const LINK_CODE_LENGTH = 10
/** How many characters a recovery code has, without the hyphens that it is shown with. */
export const RECOVERY_CODE_LENGTH = 20

/** Makes a code of so many characters, from as many random bytes. */
export function makeCode(length: number, random: (size: number) => Uint8Array): string {
  return codeOf(random(length))
}

/** A code of one character for each byte. */
export function codeOf(bytes: Uint8Array): string {
  // 256 is a multiple of 32, so that every character is as likely as any other.
  return Array.from(bytes, (byte) => ALPHABET[byte % 32]).join('')
}

/** A code in groups of five, as long ones are shown. */
export function grouped(code: string): string {
  return code.replace(/.{5}(?=.)/g, '$&-')
}

/** The code that somebody typed, as it was made; null if it cannot have been one. */
export function readCode(text: string, length: number): string | null {
  // Whatever is longer than a code with a space at every place is none, and is not looked at.
  if (text.length > length * 2 + 2) return null
  const code = text
    .replace(/[\s-]/g, '')
    .toUpperCase()
    .replace(/[ILO]/g, (letter) => READ_AS[letter] ?? letter)
  return code.length === length && /^[0-9A-HJKMNP-TV-Z]+$/.test(code) ? code : null
}
