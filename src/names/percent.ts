// Percent-escapes, decoded once and for good (RFC 3986 section 2.1, section 2.4: "must not percent-encode or decode
// the same string more than once").

/**
 * The text that a percent-encoded text stands for, or null if an escape is malformed, the bytes are not UTF-8 (overlong
 * forms and encoded surrogates are not), or the text was damaged before it came here.
 */
export function percentDecode(text: string): string | null {
  try {
    // `decodeURIComponent` is strict about all three, except that it leaves lone surrogates alone.
    const decoded = text.includes('%') ? decodeURIComponent(text) : text
    return isDamaged(decoded) ? null : decoded
  } catch {
    return null
  }
}

/** Whether every `%` begins an escape. */
export function hasOnlyWholeEscapes(text: string): boolean {
  return !/%(?![0-9A-Fa-f]{2})/.test(text)
}

/** Whether the text has lone surrogates, which no UTF-8 stands for, or U+FFFD, the mark of a lossy decoder. */
export function isDamaged(text: string): boolean {
  return /[\p{Cs}\ufffd]/u.test(text)
}

/** C0 controls, DEL and C1 controls: nobody names a thing by them, and terminals obey them. */
export function hasControl(text: string): boolean {
  return /[\0-\x1f\x7f-\x9f]/.test(text)
}
