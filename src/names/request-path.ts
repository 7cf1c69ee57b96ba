// The path of a request, decoded and tidied once, so that whoever decides about it and whoever opens it cannot mean
// two different things. What a rule for `/admin` must see through is gone after this: `/%61dmin`, `//admin`,
// `/x/../admin`, `/admin/.`. What could become a separator later (an encoded slash, a backslash) is refused.
//
// Empty segments go before dot segments, as in a file system: `/a//../b` is `/b`. (RFC 3986 section 5.2.4 alone would
// say `/a/b`; it treats `//` as two separators with a name between them.)

import { InvalidNameError } from '../errors.ts'
import { requireString, show } from '../internal/arguments.ts'
import { hasControl, percentDecode } from './percent.ts'

/**
 * An absolute path in canonical form.
 *
 * @example
 * import { parseRequestPath } from 'tlacacoca'
 *
 * const path = parseRequestPath('/club/./%62oard')
 * console.log(`${path}`, path.startsWith(parseRequestPath('/club/'))) // /club/board true
 */
export class RequestPath {
  /** The names between the slashes, decoded. None of them is empty, `.` or `..`, or holds a slash or a backslash. */
  readonly segments: readonly string[]
  /** Whether the path names a directory: it ended in a slash or in a dot segment. The root always is one. */
  readonly isDirectory: boolean
  readonly #parsed = true

  private constructor(segments: readonly string[], isDirectory: boolean) {
    this.segments = segments
    this.isDirectory = isDirectory
  }

  /**
   * The decoded path, such as `/club/rules`, with a slash at the end if it names a directory. It is for comparing and
   * for showing. Do not parse it again: `/100%25` is `/100%` here, which is not a path in the sense of a URL.
   */
  toString(): string {
    if (this.segments.length === 0) return '/'
    return `/${this.segments.join('/')}${this.isDirectory ? '/' : ''}`
  }

  /** Whether both are the same path, and both or neither of a directory. */
  equals(other: RequestPath): boolean {
    return (
      this.isDirectory === other.isDirectory && this.segments.length === other.segments.length && this.startsWith(other)
    )
  }

  /**
   * Whether this path is `other` or lies below it. `/club` and `/club/rules` are within `/club/`; `/clubhouse` is not.
   * A slash at the end makes no difference on either side.
   */
  startsWith(other: RequestPath): boolean {
    const prefix = other.segments
    if (prefix.length > this.segments.length) return false
    for (let i = 0; i < prefix.length; i++) {
      if (prefix[i] !== this.segments[i]) return false
    }
    return true
  }

  /** Whether a value is a path that this library parsed. */
  static is(value: unknown): value is RequestPath {
    return typeof value === 'object' && value !== null && #parsed in value
  }

  /** @internal */
  static parse(raw: string): RequestPath {
    if (raw.length > MAX_LENGTH) throw invalidTarget(raw, `has a path longer than ${MAX_LENGTH} characters`)
    if (!raw.startsWith('/')) throw invalidTarget(raw, 'is not an absolute path')
    if (NOT_IN_A_PATH.test(raw)) throw invalidTarget(raw, 'has a character that no path has')
    // An encoded separator is looked for before decoding; afterwards it would look like a real one.
    if (/%(?:2f|5c)/i.test(raw)) throw invalidTarget(raw, 'has an encoded slash or backslash')
    const decoded = percentDecode(raw)
    if (decoded === null) throw invalidTarget(raw, 'is not UTF-8 text with whole percent-escapes')
    if (hasControl(decoded)) throw invalidTarget(raw, 'has a control character')

    const segments: string[] = []
    let isDirectory = true
    for (const segment of decoded.split('/')) {
      isDirectory = segment === '' || segment === '.' || segment === '..'
      if (!isDirectory) segments.push(segment)
      else if (segment === '..') segments.pop()
    }
    return new RequestPath(Object.freeze(segments), isDirectory)
  }
}

/**
 * Reads a path as it stands in a URL: absolute, percent-encoded, without query and fragment.
 *
 * Escapes are decoded once, repeated slashes count as one, dot segments are removed and stop at the root. Text outside
 * ASCII is taken as it is. Refused are malformed escapes and UTF-8, control characters, backslashes, encoded slashes,
 * and the characters that URL writers always encode.
 *
 * @throws {InvalidNameError} `ERR_TLACACOCA_TARGET_INVALID` if the text is not such a path.
 * @example
 * import { parseRequestPath } from 'tlacacoca'
 *
 * const club = parseRequestPath('/club/')
 * console.log(parseRequestPath('/x/..//%63lub/rules').startsWith(club)) // true
 * console.log(parseRequestPath('/clubhouse').startsWith(club)) // false
 */
export function parseRequestPath(raw: string): RequestPath {
  requireString('raw', raw)
  return RequestPath.parse(raw)
}

/** @internal */
export function invalidTarget(text: string, problem: string): InvalidNameError {
  return new InvalidNameError('ERR_TLACACOCA_TARGET_INVALID', `${show(text)} ${problem}`)
}

// Twice what a file system takes (4,096 bytes on Linux), since escapes make it longer. The protocols send 1,024.
const MAX_LENGTH = 8192

// Space, `"`, `#`, `<`, `>`, `?`, `` ` ``, `{`, `}` and the backslash. RFC 3986 section 3.3 has no `[`, `]`, `^` and
// `|` either, but Go's net/url and the URL of browsers send them as they are, and they mean nothing else.
const NOT_IN_A_PATH = /[ "#<>?\\`{}]/
